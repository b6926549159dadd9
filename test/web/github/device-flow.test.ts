import { describe, expect, it } from "vitest";
import { deviceCodes, events } from "../../../src/store/schema.ts";
import { listTokens } from "../../../src/store/tokens.ts";
import { CLI, decide, EDITOR, GATEWAY, GIT_CLIENT, startGithubHost } from "../github-host.ts";

describe("a sign-in by device code", () => {
  it("goes from the code to a token that is the person's", async () => {
    const host = await startGithubHost();
    const ana = await host.person("ana@example.com");
    const begun = await host.begin();
    expect(begun).toEqual({
      device_code: expect.stringMatching(/^[\w-]{43}$/) as string,
      user_code: expect.stringMatching(/^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/) as string,
      verification_uri: `${GATEWAY}/login/device`,
      expires_in: 900,
      interval: 5,
    });
    expect(await host.poll(begun["device_code"])).toMatchObject({ error: "authorization_pending" });
    const done = await decide(await host.browser(ana), begun["user_code"]);
    expect(done.html).toContain("Signed in");
    host.wait(5);
    const answer = await host.poll(begun["device_code"]);
    expect(answer).toEqual({
      access_token: expect.stringMatching(/^gho_[0-9A-Za-z]{49}$/) as string,
      token_type: "bearer",
      scope: "read:user",
      expires_in: 90 * 86_400,
    });
    const user = await host.api("/user", answer["access_token"]);
    expect(await user.json()).toMatchObject({ login: "ana_example-com", email: "ana@example.com" });
    host.wait(5);
    expect(await host.poll(begun["device_code"])).toMatchObject({ error: "incorrect_device_code" });
  });

  it("keeps neither code nor token in clear, and writes down who approved", async () => {
    const host = await startGithubHost();
    const ana = await host.person("ana@example.com");
    const begun = await host.begin();
    await decide(await host.browser(ana), begun["user_code"]);
    const { access_token: token } = await host.poll(begun["device_code"]);
    const rows = JSON.stringify([await host.db.select().from(deviceCodes), await listTokens(host.db)]);
    for (const secret of [begun["device_code"], begun["user_code"], token]) expect(rows).not.toContain(secret);
    const kinds = (await host.db.select().from(events)).map(({ kind, principalId }) => [kind, principalId]);
    expect(kinds).toEqual([
      ["device.approved", ana.id],
      ["token.created", ana.id],
    ]);
    const [newest] = await listTokens(host.db);
    expect(newest).toMatchObject({
      name: "Copilot CLI",
      audiences: ["copilot"],
      principal: { email: "ana@example.com" },
    });
  });

  it("tells the person which client asks, from where, by which program and under which code", async () => {
    const host = await startGithubHost();
    const browser = await host.browser(await host.person("ana@example.com"));
    const begun = await host.post(
      "/login/device/code",
      { client_id: EDITOR },
      { headers: { accept: "application/json", "user-agent": "GithubCopilot/1.539.0 <b>" } },
    );
    await browser.get("/login/device");
    const { html } = await browser.submit("/login/device", { code: String(begun["user_code"]).toLowerCase() });
    expect(html).toContain("Copilot in an editor");
    expect(html).toContain("GithubCopilot/1.539.0 &lt;b&gt;");
    expect(html).toContain(String(begun["user_code"]));
    expect(html).toContain("an unknown address");
    expect(html).toContain("ana@example.com");
  });

  it("ends with a refusal", async () => {
    const host = await startGithubHost();
    const begun = await host.begin();
    const done = await decide(await host.browser(await host.person("ana@example.com")), begun["user_code"], "deny");
    expect(done.html).toContain("Nobody was signed in as ana@example.com");
    expect(await host.poll(begun["device_code"])).toMatchObject({ error: "access_denied" });
  });

  it("ends after fifteen minutes", async () => {
    const host = await startGithubHost();
    const browser = await host.browser(await host.person("ana@example.com"));
    const begun = await host.begin();
    host.wait(15 * 60);
    expect((await decide(browser, begun["user_code"])).html).toContain("No sign-in waits under this code");
    expect(await host.poll(begun["device_code"])).toMatchObject({ error: "expired_token" });
  });

  it("slows down a client that asks too often, further each time", async () => {
    const host = await startGithubHost();
    const begun = await host.begin();
    expect(await host.poll(begun["device_code"])).toMatchObject({ error: "authorization_pending" });
    host.wait(2);
    expect(await host.poll(begun["device_code"])).toMatchObject({ error: "slow_down", interval: 10 });
    host.wait(6);
    expect(await host.poll(begun["device_code"])).toMatchObject({ error: "slow_down", interval: 15 });
    host.wait(15);
    expect(await host.poll(begun["device_code"])).toMatchObject({ error: "authorization_pending" });
  });

  it("gives a client what it is known for, and what it asked for", async () => {
    const host = await startGithubHost();
    const browser = await host.browser(await host.person("ana@example.com"));
    const git = await host.begin(GIT_CLIENT, "repo workflow");
    await decide(browser, git["user_code"]);
    const answer = await host.poll(git["device_code"], GIT_CLIENT);
    expect(answer).toMatchObject({ token_type: "bearer", scope: "repo,workflow" });
    expect((await listTokens(host.db))[0]).toMatchObject({ audiences: ["git"] });
    expect(await host.begin(GIT_CLIENT, "read:user")).toMatchObject({ error: "invalid_scope" });
  });

  it("refuses a client that nobody knows", async () => {
    const host = await startGithubHost();
    const answer = await host.ask("/login/device/code", {
      method: "POST",
      body: new URLSearchParams({ client_id: "x" }),
    });
    expect(answer.status).toBe(401);
    expect(new URLSearchParams(await answer.text()).get("error")).toBe("invalid_client");
    expect(await host.poll("x", "unknown")).toMatchObject({ error: "incorrect_client_credentials" });
  });

  it("ends with the token that its maker was signed in with, and lives no longer", async () => {
    const host = await startGithubHost();
    const begun = await host.begin();
    await decide(await host.browser(await host.person("ana@example.com")), begun["user_code"]);
    const { access_token: token } = await host.poll(begun["device_code"]);
    const [made, parent] = await listTokens(host.db);
    expect(made?.parentId).toBe(parent?.id);
    expect((await host.api("/user", token)).status).toBe(200);
  });
});

