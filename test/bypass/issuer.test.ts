/** Tricks against the sign-in of GitHub's clients: getting a token that nobody meant to give. Append-only. */
import { describe, expect, it } from "vitest";
import { deviceCodes } from "../../src/store/schema.ts";
import { listTokens, revokeToken } from "../../src/store/tokens.ts";
import {
  authorize,
  authorizePath,
  CLI,
  decide,
  EDITOR,
  GATEWAY,
  OWN,
  pkce,
  startGithubHost,
  type GithubHost,
} from "../web/github-host.ts";

const LOOPBACK = "http://127.0.0.1:51234/callback";
const request = (challenge: string, changes: Record<string, string> = {}) => ({
  client_id: CLI,
  redirect_uri: LOOPBACK,
  state: "s",
  code_challenge: challenge,
  code_challenge_method: "S256",
  ...changes,
});
const setUp = async () => {
  const host = await startGithubHost();
  const ana = await host.person("ana@example.com");
  return { host, ana, browser: await host.browser(ana) };
};
/** How many tokens there are beyond the one that the person was given. */
const made = async (host: GithubHost): Promise<number> => (await listTokens(host.db)).length - 1;
const statuses = async (host: GithubHost) => (await host.db.select().from(deviceCodes)).map(({ status }) => status);

