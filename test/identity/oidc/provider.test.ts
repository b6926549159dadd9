/** JWTs and sign-ins against a real provider; the store is a map. */
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { mintLoginSecret } from "../../../src/identity/oidc/login-secret.ts";
import { createOidcProvider, type ProviderPorts } from "../../../src/identity/oidc/provider.ts";
import type { OidcSettings } from "../../../src/identity/provider-settings.ts";
import type { KnownPrincipal } from "../../../src/identity/standing.ts";
import { startOidcProvider, type OidcProviderOptions } from "../../harness/oidc-provider.ts";
import { WebBrowser } from "../../harness/web-browser.ts";
import { settings } from "./settings.ts";

const GATEWAY = "http://gateway.invalid";

/** As the store has it: what was stated earlier never overwrites what was stated later. */
function memoryPorts(): ProviderPorts & { readonly people: Map<string, KnownPrincipal>; written: number } {
  const people = new Map<string, KnownPrincipal>();
  const ports = {
    people,
    written: 0,
    findPrincipal: async (issuer: string, subject: string) => people.get(`${issuer} ${subject}`) ?? null,
    recordStatement: async ({ statedAt, ...person }: Parameters<ProviderPorts["recordStatement"]>[0]) => {
      ports.written += 1;
      const key = `${person.issuer} ${person.subject}`;
      const known = people.get(key);
      if (known?.groupsAt != null && known.groupsAt > statedAt) return known;
      const now = { ...person, id: known?.id ?? key, groupsAt: statedAt };
      people.set(key, now);
      return now;
    },
  };
  return ports;
}

async function setUp(options: OidcProviderOptions = {}, changes: Partial<OidcSettings> = {}) {
  const idp = await startOidcProvider(options);
  idp.register(GATEWAY);
  let at = Date.now();
  const ports = memoryPorts();
  const provider = createOidcProvider({
    settings: settings({ issuer: idp.issuer, clientSecret: idp.clientSecret, ...changes }),
    ports,
    publicUrl: GATEWAY,
    now: () => new Date(at),
    discovery: { keysCooldownMs: 0, retryMs: 1_000 },
  });
  const check = (jwt: string) => provider.authenticateJwt(jwt, new Date(at));
  return { idp, ports, provider, check, later: (ms: number) => void (at += ms), seconds: () => Math.floor(at / 1_000) };
}