describe("the wire", () => {
  it("reads forms, JSON and the address, and answers a form unless JSON is asked for", async () => {
    const host = await startGithubHost();
    const json = await host.ask("/login/device/code", {
      method: "POST",
      headers: { accept: "application/json", "content-type": "application/json" },
      body: JSON.stringify({ client_id: EDITOR, scope: "repo workflow" }),
    });
    expect(await json.json()).toMatchObject({ interval: 5 });
    const address = await host.ask(`/login/device/code?client_id=${CLI}&scope=read:user`, { method: "POST" });
    expect(address.headers.get("content-type")).toMatch(/^application\/x-www-form-urlencoded/);
    expect(new URLSearchParams(await address.text()).get("user_code")).toMatch(/^.{4}-.{4}$/);
  });

  it("puts an id on every answer, which the language server looks for", async () => {
    const host = await startGithubHost();
    const token = (await host.person("ana@example.com")).token;
    for (const path of ["/user", "/api/v3/user", "/copilot_internal/user", "/copilot_internal/x", "/telemetry"]) {
      expect((await host.api(path, token)).headers.get("x-github-request-id"), path).toMatch(/^[\da-f-]{36}$/);
    }
    const begun = await host.ask("/login/device/code", {
      method: "POST",
      body: new URLSearchParams({ client_id: CLI }),
    });
    expect(begun.headers.get("x-github-request-id")).toMatch(/^[\da-f-]{36}$/);
    expect(begun.headers.get("cache-control")).toBe("no-store");
  });

  it("refuses a parameter that stands there twice, and a body that is too large", async () => {
    const host = await startGithubHost();
    const twice = await host.ask(`/login/device/code?client_id=${CLI}`, {
      method: "POST",
      headers: { accept: "application/json" },
      body: new URLSearchParams({ client_id: EDITOR }),
    });
    expect(await twice.json()).toMatchObject({ error: "invalid_request" });
    const large = await host.ask("/login/device/code", {
      method: "POST",
      headers: { "content-length": "70000" },
      body: "a".repeat(70_000),
    });
    expect(large.status).toBe(413);
  });
});