describe("device codes", () => {
  it("guessing codes while signed in: ten wrong ones, and the right one is refused as well", async () => {
    const { host, browser } = await setUp();
    const begun = await host.begin();
    await browser.get("/login/device");
    for (let tries = 0; tries < 10; tries += 1) await browser.submit("/login/device", { code: "BCDF-GHJK" });
    expect(await browser.submit("/login/device", { code: String(begun["user_code"]) })).toMatchObject({ status: 429 });
    expect(await statuses(host)).toEqual(["pending"]);
    // In another browser of the same person, too.
    expect(await decide(await host.browser(await host.person("ana@example.com")), begun["user_code"])).toMatchObject({
      status: 429,
    });
    host.wait(15 * 60);
    expect((await decide(browser, (await host.begin())["user_code"])).html).toContain("Signed in");
  });

  it("guessing many codes at once: of fifty questions ten are looked at", async () => {
    const { host, browser } = await setUp();
    const begun = await host.begin();
    await browser.get("/login/device");
    const form = browser.hidden("/login/device");
    const guess = (code: string) =>
      browser.post("/login/device", { ...form, code }, { "sec-fetch-site": "same-origin" });
    const answers = await Promise.all(Array.from({ length: 50 }, () => guess("BCDF-GHJK")));
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(9);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(41);
    expect(await guess(String(begun["user_code"]))).toMatchObject({ status: 429 });
  });

  it("filling the gateway with requests: an address is slowed down", async () => {
    const { host } = await setUp();
    const answers = [];
    for (let tries = 0; tries < 61; tries += 1) answers.push((await host.begin())["error"]);
    expect(answers.slice(0, 60)).toEqual(Array<undefined>(60).fill(undefined));
    expect(answers[60]).toBe("slow_down");
  });

  it("a link with the code in it: nothing is filled in, nothing is approved", async () => {
    const { host, browser } = await setUp();
    const { user_code: code } = await host.begin();
    for (const name of ["user_code", "code"]) {
      const { html } = await browser.get(`/login/device?${name}=${String(code)}`);
      expect(html).not.toContain(String(code));
      expect(html).toContain('name="code"');
    }
    expect(await statuses(host)).toEqual(["pending"]);
  });

  it("approving without the code: the form of one request, or of the page before it, is no good for another", async () => {
    const { host, browser } = await setUp();
    const mine = await host.begin();
    const theirs = await host.begin(EDITOR);
    await browser.get("/login/device");
    const codeForm = browser.hidden("/login/device");
    const consent = await browser.submit("/login/device", { code: String(mine["user_code"]) });
    const own = /action="(\/login\/device\/[^"]+)"/.exec(consent.html)?.[1] ?? "";
    const [other] = (await host.db.select().from(deviceCodes)).filter(({ clientId }) => clientId === EDITOR);
    for (const fields of [codeForm, browser.hidden(own), {}]) {
      const headers = { "sec-fetch-site": "same-origin" };
      await browser.post(`/login/device/${other?.id ?? ""}`, { ...fields, decision: "approve" }, headers);
    }
    expect(await host.poll(theirs["device_code"], EDITOR)).toMatchObject({ error: "authorization_pending" });
    expect(await made(host)).toBe(0);
  });

  it("a page of another site that posts the forms: the cookie alone approves nothing", async () => {
    const { host, browser } = await setUp();
    const begun = await host.begin();
    await browser.get("/login/device");
    const cross = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };
    const fields = { ...browser.hidden("/login/device"), code: String(begun["user_code"]) };
    // Even with the form's own value, which another site cannot read.
    expect((await browser.post("/login/device", fields, cross)).status).toBe(403);
    expect((await browser.post("/login/device", { code: String(begun["user_code"]) }, cross)).status).toBe(403);
    const consent = await browser.submit("/login/device", { code: String(begun["user_code"]) }).catch(() => null);
    const fresh = consent ?? (await browser.get("/login/device"));
    const action = /action="(\/login\/device\/[^"]+)"/.exec(fresh.html)?.[1] ?? "/login/device/x";
    expect((await browser.post(action, { decision: "approve" }, cross)).status).toBe(403);
    expect(await statuses(host)).toEqual(["pending"]);
  });

  it("GET approves nothing, and neither does somebody who is not signed in", async () => {
    const { host, browser } = await setUp();
    const begun = await host.begin();
    const [row] = await host.db.select().from(deviceCodes);
    await browser.get(`/login/device/${row?.id ?? ""}?decision=approve`);
    const stranger = host.stranger();
    expect(await stranger.post(`/login/device/${row?.id ?? ""}`, { decision: "approve" })).toMatchObject({
      status: 303,
    });
    expect(await host.poll(begun["device_code"])).toMatchObject({ error: "authorization_pending" });
  });

  it("the device code of another client, and the user code in its place", async () => {
    const { host, browser } = await setUp();
    const begun = await host.begin();
    await decide(browser, begun["user_code"]);
    expect(await host.poll(begun["device_code"], EDITOR)).toMatchObject({ error: "incorrect_device_code" });
    expect(await host.poll(begun["user_code"])).toMatchObject({ error: "incorrect_device_code" });
    expect(await made(host)).toBe(0);
    expect(await host.poll(begun["device_code"])).toHaveProperty("access_token");
  });

  it("two polls at once: one token", async () => {
    const { host, browser } = await setUp();
    const begun = await host.begin();
    await decide(browser, begun["user_code"]);
    const answers = await Promise.all([1, 2, 3].map(() => host.poll(begun["device_code"])));
    expect(answers.filter((answer) => "access_token" in answer)).toHaveLength(1);
    expect(await made(host)).toBe(1);
  });

  it("deciding twice: what was refused stays refused", async () => {
    const { host, browser } = await setUp();
    const begun = await host.begin();
    await browser.get("/login/device");
    const consent = await browser.submit("/login/device", { code: String(begun["user_code"]) });
    const action = /action="(\/login\/device\/[^"]+)"/.exec(consent.html)?.[1] ?? "";
    const fields = browser.hidden(action);
    const headers = { "sec-fetch-site": "same-origin" };
    await browser.post(action, { ...fields, decision: "deny" }, headers);
    await browser.post(action, { ...fields, decision: "approve" }, headers);
    expect(await host.poll(begun["device_code"])).toMatchObject({ error: "access_denied" });
  });
});

