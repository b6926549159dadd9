/**
 * What an attacker tries in order to be somebody else, or to decide what only a person may: each a test. Against a gateway with a
 * real identity provider. This file only grows.
 */
import { get } from "node:http";
import { SignJWT, UnsecuredJWT, exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { hashToken, mintToken } from "../../src/identity/tokens.ts";
import { GATEWAY_ISSUER, type Audience } from "../../src/model/principal.ts";
import { upsertPrincipal } from "../../src/store/principals.ts";
import { insertToken } from "../../src/store/tokens.ts";
import { workingCopy } from "../harness/git.ts";
import { startOidcProvider } from "../harness/oidc-provider.ts";
import { WebBrowser } from "../harness/web-browser.ts";
import { startWorld, type Person, type World } from "../harness/world.ts";

type Provider = Awaited<ReturnType<typeof startOidcProvider>>;
let idp: Provider;
let otherIdp: Provider;
let world: World;
let ana: Person;
/** A hold that nobody in this file ever decides. */
let pending: string;

const LEE = { email: "lee@example.com", email_verified: true, groups: ["leads"] };

beforeAll(async () => {
  idp = await startOidcProvider({
    accounts: {
      ana: { email: "ana@example.com", email_verified: true, groups: ["eng"] },
      lee: LEE,
      eve: { email: "boss@example.com", email_verified: false, groups: ["*", "user:boss@example.com"] },
    },
  });
  otherIdp = await startOidcProvider();
  world = await startWorld({
    provider: idp,
    connections: {
      // Only the boss, by address.
      leads: { kind: "copilot", url: "http://127.0.0.1:9/", allow: ["leads"] },
      vault: { kind: "copilot", url: "http://127.0.0.1:9/", allow: ["user:boss@example.com"] },
    },
    pushes: [
      {
        repositories: ["code/**"],
        protect: [{ refs: ["refs/heads/main"], approvers: ["leads", "user:release-bot@example.com"], wait: "0s" }],
      },
    ],
  });
  ana = await world.person("ana@example.com", ["eng"]);
  pending = await hold();
});
afterAll(async () => {
  await world.close();
  await idp.close();
  await otherIdp.close();
});
beforeEach(() => idp.setAccount("lee", LEE));

async function hold(): Promise<string> {
  const copy = await ana.clone("team/app");
  await copy.commit("Change main", { [`${Math.random()}.txt`]: "x\n" });
  const push = await copy.git("push", "origin", "HEAD:main");
  const id = /\/approvals\/([0-9a-f-]{36})/.exec(push.stderr)?.[1];
  if (id === undefined) throw new Error(`no approval link in:\n${push.stderr}`);
  return id;
}

const bearer = (token: string, path = "/api/v1/pushes", init: RequestInit = {}): Promise<Response> =>
  fetch(`${world.url}${path}`, { ...init, headers: { authorization: `Bearer ${token}` } });

const decideWith = (token: string, approval = pending): Promise<Response> =>
  bearer(token, `/api/v1/approvals/${approval}/approve`, { method: "POST", body: '{"reason":"by software"}' });

const lee = async (): Promise<{ readonly browser: WebBrowser; readonly cookie: string }> => {
  const browser = new WebBrowser();
  await browser.signIn(world.url, "lee");
  return { browser, cookie: browser.cookie(world.url, "sallyport") ?? "" };
};

async function token(
  kind: "person" | "service",
  email: string,
  audiences: readonly Audience[] = ["git", "copilot", "api"],
  groups: readonly string[] = [],
): Promise<string> {
  const secret = mintToken();
  const { db } = world.database;
  const { id } = await upsertPrincipal(db, { issuer: GATEWAY_ISSUER, subject: `${kind}:${email}`, email, kind });
  await insertToken(db, { principalId: id, name: "t", hash: hashToken(secret), groups, audiences, expiresAt: null });
  return secret;
}

describe("a JWT", () => {
  test("of the provider, for this gateway, is let in: so that the others are refused for what they are", async () => {
    expect((await bearer(await idp.sign({ sub: "lee" }))).status).toBe(200);
    const basic = Buffer.from(`x:${await idp.sign({ sub: "ana", groups: ["eng"] })}`).toString("base64");
    const refs = `${world.url}/git/code/team/app.git/info/refs?service=git-upload-pack`;
    expect((await fetch(refs, { headers: { authorization: `Basic ${basic}` } })).status).toBe(200);
  });

  test.each([
    ["for somebody else", { aud: "another-client" }],
    ["for somebody whose name begins like ours", { aud: "sallyport-evil" }],
    ["for nobody", { aud: "" }],
    ["that has expired", { exp: 1_700_000_000 }],
    ["that is not valid yet", { nbf: 4_000_000_000 }],
    ["from the future", { iat: 4_000_000_000, exp: 4_000_003_600 }],
    ["that says another issuer", { iss: "https://idp.example" }],
    ["that says our issuer with a slash", { iss: "http://localhost/" }],
    ["that is a logout token", { events: { "http://schemas.openid.net/event/backchannel-logout": {} } }],
    ["that is bound to a key", { cnf: { jkt: "x" } }],
    ["of nobody", { sub: "" }],
  ])("%s is refused", async (_, claims) => {
    expect((await bearer(await idp.sign({ sub: "lee", ...claims }))).status).toBe(401);
  });

  test.each(["logout+jwt", "dpop+jwt", "secevent+jwt"])("of the type %s is refused", async (typ) => {
    expect((await bearer(await idp.sign({ sub: "lee" }, { typ }))).status).toBe(401);
  });

  const claims = () => ({
    iss: idp.issuer,
    aud: idp.clientId,
    sub: "lee",
    iat: now(),
    exp: now() + 600,
    groups: ["leads"],
  });
  const now = () => Math.floor(Date.now() / 1_000);

  test("that nobody signed is refused, however its alg spells none", async () => {
    const unsigned = new UnsecuredJWT(claims()).encode();
    expect((await bearer(unsigned)).status).toBe(401);
    for (const alg of ["none", "None", "NONE", ""]) {
      const header = Buffer.from(JSON.stringify({ alg, typ: "JWT" })).toString("base64url");
      expect((await bearer(`${header}.${unsigned.split(".")[1] ?? ""}.`)).status).toBe(401);
    }
  });

  test("under HS256 with the public key for a password is refused", async () => {
    const { kid = "", ...jwk } = idp.publicJwk();
    for (const secret of [JSON.stringify({ kid, ...jwk }), JSON.stringify(jwk), jwk.n ?? "", idp.clientSecret]) {
      const forged = await new SignJWT(claims())
        .setProtectedHeader({ alg: "HS256", kid })
        .sign(new TextEncoder().encode(secret.padEnd(32)));
      expect((await bearer(forged)).status).toBe(401);
    }
  });

  test("under the attacker's own key is refused: with our key's id, with the key in its header, with an address for it", async () => {
    const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
    const jwk = await exportJWK(publicKey);
    const { kid = "" } = idp.publicJwk();
    for (const header of [{ kid }, { kid, jwk }, { jwk }, { kid: "new", jku: `${otherIdp.issuer}/jwks` }]) {
      const forged = await new SignJWT(claims()).setProtectedHeader({ alg: "RS256", ...header }).sign(privateKey);
      expect((await bearer(forged)).status).toBe(401);
    }
    // A provider that somebody runs themselves, with the same subject, for our audience.
    expect((await bearer(await otherIdp.sign({ sub: "lee" }))).status).toBe(401);
    expect((await bearer(await otherIdp.sign({ sub: "lee", iss: idp.issuer }))).status).toBe(401);
  });

  test("is not shown in the log or kept, and its text is in no answer", async () => {
    const jwt = await idp.sign({ sub: "lee", aud: "another" });
    expect(await (await bearer(jwt)).text()).not.toContain(jwt.split(".")[1]);
    expect(world.logText()).not.toContain(jwt.split(".")[2]);
    expect(await world.dumpDatabase()).not.toContain(jwt.split(".")[1]);
  });
});

describe("somebody else's name", () => {
  test("an address that nobody verified opens nothing that names it, and no group's name means everybody", async () => {
    const jwt = await idp.sign({
      sub: "eve",
      email: "boss@example.com",
      email_verified: false,
      groups: ["user:boss@example.com", "*"],
    });
    expect((await bearer(jwt, "/copilot/vault/models")).status).toBe(403);
    const browser = new WebBrowser();
    const page = await browser.signIn(world.url, "eve");
    expect(page.html).toContain("boss@example.com (unverified)");
  });

  test("an operator's person of before there was a provider is nobody", async () => {
    expect((await bearer(await token("person", "lee@example.com", ["api"], ["leads"]))).status).toBe(401);
  });

  test("a token signs nobody in to the pages", async () => {
    const browser = new WebBrowser();
    const form = { token: await token("service", "ci@example.com"), form: "x", return: "/" };
    const answer = await browser.open(`${world.url}/sign-in`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(form).toString(),
    });
    expect(answer.status).toBe(403);
    expect(browser.cookie(world.url, "sallyport")).toBeUndefined();
  });

  test("a token for git opens neither Copilot nor the API, and one for them not git", async () => {
    const git = await token("service", "git@example.com", ["git"]);
    expect((await bearer(git)).status).toBe(401);
    expect((await bearer(git, "/copilot/copilot/models")).status).toBe(401);
    const refs = "/git/code/team/app.git/info/refs?service=git-upload-pack";
    expect((await bearer(git, refs)).status).toBe(200);
    expect((await bearer(await token("service", "api@example.com", ["api", "copilot"]), refs)).status).toBe(403);
  });

  test("a group that was left is gone from tokens made before, within five seconds", async () => {
    const { browser } = await lee();
    const person = await world.database.db.query.principals.findFirst({ where: (p, { eq }) => eq(p.subject, "lee") });
    const secret = mintToken();
    await insertToken(world.database.db, {
      principalId: person?.id ?? "",
      name: "laptop",
      hash: hashToken(secret),
      groups: [],
      audiences: ["copilot"],
      expiresAt: null,
    });
    const isForbidden = async () => (await bearer(secret, "/copilot/leads/models")).status === 403;
    expect(await isForbidden()).toBe(false);
    idp.setAccount("lee", { ...LEE, groups: [] });
    await browser.signIn(world.url, "lee");
    await expect.poll(isForbidden, { interval: 500 }).toBe(true);
  });

  test("somebody who has not signed in for long is nobody, whatever token they kept", async () => {
    const left = await world.person("left@example.com", ["leads"]);
    await world.database
      .sql`update principals set groups_at = now() - interval '25 hours' where subject = 'left@example.com'`;
    const answer = await left.fetch("/api/v1/pushes");
    expect(answer.status).toBe(401);
    expect(await answer.text()).toContain(`Do so at ${world.url}/`);
    // git would forget a password after 401, and this one is good again after a sign-in.
    const refs = await left.fetch("/git/code/team/app.git/info/refs?service=git-upload-pack");
    expect(refs.status).toBe(403);
    expect(await refs.text()).toContain("this token is good again then");
  });
});

