import { expect, test } from "vitest";
import type { OidcProvider } from "../../../src/identity/oidc/provider.ts";
import { createProviderRoutes } from "../../../src/web/auth/provider-routes.tsx";
import { createSignIn } from "../../../src/web/sign-in.ts";
import { testDatabase } from "../../harness/database.ts";
import { silentLog, testIdentity } from "../api-fixtures.ts";

/** A provider that sends everybody to one address. */
const provider: OidcProvider = {
  name: "Example",
  signInUrl: "https://gateway.example/",
  people: { issuer: "https://idp.example", groupsMaxAgeMs: 1 },
  prepare: async () => {},
  authenticateJwt: () => Promise.reject(new Error("no JWT is sent here")),
  startSignIn: async () => new URL("https://idp.example/authorize"),
  finishSignIn: async () => ({ ok: false, error: "no" }),
  readLogout: async () => ({ ok: false, error: "no" }),
  findEndSession: async () => null,
};

async function routesAt(publicUrl: string) {
  const { db } = await testDatabase();
  const now = () => new Date();
  const signIn = createSignIn({
    db,
    identity: testIdentity(db),
    publicUrl,
    people: provider.people,
    now,
    clientAddress: () => null,
  });
  return createProviderRoutes({ db, provider, signIn, publicUrl, log: silentLog, now });
}

test("over https the attempt's cookie is this host's alone, and no script reads it", async () => {
  const routes = await routesAt("https://gateway.example");
  const answer = await routes.request("/sign-in/provider?return=/pushes");
  expect([answer.status, answer.headers.get("location")]).toEqual([303, "https://idp.example/authorize"]);
  const [cookie = "", ...others] = answer.headers.getSetCookie();
  expect(others).toEqual([]);
  expect(cookie).toMatch(/^__Host-sallyport-login-[\w-]{8}=[\w-]{43}\.[\w-]+; /);
  for (const attribute of ["Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=900"])
    expect(cookie).toContain(attribute);
  expect(cookie).not.toContain("Domain");
  expect(answer.headers.get("cache-control")).toBe("no-store");
});

test("on loopback over http it has another name, since browsers take no __Host- cookie there", async () => {
  const answer = await (await routesAt("http://127.0.0.1:8080")).request("/sign-in/provider");
  expect(answer.headers.getSetCookie()[0]).toMatch(/^sallyport-login-/);
  expect(answer.headers.getSetCookie()[0]).not.toContain("Secure");
});

test("many attempts do not fill the browser: the earlier ones go", async () => {
  const routes = await routesAt("https://gateway.example");
  const cookie = Array.from({ length: 5 }, (_, index) => `__Host-sallyport-login-aaaaaaa${index}=x`).join("; ");
  const answer = await routes.request("/sign-in/provider", { headers: { cookie } });
  const set = answer.headers.getSetCookie();
  expect(set.filter((line) => /max-age=0/i.test(line))).toHaveLength(5);
  expect(set).toHaveLength(6);
});