describe("a JWT", () => {
  test("of the provider, for us, is its person with the groups that it states", async () => {
    const { idp, check, ports } = await setUp();
    const jwt = await idp.sign({ sub: "ana", email: "ana@example.com", email_verified: true, groups: ["eng"] });
    expect(await check(jwt)).toMatchObject({
      ok: true,
      value: {
        person: { issuer: idp.issuer, subject: "ana", email: "ana@example.com", kind: "person", groups: ["eng"] },
      },
    });
    const shared = { sub: "ana", aud: ["account", "sallyport"], azp: "terminal" };
    expect(await check(await idp.sign(shared, { typ: "at+jwt" }))).toMatchObject({ ok: true });
    expect(ports.written).toBe(1);
  });

  test("is looked at again after five seconds, not at every request", async () => {
    const { idp, check, later } = await setUp();
    const jwt = await idp.sign({ sub: "ana" });
    await check(jwt);
    await idp.rotateKeys();
    expect(await check(jwt)).toMatchObject({ ok: true });
    later(11 * 60_000);
    // The keys that the gateway keeps are ten minutes old: by now it has fetched the new ones.
    expect(await check(await idp.sign({ sub: "bob" }))).toMatchObject({ ok: true });
    expect(await check(jwt)).toMatchObject({ ok: false });
  });

  test("under a key that came later makes the gateway fetch the keys", async () => {
    const { idp, check } = await setUp();
    expect(await check(await idp.sign({ sub: "ana" }))).toMatchObject({ ok: true });
    await idp.rotateKeys();
    expect(await check(await idp.sign({ sub: "ana" }))).toMatchObject({ ok: true });
    expect(idp.asked.get("/jwks")).toBe(2);
  });

  test("under unknown keys makes it fetch them once in the cool-down, however many come", async () => {
    const idp = await startOidcProvider();
    const provider = createOidcProvider({
      settings: settings({ issuer: idp.issuer }),
      ports: memoryPorts(),
      publicUrl: GATEWAY,
      now: () => new Date(),
    });
    for (let count = 0; count < 5; count += 1) {
      const jwt = await idp.sign({ sub: "ana" }, { kid: `made-up-${count}` });
      expect(await provider.authenticateJwt(jwt, new Date())).toMatchObject({
        ok: false,
        error: { reason: "unknown" },
      });
    }
    expect(idp.asked.get("/jwks")).toBe(1);
  });

  test("tolerates a minute of difference between the clocks, and no more", async () => {
    const { idp, check, seconds } = await setUp();
    const now = seconds();
    expect(await check(await idp.sign({ sub: "a", iat: now - 100, exp: now - 50 }))).toMatchObject({ ok: true });
    expect(await check(await idp.sign({ sub: "a", iat: now - 100, exp: now - 70 }))).toMatchObject({
      error: { reason: "expired" },
    });
    expect(await check(await idp.sign({ sub: "a", nbf: now + 50 }))).toMatchObject({ ok: true });
    expect(await check(await idp.sign({ sub: "a", nbf: now + 90 }))).toMatchObject({ error: { reason: "unknown" } });
    expect(await check(await idp.sign({ sub: "a", iat: now + 90 }))).toMatchObject({ error: { reason: "unknown" } });
  });

  test("that is older than what is known does not bring back a group", async () => {
    const { idp, check, seconds } = await setUp();
    const old = await idp.sign({ sub: "ana", iat: seconds() - 600, groups: ["release", "eng"] });
    await check(await idp.sign({ sub: "ana", groups: ["eng"] }));
    expect(await check(old)).toMatchObject({ value: { person: { groups: ["eng"] } } });
  });

  test("without groups has those of a sign-in that is recent, and none once it is not", async () => {
    const { idp, check, ports, later, seconds } = await setUp({}, { groupsMaxAgeMs: 60_000 });
    await check(await idp.sign({ sub: "ana", email: "ana@example.com", email_verified: true, groups: ["eng"] }));
    expect(await check(await idp.sign({ sub: "ana", jti: "2" }))).toMatchObject({
      value: { person: { groups: ["eng"] } },
    });
    expect([...ports.people.values()][0]?.email).toBe("ana@example.com");
    later(61_000);
    const fresh = await idp.sign({ sub: "ana", iat: seconds(), exp: seconds() + 60 });
    expect(await check(fresh)).toMatchObject({ value: { person: { groups: [] } } });
  });

  test("with too many groups for a token stands with those of a recent sign-in, or asks for one", async () => {
    const { idp, check } = await setUp();
    const overage = { sub: "ana", hasgroups: true };
    expect(await check(await idp.sign(overage))).toMatchObject({
      ok: false,
      error: { reason: "stale", message: expect.stringContaining(`Sign in at ${GATEWAY}/`) },
    });
    await check(await idp.sign({ sub: "ana", groups: ["eng"] }));
    expect(await check(await idp.sign(overage))).toMatchObject({ value: { person: { groups: ["eng"] } } });
  });

  test("cannot be checked while the provider is away and its keys are not there: an error, no refusal", async () => {
    const { idp, check, later } = await setUp();
    const jwt = await idp.sign({ sub: "ana" });
    await idp.stop();
    await expect(check(jwt)).rejects.toMatchObject({ code: "upstream_unreachable" });
    await idp.start();
    // Not asked again at once, so that requests do not queue up behind a provider that is away.
    await expect(check(jwt)).rejects.toMatchObject({ code: "upstream_unreachable" });
    later(1_001);
    expect(await check(jwt)).toMatchObject({ ok: true });
  });
});

describe("a provider that cannot be used", () => {
  test("because its metadata is another issuer's is told to the operator", async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ issuer: "https://other.example", jwks_uri: "https://other.example/jwks" }));
    }).listen(0, "localhost");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const provider = createOidcProvider({
      settings: settings({ issuer: `http://localhost:${(server.address() as AddressInfo).port}` }),
      ports: memoryPorts(),
      publicUrl: GATEWAY,
      now: () => new Date(),
    });
    await expect(provider.startSignIn(mintLoginSecret(), { isFresh: false })).rejects.toMatchObject({
      code: "upstream_misbehaved",
      message: expect.stringContaining("another issuer's"),
    });
  });
});