describe("the way through the provider", () => {
  /** A sign-in of the attacker's own, stopped before the gateway sees its end. */
  async function attackersCallback(): Promise<URL> {
    const attacker = new WebBrowser();
    const isBack = (url: URL): boolean => url.pathname === "/sign-in/callback";
    await attacker.open(`${world.url}/sign-in/provider`);
    return (await attacker.submit("/interaction/", { account: "eve" }, isBack)).url;
  }

  test("somebody's own end of a sign-in in another's browser signs nobody in", async () => {
    const victim = new WebBrowser();
    expect((await victim.open(await attackersCallback())).status).toBe(403);
    expect(victim.cookie(world.url, "sallyport")).toBeUndefined();
  });

  test("nor does their code in the middle of the other's own sign-in", async () => {
    const code = (await attackersCallback()).searchParams.get("code") ?? "";
    const victim = new WebBrowser();
    const isBack = (url: URL): boolean => url.pathname === "/sign-in/callback";
    await victim.open(`${world.url}/sign-in/provider`);
    const { url } = await victim.submit("/interaction/", { account: "lee" }, isBack);
    url.searchParams.set("code", code);
    expect((await victim.open(url)).status).toBe(403);
    expect(victim.cookie(world.url, "sallyport")).toBeUndefined();
  });

  test("the same answer sent twice counts once, in this browser and in one that has copied its cookies", async () => {
    const browser = new WebBrowser();
    const isBack = (url: URL): boolean => url.pathname === "/sign-in/callback";
    await browser.open(`${world.url}/sign-in/provider`);
    const { url } = await browser.submit("/interaction/", { account: "lee" }, isBack);
    const copied = new WebBrowser();
    for (const [key, value] of browser.cookies) copied.cookies.set(key, value);
    expect((await browser.open(url)).status).toBe(200);
    expect((await browser.open(url)).status).toBe(403);
    const again = await copied.open(url);
    expect(again.status).toBe(403);
    expect(copied.cookie(world.url, "sallyport")).toBeUndefined();
  });

  test("an answer with another's issuer in it is refused (mix-up, RFC 9207)", async () => {
    const browser = new WebBrowser();
    const isBack = (url: URL): boolean => url.pathname === "/sign-in/callback";
    await browser.open(`${world.url}/sign-in/provider`);
    const { url } = await browser.submit("/interaction/", { account: "lee" }, isBack);
    expect(url.searchParams.get("iss")).toBe(idp.issuer);
    url.searchParams.set("iss", otherIdp.issuer);
    expect((await browser.open(url)).status).toBe(403);
  });

  test.each([
    "//evil.example/",
    "/\\evil.example",
    "https://evil.example",
    "/.//evil.example",
    "/%0d%0aSet-Cookie:x=1",
    "javascript:alert(1)",
  ])("does not end at %s", async (target) => {
    const end = await new WebBrowser().signIn(world.url, "ana", target);
    expect(end.url.origin).toBe(world.url);
    expect(end.way.every((step) => [world.url, idp.issuer].includes(new URL(step).origin))).toBe(true);
  });

  test("what the provider's error says is text on the page, and only in a sign-in of this browser", async () => {
    const forged = `${world.url}/sign-in/callback?error=x&error_description=${encodeURIComponent("<b>call 555-0100</b>")}`;
    expect((await new WebBrowser().open(forged)).html).not.toContain("555-0100");
    const browser = new WebBrowser();
    await browser.open(`${world.url}/sign-in/provider`);
    const state = new URL(`${idp.issuer}/`).href; // not the attempt's
    expect((await browser.open(`${forged}&state=${encodeURIComponent(state)}`)).html).not.toContain("555-0100");
  });
});