describe("authorization codes", () => {
  const redeem = (host: GithubHost, back: URL, verifier: string, changes: Record<string, string> = {}) =>
    host.post("/login/oauth/access_token", {
      client_id: CLI,
      code: back.searchParams.get("code") ?? "",
      code_verifier: verifier,
      ...changes,
    });

  it("using a code twice: no second token, and the first one is taken back", async () => {
    const { host, browser } = await setUp();
    const { verifier, challenge } = pkce();
    const back = await authorize(browser, request(challenge));
    const { access_token: token } = await redeem(host, back, verifier);
    expect((await host.api("/user", token)).status).toBe(200);
    expect(await redeem(host, back, verifier)).toMatchObject({ error: "bad_verification_code" });
    host.wait(6);
    expect((await host.api("/user", token)).status).toBe(401);
  });

  it("a code without its verifier, with another one, or for another client or redirect: spent, and worth nothing", async () => {
    const { host, browser } = await setUp();
    const { verifier, challenge } = pkce();
    const attempts: Record<string, string>[] = [
      { code_verifier: "" },
      { code_verifier: pkce().verifier },
      { code_verifier: challenge },
      { client_id: EDITOR },
      { redirect_uri: "http://127.0.0.1:51235/callback" },
    ];
    for (const changes of attempts) {
      const back = await authorize(browser, request(challenge));
      expect(await redeem(host, back, verifier, changes)).toMatchObject({ error: "bad_verification_code" });
      expect(await redeem(host, back, verifier)).toMatchObject({ error: "bad_verification_code" });
    }
    expect(await made(host)).toBe(0);
  });

  it("a code that somebody finds in a history later", async () => {
    const { host, browser } = await setUp();
    const { verifier, challenge } = pkce();
    const back = await authorize(browser, request(challenge));
    host.wait(121);
    expect(await redeem(host, back, verifier)).toMatchObject({ error: "bad_verification_code" });
  });

  it("PKCE in clear, or none: refused before anybody is asked", async () => {
    const { browser } = await setUp();
    const { verifier } = pkce();
    const without = { client_id: CLI, redirect_uri: LOOPBACK, state: "s" };
    for (const fields of [
      without,
      { ...without, code_challenge: verifier },
      { ...without, code_challenge: verifier, code_challenge_method: "plain" },
      { ...without, code_challenge: "short", code_challenge_method: "S256" },
    ]) {
      const { location } = await browser.get(authorizePath(fields));
      const back = new URL(location ?? "");
      expect(back.origin).toBe("http://127.0.0.1:51234");
      expect(back.searchParams.get("error")).toBe("invalid_request");
      expect(back.searchParams.get("state")).toBe("s");
    }
  });

  it.each([
    "https://evil.example/",
    "http://evil.example:80/",
    "http://127.0.0.1.evil.example/",
    "http://localhost.evil.example/",
    "http://127.0.0.1@evil.example/",
    "http://user:password@127.0.0.1/",
    "https://127.0.0.1/",
    "http://127.0.0.1\\@evil.example/",
    "http://127.0.0.1/#code",
    "//evil.example/",
    "/sessions",
    "javascript:alert(1)",
    "data:text/html,x",
    "vscode://evil/",
    "http://[::1]:1/\n",
    "http://127.0.0.1/ä",
    "",
    // Another client's own.
    OWN.redirects[0] ?? "",
    `${OWN.redirects[0] ?? ""}&more=1`,
  ])("a link that leads to %s: told here, and nobody is sent anywhere", async (redirect) => {
    const { browser } = await setUp();
    const visit = await browser.get(authorizePath(request(pkce().challenge, { redirect_uri: redirect })));
    expect(visit).toMatchObject({ status: 400, location: null });
  });

  it("a registered redirect with a path or a parameter more", async () => {
    const { browser } = await setUp();
    const [redirect = ""] = OWN.redirects;
    for (const changed of [`${redirect}&a=b`, redirect.replace("callback", "callback/x"), redirect.toUpperCase()]) {
      const fields = request(pkce().challenge, { client_id: OWN.id, redirect_uri: changed });
      expect(await browser.get(authorizePath(fields))).toMatchObject({ status: 400, location: null });
    }
  });

  it("a link with two clients or two redirects in it", async () => {
    const { browser } = await setUp();
    const path = authorizePath(request(pkce().challenge));
    for (const more of [`&redirect_uri=${encodeURIComponent("https://evil.example/")}`, `&client_id=${OWN.id}`]) {
      expect(await browser.get(path + more)).toMatchObject({ status: 400, location: null });
    }
  });

  it("posting consent from another site, without a form, or with a changed redirect", async () => {
    const { host, browser } = await setUp();
    const { challenge } = pkce();
    await browser.get(authorizePath(request(challenge)));
    const fields = { ...browser.hidden("/login/oauth/authorize"), decision: "approve" };
    const cross = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };
    expect(await browser.post("/login/oauth/authorize", fields, cross)).toMatchObject({ status: 400, location: null });
    const { form: _, ...formless } = fields as Record<string, string>;
    expect(await browser.post("/login/oauth/authorize", formless)).toMatchObject({ status: 400, location: null });
    const changed = { ...fields, redirect_uri: "https://evil.example/" };
    const own = { "sec-fetch-site": "same-origin" };
    expect(await browser.post("/login/oauth/authorize", changed, own)).toMatchObject({ status: 400, location: null });
    expect(await host.stranger().post("/login/oauth/authorize", fields)).toMatchObject({ location: null });
  });
});