describe("a sign-in", () => {
  async function signIn(
    { idp, provider }: Awaited<ReturnType<typeof setUp>>,
    account: string,
    options: { readonly isFresh: boolean } = { isFresh: false },
    browser = new WebBrowser(),
  ) {
    const secret = mintLoginSecret();
    const isBack = (url: URL): boolean => url.origin === GATEWAY;
    let visit = await browser.open(await provider.startSignIn(secret, options), {}, isBack);
    const asked = visit.url.pathname.startsWith("/interaction/");
    if (asked) visit = await browser.submit("/interaction/", { account }, isBack);
    expect(visit.url.href).toMatch(new RegExp(`^${GATEWAY}/sign-in/callback\\?`));
    return {
      secret,
      search: visit.url.search,
      asked,
      browser,
      done: await provider.finishSignIn(secret, visit.url.search),
      idp,
    };
  }
  const ana = { email: "ana@example.com", email_verified: true, groups: ["eng"] };

  test("says who it is, when they proved it, and in which groups they are", async () => {
    const world = await setUp({ accounts: { ana } });
    const before = Math.floor(Date.now() / 1_000) * 1_000;
    const { done } = await signIn(world, "ana");
    expect(done).toMatchObject({
      ok: true,
      value: { principal: { subject: "ana", email: "ana@example.com", groups: ["eng"] } },
    });
    const at = done.ok ? (done.value.authenticatedAt?.getTime() ?? 0) : 0;
    expect(at).toBeGreaterThanOrEqual(before - 1_000);
    expect(at).toBeLessThanOrEqual(Date.now());
  });

  test("asks at the userinfo address for what the ID token does not hold", async () => {
    const world = await setUp({ accounts: { ana }, thinIdTokens: true });
    expect((await signIn(world, "ana")).done).toMatchObject({
      value: { principal: { email: "ana@example.com", groups: ["eng"] } },
    });
  });

  test("needs no password again at the provider, unless it has to be fresh", async () => {
    const world = await setUp({ accounts: { ana } });
    const { asked, browser } = await signIn(world, "ana");
    expect(asked).toBe(true);
    expect((await signIn(world, "ana", { isFresh: false }, browser)).asked).toBe(false);
    expect((await signIn(world, "ana", { isFresh: true }, browser)).asked).toBe(true);
  });

  test("that the person refuses is told in the provider's words", async () => {
    const world = await setUp({ accounts: { ana } });
    expect((await signIn(world, "")).done).toEqual({
      ok: false,
      error: "The identity provider says: access_denied, The person said no.",
    });
  });

  test("works under new keys at once", async () => {
    const world = await setUp({ accounts: { ana } });
    await signIn(world, "ana");
    await world.idp.rotateKeys();
    expect((await signIn(world, "ana")).done).toMatchObject({ ok: true });
  });

  test("the code is good once, and with the verifier, state and nonce of its own attempt alone", async () => {
    const world = await setUp({ accounts: { ana } });
    const first = await signIn(world, "ana");
    expect(await world.provider.finishSignIn(first.secret, first.search)).toMatchObject({ ok: false });
    const second = await signIn(world, "ana");
    expect(await world.provider.finishSignIn(mintLoginSecret(), second.search)).toMatchObject({ ok: false });
    expect(await world.provider.finishSignIn(second.secret, "")).toMatchObject({ ok: false });
    expect(await world.provider.finishSignIn(second.secret, "?code=x&state=y")).toMatchObject({ ok: false });
  });

  test("asks where it is told for groups that did not fit, page by page, and nowhere else", async () => {
    const asked: string[] = [];
    const graph = createServer((request, response) => {
      const own = `http://localhost:${(graph.address() as AddressInfo).port}`;
      asked.push(`${request.url ?? ""} ${(request.headers.authorization ?? "").split(" ", 1)[0] ?? ""}`);
      response.writeHead(200, { "content-type": "application/json" });
      const page = {
        value: [{ id: "g1", displayName: "One" }, { id: "*" }],
        "@odata.nextLink": `${own}/groups?page=2`,
      };
      response.end(JSON.stringify(request.url?.includes("page=2") === true ? { value: [{ id: "g2" }, {}] } : page));
    }).listen(0, "localhost");
    onTestFinished(() => void graph.close());
    await once(graph, "listening");
    const url = `http://localhost:${(graph.address() as AddressInfo).port}/groups`;
    const claims = {
      ...ana,
      groups: undefined,
      _claim_names: { groups: "s" },
      _claim_sources: { s: { endpoint: "http://169.254.169.254/" } },
    };
    const world = await setUp({ accounts: { ana: claims } }, { overage: { url, property: "id" } });
    expect((await signIn(world, "ana")).done).toMatchObject({ value: { principal: { groups: ["g1", "g2"] } } });
    expect(asked).toEqual(["/groups Bearer", "/groups?page=2 Bearer"]);
    const without = await setUp({ accounts: { ana: claims } });
    expect((await signIn(without, "ana")).done).toEqual({
      ok: false,
      error: expect.stringContaining("identity.oidc.overage"),
    });
  });

  test("ends at the provider by a form", async () => {
    const world = await setUp({ accounts: { ana } });
    const { done } = await signIn(world, "ana");
    const idToken = done.ok ? done.value.idToken : "";
    expect(await world.provider.findEndSession(idToken)).toEqual({
      action: `${world.idp.issuer}/session/end`,
      fields: { id_token_hint: idToken, client_id: "sallyport", post_logout_redirect_uri: `${GATEWAY}/` },
    });
  });
});