describe("a session", () => {
  test("that somebody planted before the sign-in is worth nothing after it", async () => {
    const browser = new WebBrowser();
    const planted = "A".repeat(43);
    browser.cookies.set("127.0.0.1 sallyport", planted);
    await browser.signIn(world.url, "lee");
    const attacker = new WebBrowser();
    attacker.cookies.set("127.0.0.1 sallyport", planted);
    expect((await attacker.open(`${world.url}/approvals`)).html).not.toContain("lee@example.com");
    expect((await browser.open(`${world.url}/approvals`)).html).toContain("lee@example.com");
  });

  test("ends with the sign-out, also for who has stolen its cookie, and at a new sign-in", async () => {
    const { browser, cookie } = await lee();
    const thief = new WebBrowser();
    thief.cookies.set("127.0.0.1 sallyport", cookie);
    expect((await thief.open(`${world.url}/pushes`)).html).toContain("lee@example.com");
    await browser.open(`${world.url}/`);
    const out = await browser.submit("/sign-out");
    expect(out.html).toContain("You are signed out of Sallyport");
    expect(out.headers.get("content-security-policy")).toContain(`form-action 'self' ${idp.issuer};`);
    thief.cookies.set("127.0.0.1 sallyport", cookie);
    expect((await thief.open(`${world.url}/pushes`)).html).not.toContain("lee@example.com");

    const again = await lee();
    const second = new WebBrowser();
    second.cookies.set("127.0.0.1 sallyport", again.cookie);
    await again.browser.signIn(world.url, "lee");
    expect((await second.open(`${world.url}/pushes`)).html).not.toContain("lee@example.com");
  });

  test("counts for nothing at the API, and its database row opens nothing", async () => {
    const { cookie } = await lee();
    const answer = await fetch(`${world.url}/api/v1/pushes`, { headers: { cookie: `sallyport=${cookie}` } });
    expect(answer.status).toBe(401);
    const dump = await world.dumpDatabase();
    expect(dump).not.toContain(cookie);
    expect(dump).not.toMatch(/ey[\w-]{20,}\.ey[\w-]{20,}\./);
  });
});