describe("tokens", () => {
  it("making a client's token with one that is for less, or lives shorter", async () => {
    const host = await startGithubHost();
    const apiOnly = await host.browser(await host.person("ana@example.com", ["eng"], ["api"]));
    const begun = await host.begin();
    expect((await decide(apiOnly, begun["user_code"])).html).toContain("not for what this client needs");
    expect(await statuses(host)).toEqual(["pending"]);
  });

  it("keeping a client's token when the one behind it is revoked", async () => {
    const { host, browser } = await setUp();
    const begun = await host.begin();
    await decide(browser, begun["user_code"]);
    const { access_token: token } = await host.poll(begun["device_code"]);
    expect((await host.api("/user", token)).status).toBe(200);
    expect(await revokeToken(host.db, "test", host.now())).toMatchObject({ ok: true });
    host.wait(6);
    expect((await host.api("/user", token)).status).toBe(401);
  });

  it("consenting, and having the token revoked before the client asks", async () => {
    const { host, browser } = await setUp();
    const begun = await host.begin();
    await decide(browser, begun["user_code"]);
    await revokeToken(host.db, "test", host.now());
    expect(await host.poll(begun["device_code"])).toMatchObject({ error: "access_denied" });
    expect(await made(host)).toBe(0);
  });

  it("a client's token at what it is not for: git, the pages and their API", async () => {
    const { host, browser } = await setUp();
    const begun = await host.begin();
    await decide(browser, begun["user_code"]);
    const { access_token: token } = await host.poll(begun["device_code"]);
    for (const audience of ["git", "api"] as const) {
      const sources = { headers: { authorization: `Bearer ${String(token)}` } };
      expect(await host.identity.identify(sources, audience, host.now())).toMatchObject({ ok: false });
    }
    expect((await host.stranger().signIn(String(token))).status).toBe(403);
  });

  it("a short-lived Copilot token that is changed by hand: the database says when it ends, and for whom", async () => {
    const { host, ana } = await setUp();
    const answer = (await (await host.api("/copilot_internal/v2/token", ana.token)).json()) as { token: string };
    host.wait(1_801);
    const later = answer.token.replace(/exp=\d+/, "exp=99999999999");
    for (const token of [later, `tid=x;exp=99999999999:${answer.token.split(":")[1] ?? ""}`]) {
      const sources = { headers: { authorization: `Bearer ${token}` } };
      expect(await host.identity.identify(sources, "copilot", host.now())).toMatchObject({ ok: false });
    }
  });

  it("fetching short-lived tokens with a short-lived token, without end", async () => {
    const { host, ana } = await setUp();
    const first = (await (await host.api("/copilot_internal/v2/token", ana.token)).json()) as { token: string };
    host.wait(1_700);
    const second = await host.api("/copilot_internal/v2/token", first.token);
    const { expires_at: end } = (await second.json()) as { expires_at: number };
    expect(end * 1_000).toBeLessThanOrEqual(host.now().getTime() + 100_000);
  });
});

