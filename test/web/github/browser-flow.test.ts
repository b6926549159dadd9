import { describe, expect, it } from "vitest";
import { listTokens } from "../../../src/store/tokens.ts";
import { authorize, authorizePath, CLI, GIT_CLIENT, OWN, pkce, startGithubHost } from "../github-host.ts";

const LOOPBACK = "http://127.0.0.1:51234/callback";

const request = (challenge: string, changes: Record<string, string> = {}) => ({
  client_id: CLI,
  redirect_uri: LOOPBACK,
  scope: "read:user repo",
  state: "st/ate+1",
  response_type: "code",
  code_challenge: challenge,
  code_challenge_method: "S256",
  ...changes,
});

describe("a sign-in through the browser", () => {
  it("goes from the link to a token", async () => {
    const host = await startGithubHost();
    const browser = await host.browser(await host.person("ana@example.com"));
    const { verifier, challenge } = pkce();
    const page = await browser.get(authorizePath(request(challenge)));
    expect(page.html).toContain("Copilot CLI");
    expect(page.html).toContain(LOOPBACK);
    expect(page.headers.get("content-security-policy")).toContain("form-action 'self' http://127.0.0.1:51234;");
    const back = await authorize(browser, request(challenge));
    expect(back.origin + back.pathname).toBe(LOOPBACK);
    expect(back.searchParams.get("state")).toBe("st/ate+1");
    const answer = await host.post("/login/oauth/access_token", {
      client_id: CLI,
      client_secret: "whatever a public client sends",
      code: back.searchParams.get("code") ?? "",
      redirect_uri: LOOPBACK,
      code_verifier: verifier,
    });
    expect(answer).toMatchObject({ token_type: "bearer", scope: "read:user" });
    expect((await host.api("/api/v3/user", answer["access_token"])).status).toBe(200);
  });

  it("sends who is not signed in to the sign-in first, and back", async () => {
    const host = await startGithubHost();
    const browser = host.stranger();
    const path = authorizePath(request(pkce().challenge));
    const first = await browser.get(path);
    expect(first).toMatchObject({ status: 303, location: `/?return=${encodeURIComponent(path)}` });
  });

  it("tells the client that it was refused", async () => {
    const host = await startGithubHost();
    const browser = await host.browser(await host.person("ana@example.com"));
    const back = await authorize(browser, request(pkce().challenge), "deny");
    expect(Object.fromEntries(back.searchParams)).toEqual({ error: "access_denied", state: "st/ate+1" });
  });

  it("sends a registered client to its own address, with what that holds", async () => {
    const host = await startGithubHost();
    const browser = await host.browser(await host.person("ana@example.com"));
    const { verifier, challenge } = pkce();
    const [redirect = ""] = OWN.redirects;
    const back = await authorize(browser, request(challenge, { client_id: OWN.id, redirect_uri: redirect }));
    expect(back.href).toMatch(/^https:\/\/editor\.example\/callback\?from=gateway&code=/);
    const answer = await host.post("/login/oauth/access_token", {
      client_id: OWN.id,
      code: back.searchParams.get("code") ?? "",
      code_verifier: verifier,
    });
    expect(answer).toMatchObject({ scope: "read:user,repo" });
    expect((await listTokens(host.db))[0]).toMatchObject({ audiences: ["copilot", "git"], name: "Our editor" });
  });

  it("tells a client that asks for nothing it may have", async () => {
    const host = await startGithubHost();
    const browser = await host.browser(await host.person("ana@example.com"));
    const fields = request(pkce().challenge, { client_id: GIT_CLIENT, scope: "read:user" });
    const { location } = await browser.get(authorizePath(fields));
    expect(location).toBe(`${LOOPBACK}?error=invalid_scope&state=st%2Fate%2B1`);
  });
});