describe("a decision", () => {
  test("is no token's: the approver's own, a JWT of theirs, a service that no rule names", async () => {
    const { browser } = await lee();
    await browser.open(`${world.url}/`);
    const own = await world.person("lee2@example.com", ["leads"]);
    expect((await own.fetch(`/api/v1/approvals/${pending}`)).status).toBe(200);
    for (const secret of [
      own.token,
      await idp.sign({ sub: "lee", groups: ["leads"] }),
      await token("service", "ci@example.com", ["api"], ["leads"]),
    ]) {
      const answer = await decideWith(secret);
      expect([answer.status, await answer.text()]).toEqual([403, expect.any(String)]);
    }
    expect(await (await decideWith(own.token)).text()).toContain("open this approval in a browser");
  });

  test("is a service's that the rule names, and says so", async () => {
    const approval = await hold();
    const answer = await decideWith(await token("service", "release-bot@example.com", ["api"]), approval);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ decisions: [{ by: "release-bot@example.com", kind: "service" }] });
  });

  test("is not made by another site's form, nor by one without its token", async () => {
    const { browser } = await lee();
    const page = await browser.open(`${world.url}/approvals/${pending}`);
    const form = /name="form" value="([^"]+)"[\s\S]*name="reason"/.exec(
      page.html.slice(page.html.indexOf('class="decide"')),
    )?.[1];
    const post = (fields: Record<string, string>, headers: Record<string, string>) =>
      browser.open(`${world.url}/approvals/${pending}`, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
        body: new URLSearchParams({ decision: "approve", reason: "", ...fields }).toString(),
      });
    expect(form).toBeDefined();
    expect((await post({ form: form ?? "" }, { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await post({ form: form ?? "" }, { "sec-fetch-site": "same-site" })).status).toBe(403);
    expect((await post({}, { "sec-fetch-site": "same-origin" })).status).toBe(403);
  });

  test("needs a sign-in that is recent: an old one is asked for again, and then it counts", async () => {
    const approval = await hold();
    const { browser, cookie } = await lee();
    const page = await browser.open(`${world.url}/approvals/${approval}`);
    await world.database
      .sql`update web_sessions set authenticated_at = now() - interval '13 hours' where hash = ${hashToken(cookie)}`;
    // The form of before the session became old.
    expect(page.html).toContain("Approve and deliver");
    expect((await browser.submit(`/approvals/${approval}`, { decision: "approve", reason: "" })).status).toBe(403);
    const old = await browser.open(`${world.url}/approvals/${approval}`);
    expect(old.html).not.toContain("Approve and deliver");
    const [, link = ""] = /href="(\/sign-in\/provider[^"]*fresh=1)"/.exec(old.html) ?? [];

    // The provider's own session is not enough: it asks.
    const asked = await browser.open(new URL(link.replaceAll("&amp;", "&"), world.url));
    expect(asked.url.pathname).toMatch(/^\/interaction\//);
    const back = await browser.submit("/interaction/", { account: "lee" });
    expect(back.url.pathname).toBe(`/approvals/${approval}`);
    const done = await browser.submit(`/approvals/${approval}`, { decision: "approve", reason: "looked at it" });
    expect(done.status).toBe(200);
    expect(done.html).toContain("looked at it");
  });

  test("is not made where the provider does not say when the person proved who they are", async () => {
    const { browser, cookie } = await lee();
    await world.database.sql`update web_sessions set authenticated_at = null where hash = ${hashToken(cookie)}`;
    const page = await browser.open(`${world.url}/approvals/${pending}`);
    expect(page.html).not.toContain("Approve and deliver");
    expect(page.html).toContain("identity.oidc.authTime");
  });
});