describe("cookies", () => {
  it("planting a session from a sibling's host, where the name's prefix is out of reach: it is nobody's", async () => {
    const { browser, host } = await setUp();
    expect([...browser.cookies.keys()]).toEqual(["__Host-sallyport"]);
    const value = browser.cookies.get("__Host-sallyport") ?? "";
    // What evil.gateway.example could set for all of gateway.example.
    for (const name of ["sallyport", "__host-sallyport", "__Secure-sallyport", "$__Host-sallyport"]) {
      const victim = host.stranger();
      victim.cookies.set(name, value);
      expect(await victim.get("/tokens"), name).toMatchObject({ status: 303 });
    }
    // And a form's secret of theirs.
    const victim = host.stranger();
    victim.cookies.set("sallyport-form", "A".repeat(43));
    await victim.get("/");
    expect(victim.cookies.get("__Host-sallyport-form")).toMatch(/^[\w-]{43}$/);
  });
});

describe("the pages where something is allowed", () => {
  it("are shown in no frame, and send their forms nowhere else", async () => {
    const { host, browser } = await setUp();
    const begun = await host.begin();
    await browser.get("/login/device");
    const pages = [
      await browser.get("/login/device"),
      await browser.submit("/login/device", { code: String(begun["user_code"]) }),
      await browser.get(authorizePath(request(pkce().challenge))),
      await browser.get("/tokens"),
      await host.stranger().get("/"),
    ];
    expect(pages.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    for (const { headers } of pages) {
      const policy = headers.get("content-security-policy") ?? "";
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("default-src 'none'");
      expect(policy).toMatch(/form-action 'self'(?: http:\/\/127\.0\.0\.1:51234)?(?:;|$)/);
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("cross-origin-opener-policy") ?? "same-origin").toBe("same-origin");
    }
  });
});

describe("hosts", () => {
  it("a Host header of somebody's own: no address in any answer is made of it", async () => {
    const { host, ana } = await setUp();
    for (const name of [
      "evil.example",
      "api.evil.example",
      "gateway.example.evil.example",
      "api.gateway.example@evil.example",
    ]) {
      const headers = { host: name, "x-forwarded-host": name, accept: "application/json" };
      const begun = await host.ask(`/login/device/code?client_id=${CLI}`, { method: "POST", headers });
      expect(await begun.text()).toContain(`"verification_uri":"${GATEWAY}/login/device"`);
      for (const path of ["/user", "/copilot_internal/user", "/copilot_internal/v2/token"]) {
        expect(await (await host.api(path, ana.token, headers)).text(), path).not.toContain("evil");
      }
    }
  });

  it("the pages under the API's host, however it is spelt: a session is of one host", async () => {
    const { host } = await setUp();
    for (const name of [
      "api.gateway.example",
      "API.GATEWAY.EXAMPLE",
      "api.gateway.example.",
      "api.gateway.example:443",
    ]) {
      for (const path of ["/", "/sign-in", "/login/device/x", "/sessions"]) {
        const answer = await host.ask(path, { method: "POST", headers: { host: name } });
        expect(answer.status, `${name}${path}`).toBe(404);
        expect(answer.headers.getSetCookie()).toEqual([]);
      }
    }
  });
});

describe("addresses of the loopback", () => {
  const path = (redirect: string) => authorizePath(request(pkce().challenge, { redirect_uri: redirect }));

  it.each([
    "http://127.0.0.1:51234@evil.example/",
    "http://@127.0.0.1/",
    "http://:@127.0.0.1/",
    "http://localhost./",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://127.0.0.2/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http:/127.0.0.1/",
    "http:127.0.0.1/",
    "http:///127.0.0.1/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1%2eevil.example/",
    "http://127.0.0.1;evil.example/",
  ])("spelt otherwise, or not quite one (%s): told here, and nobody is sent anywhere", async (redirect) => {
    const { browser } = await setUp();
    expect(await browser.get(path(redirect))).toMatchObject({ status: 400, location: null });
  });

  it.each(["http://127.0.0.1:51234/callback", "http://[::1]:51234/", "http://localhost:51234", "http://127.0.0.1?a=b"])(
    "as clients write them (%s) are asked about, to the letter",
    async (redirect) => {
      const { browser } = await setUp();
      const page = await browser.get(path(redirect));
      expect(page.status).toBe(200);
      expect(page.html).toContain(`<code>${redirect}</code>`);
    },
  );
});