test("software is told apart from people: in lists, on pages, and by what may be made", async () => {
  const ci = await token("service", "ci@example.com", ["git", "api"], ["leads"]);
  const basic = Buffer.from(`x:${ci}`).toString("base64");
  const env = {
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: `http.${world.url}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
  };
  const copy = await workingCopy({ url: `${world.url}/git/code/team/app.git`, env });
  await copy.commit("From CI", { "ci.txt": "x\n" });
  expect((await copy.git("push", "origin", "HEAD:refs/heads/ci")).code).toBe(0);
  const { items } = (await (await bearer(ci, "/api/v1/pushes?user=ci@example.com")).json()) as { items: unknown[] };
  expect(items).toMatchObject([{ pusher: "ci@example.com", pusher_kind: "service" }]);
  const { browser } = await lee();
  const list = await browser.open(`${world.url}/pushes`);
  expect(list.html).toMatch(/ci@example\.com<span class="soft"> \(service\)<\/span>/);
});

describe("with the provider away", () => {
  test("nobody signs in and is told so, and tokens go on working", async () => {
    const away = await startOidcProvider();
    // Already when the gateway starts: it does so without.
    await away.stop();
    const gateway = await startWorld({ provider: away });
    const person = await gateway.person("ana@example.com", ["eng"]);
    const page = await new WebBrowser().open(`${gateway.url}/sign-in/provider?return=/pushes`);
    expect(page.status).toBe(503);
    expect(page.html).toContain("Nobody can sign in now");
    expect(page.html).toContain("return=%2Fpushes");
    expect((await person.fetch("/api/v1/pushes")).status).toBe(200);
    const jwt = await away.sign({ sub: "ana" });
    const answer = await fetch(`${gateway.url}/api/v1/pushes`, { headers: { authorization: `Bearer ${jwt}` } });
    expect(answer.status).toBe(503);
    const model = await fetch(`${gateway.url}/copilot/copilot/models`, { headers: { authorization: `Bearer ${jwt}` } });
    expect([model.status, await model.text()]).toEqual([503, expect.stringContaining("identity provider")]);
  });
});

describe("a token that is taken back", () => {
  test("is refused by every gateway within five seconds, for whatever it was for, and opens no way back", async () => {
    const browser = new WebBrowser();
    await browser.signIn(world.url, "ana");
    const other = await world.startAnother();
    await browser.open(`${world.url}/tokens`);
    const made = await browser.submit("/tokens", { name: "stolen", for: "api", expires: "never" });
    const secret = /<pre>(gho_\w+)<\/pre>/.exec(made.html)?.[1] ?? "";
    const statuses = () =>
      Promise.all(
        [world.url, other].map(async (url) => {
          const headers = { authorization: `Bearer ${secret}` };
          return (await fetch(`${url}/api/v1/pushes`, { headers })).status;
        }),
      );
    // Both keep for a moment what they have found.
    expect(await statuses()).toEqual([200, 200]);
    expect((await browser.submit("/revoke")).html).toContain("revoked");
    await expect.poll(statuses, { interval: 250 }).toEqual([401, 401]);
  });
});

describe("what stands in addresses", () => {
  test("a token in a path that is nobody's is not led on to the sign-in, and stands in no answer and no log", async () => {
    const secret = await token("service", "path@example.com");
    for (const path of [`/u/${secret}/`, `/u/${secret}/sessions`, `/u/${secret}`, `/U/${secret}/git/x`]) {
      for (const accept of ["text/html", "*/*"]) {
        const answer = await fetch(world.url + path, { headers: { accept }, redirect: "manual" });
        expect([path, answer.status]).toEqual([path, 404]);
        expect(JSON.stringify([...answer.headers]) + (await answer.text())).not.toContain(secret);
      }
    }
    expect(world.logText()).not.toContain(secret);
  });

  test("GET signs nobody out, and makes and takes back no token", async () => {
    const { browser } = await lee();
    for (const path of ["/sign-out", "/tokens/x/revoke", "/tokens?name=x&for=git&expires=30d"]) {
      await browser.open(world.url + path);
    }
    const page = await browser.open(`${world.url}/pushes`);
    expect(page.html).toContain("lee@example.com");
  });

  test("whether there is somebody of a name is told to nobody who may not read of them", async () => {
    const asks = await bearer(await idp.sign({ sub: "nosy", groups: [] }), "/api/v1/sessions?user=ana@example.com");
    const other = await bearer(await idp.sign({ sub: "nosy", groups: [] }), "/api/v1/sessions?user=none@example.com");
    expect([asks.status, await asks.text()]).toEqual([other.status, await other.text()]);
  });
});

describe("a browser that is signed in", () => {
  /** What another site's page can make it send. */
  const cross = (cookie: string) => ({
    cookie: `sallyport=${cookie}`,
    origin: "https://evil.example",
    "sec-fetch-site": "cross-site",
  });

  test("asks no model, reads no repository and opens no WebSocket by its cookie", async () => {
    const { cookie } = await lee();
    for (const path of ["/copilot/leads/models", "/git/code/team/app.git/info/refs?service=git-upload-pack"]) {
      for (const headers of [cross(cookie), { cookie: `sallyport=${cookie}` }]) {
        expect((await fetch(world.url + path, { headers })).status).toBe(401);
      }
    }
    const opened = await new Promise<number | undefined>((resolve, reject) => {
      const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
      const key = { "sec-websocket-key": Buffer.alloc(16, 1).toString("base64") };
      get(`${world.url}/copilot/leads/responses`, { headers: { ...cross(cookie), ...upgrade, ...key } })
        .on("response", (answer) => resolve(answer.resume().statusCode))
        .on("upgrade", (_answer, socket) => {
          socket.destroy();
          resolve(101);
        })
        .on("error", reject);
    });
    expect(opened).toBe(401);
  });

  test("is told nothing that another site's script could read", async () => {
    const { cookie } = await lee();
    for (const path of ["/", "/sessions", "/api/v1/sessions", "/user", "/copilot/leads/models", "/login/device"]) {
      for (const method of ["GET", "OPTIONS"]) {
        const answer = await fetch(world.url + path, { method, headers: cross(cookie), redirect: "manual" });
        const names = [...answer.headers.keys()].filter((name) => name.startsWith("access-control-"));
        expect([path, method, names]).toEqual([path, method, []]);
      }
    }
  });
});

describe("a token in an address", () => {
  test("where it does not belong is believed nowhere, and stands in no log, no record and no request upstream", async () => {
    const secret = await token("service", "query@example.com");
    const query = `?access_token=${secret}&api-version=1&key=${encodeURIComponent(`Bearer ${secret}`)}`;
    for (const path of ["/copilot/copilot/models", "/api/v1/sessions", "/user", "/sessions", "/nowhere"]) {
      const answer = await fetch(world.url + path + query, { redirect: "manual" });
      expect([path, answer.status]).not.toEqual([path, 200]);
      expect(JSON.stringify([...answer.headers]) + (await answer.text())).not.toContain(secret);
    }
    const known = await bearer(
      await token("service", "good@example.com", ["copilot"], ["eng"]),
      `/copilot/copilot/models${query}`,
    );
    expect(known.status).toBe(200);
    expect(world.copilot.requests.at(-1)?.url).toBe("/models?api-version=1");
    expect(world.logText()).not.toContain(secret);
    expect(await world.dumpDatabase()).not.toContain(secret);
  });
});

describe("headers", () => {
  test("cookies larger than any of ours are refused, and the gateway goes on", async () => {
    const cookie = Array.from(
      { length: 40 },
      (_, index) => `__Host-sallyport-login-${index}=${"x".repeat(1_000)}`,
    ).join("; ");
    const answer = await fetch(`${world.url}/pushes`, { headers: { cookie } });
    expect(answer.status).toBe(431);
    expect((await fetch(`${world.url}/healthz`)).status).toBe(200);
  });

  test("who says in a header where they are is not believed: neither on the consent page nor in the limits", async () => {
    const forwarded = (address: string) => ({
      "x-forwarded-for": address,
      "x-real-ip": address,
      forwarded: `for=${address};host=evil.example;proto=https`,
      "x-forwarded-host": "evil.example",
      "x-forwarded-proto": "https",
      accept: "application/json",
    });
    const begin = async (address: string) => {
      const body = new URLSearchParams({ client_id: "sallyport", scope: "repo" });
      const answer = await fetch(`${world.url}/login/device/code`, {
        method: "POST",
        headers: forwarded(address),
        body,
      });
      return (await answer.json()) as Record<string, string>;
    };
    const begun = await begin("198.51.100.7");
    expect(begun["verification_uri"]).toBe(`${world.url}/login/device`);
    const { browser } = await lee();
    await browser.open(`${world.url}/login/device`);
    const consent = await browser.submit("/login/device", { code: begun["user_code"] ?? "" });
    expect(consent.html).toContain("127.0.0.1");
    expect(consent.html).not.toContain("198.51.100.7");
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => begin(`198.51.100.${index}`)));
    expect(answers.filter(({ error }) => error === "slow_down").length).toBeGreaterThan(0);
  });
});

describe("a JWT that was made for somebody else's purpose", () => {
  const evil = { azp: "evil", aud: ["sallyport", "evil"] };
  test.each([
    ["an ID token of several audiences, made for another client", { ...evil, nonce: "n" }],
    ["the same, known by the hash of an access token", { ...evil, at_hash: "x" }],
    ["the same, as Keycloak marks it", { ...evil, typ: "ID" }],
    ["of several audiences that says of no client that it was made for it", { aud: ["sallyport", "evil"] }],
    ["that names two clients", { azp: "sallyport", client_id: "evil" }],
    ["whose client is no text", { azp: ["sallyport"] }],
    ["that refreshes others", { typ: "Refresh" }],
    ["that does so for good", { typ: "Offline" }],
    ["that ends sessions", { typ: "Logout" }],
  ])("%s, is refused", async (_, claims) => {
    expect((await bearer(await idp.sign({ sub: "lee", ...claims }))).status).toBe(401);
  });

  test.each([
    ["an ID token of ours", { nonce: "n", aud: ["sallyport", "account"], azp: "sallyport" }],
    ["an access token that another client got for us", { azp: "cli", aud: ["sallyport", "account"], typ: "Bearer" }],
    ["an access token for us alone", { client_id: "cli" }],
  ])("%s is let in", async (_, claims) => {
    expect((await bearer(await idp.sign({ sub: "lee", ...claims }))).status).toBe(200);
  });

  test("under a key that its header brings or names: x5c, x5u, a kid that is a path, a crit that nobody knows", async () => {
    const { privateKey } = await generateKeyPair("RS256", { extractable: true });
    const at = Math.floor(Date.now() / 1_000);
    const claims = { iss: idp.issuer, aud: idp.clientId, sub: "lee", iat: at, exp: at + 600 };
    for (const header of [
      { x5u: `${otherIdp.issuer}/cert.pem` },
      { x5c: ["MIIB"] },
      { kid: "../../../../dev/null" },
      { kid: "' or 1=1 --" },
      { kid: `${otherIdp.issuer}/jwks` },
    ]) {
      const forged = await new SignJWT(claims).setProtectedHeader({ alg: "RS256", ...header }).sign(privateKey);
      expect((await bearer(forged)).status).toBe(401);
    }
    const [, payload, signature] = (await idp.sign(claims)).split(".");
    const header = Buffer.from(JSON.stringify({ alg: "RS256", crit: ["x"], x: 1 })).toString("base64url");
    expect((await bearer([header, payload, signature].join("."))).status).toBe(401);
    expect(otherIdp.asked.get("/cert.pem")).toBeUndefined();
  });
});

describe("a sign-out that the provider tells of", () => {
  const EVENTS = { "http://schemas.openid.net/event/backchannel-logout": {} };
  const tell = (token: string): Promise<Response> =>
    fetch(`${world.url}/sign-in/back-channel-logout`, {
      method: "POST",
      body: new URLSearchParams({ logout_token: token }),
    });
  const logout = (claims: Record<string, unknown> = {}, header: { typ?: string } = { typ: "logout+jwt" }) =>
    idp.sign({ sub: "lee", jti: `${Math.random()}`, events: EVENTS, ...claims }, header);
  const isIn = async ({ browser }: { readonly browser: WebBrowser }): Promise<boolean> =>
    (await browser.open(`${world.url}/tokens`)).url.pathname === "/tokens";

  test("at the provider's own page ends that browser's session here, and no other one", async () => {
    const [one, other] = [await lee(), await lee()];
    expect([await isIn(one), await isIn(other)]).toEqual([true, true]);
    await one.browser.open(`${idp.issuer}/session/end`);
    await one.browser.submit("/session/end/confirm", { logout: "yes" });
    await expect.poll(() => isIn(one)).toBe(false);
    expect(await isIn(other)).toBe(true);
    const stolen = await fetch(`${world.url}/tokens`, {
      headers: { cookie: `sallyport=${one.cookie}` },
      redirect: "manual",
    });
    expect(stolen.status).not.toBe(200);
  });

  test("ends all of a person's where it names no session, nobody else's, and answers as it should", async () => {
    const ended = [await lee(), await lee()];
    const anas = new WebBrowser();
    await anas.signIn(world.url, "ana");
    const answer = await tell(await logout());
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"]);
    for (const session of ended) expect(await isIn(session)).toBe(false);
    expect(await isIn({ browser: anas })).toBe(true);
    const events = await world.database.sql`select data from events where kind = 'person.signed_out'`;
    expect(events.at(-1)?.["data"]).toMatchObject({ by: "identity provider", sessions: expect.any(Number) as number });
  });

  test("counts once: the same token ends no later session", async () => {
    const token = await logout();
    expect((await tell(token)).status).toBe(200);
    const later = await lee();
    expect((await tell(token)).status).toBe(200);
    expect(await isIn(later)).toBe(true);
  });

  test.each([
    ["with a nonce, as an ID token has one", { nonce: "n" }, {}],
    ["without an event", { events: undefined }, {}],
    ["with another event", { events: { "https://example.com/other": {} } }, {}],
    ["whose event is no object", { events: { "http://schemas.openid.net/event/backchannel-logout": true } }, {}],
    ["without an id", { jti: undefined }, {}],
    ["of nobody", { sub: undefined }, {}],
    ["for another client", { aud: "another" }, {}],
    ["of another issuer", { iss: "https://evil.example" }, {}],
    ["that has expired", { exp: 1_700_000_000 }, {}],
    ["from the future", { iat: 4_000_000_000, exp: 4_000_000_060 }, {}],
    ["that is good for a day", { exp: Math.floor(Date.now() / 1_000) + 86_400 }, {}],
    ["of another type", {}, { typ: "at+jwt" }],
  ])("a token %s ends nothing", async (_, claims, header) => {
    const session = await lee();
    const answer = await tell(await logout(claims, { typ: "logout+jwt", ...header }));
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([400, "no-store"]);
    expect(await isIn(session)).toBe(true);
  });

  test("nor does a notice in another form than the specification's, or a very large one", async () => {
    const session = await lee();
    const url = `${world.url}/sign-in/back-channel-logout`;
    const token = await logout();
    const file = new FormData();
    file.set("logout_token", new Blob([token]), "token");
    const asJson = { headers: { "content-type": "application/json" }, body: JSON.stringify({ logout_token: token }) };
    const large = { body: new URLSearchParams({ logout_token: token, more: "x".repeat(100_000) }) };
    for (const [init, status] of [
      [asJson, 400],
      [{ body: file }, 400],
      [large, 413],
    ] as const)
      expect((await fetch(url, { method: "POST", ...init })).status).toBe(status);
    expect((await fetch(`${url}?${new URLSearchParams({ logout_token: token }).toString()}`)).status).not.toBe(200);
    expect(await isIn(session)).toBe(true);
  });

  test("nor does one that somebody else signed, an ID token, or no token", async () => {
    const session = await lee();
    const forged = await otherIdp.sign(
      { iss: idp.issuer, sub: "lee", jti: "x", events: EVENTS },
      { typ: "logout+jwt" },
    );
    for (const token of [forged, await idp.sign({ sub: "lee" }), "", "x.y.z"])
      expect((await tell(token)).status).toBe(400);
    expect(await isIn(session)).toBe(true);
  });
});
