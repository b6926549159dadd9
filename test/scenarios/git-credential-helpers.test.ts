/**
 * git's own credential helpers, set up by the text of `/connect`: the unmodified git-credential-oauth where it is installed, and what it
 * and Git Credential Manager send, request by request.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { accessSync, constants } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { gitSignIns } from "../../src/web/client-setup.ts";
import { git } from "../harness/git.ts";
import { startOidcProvider } from "../harness/oidc-provider.ts";
import { WebBrowser } from "../harness/web-browser.ts";
import { startWorld, type World } from "../harness/world.ts";
import { pkce } from "../web/github-host.ts";

let provider: Awaited<ReturnType<typeof startOidcProvider>>;
let world: World;
beforeAll(async () => {
  provider = await startOidcProvider({
    accounts: { ana: { email: "ana@example.com", email_verified: true, groups: ["eng"] } },
  });
  world = await startWorld({ provider });
});
afterAll(async () => {
  await world.close();
  await provider.close();
});

const PATH = process.env["PATH"] ?? "";
const isThere = (name: string): boolean =>
  PATH.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

const browserOf = async (): Promise<WebBrowser> => {
  const browser = new WebBrowser();
  await browser.signIn(world.url, "ana");
  return browser;
};

describe.skipIf(!isThere("git-credential-oauth"))("git-credential-oauth itself", () => {
  test("opens the browser, and git clones with what comes of it", async () => {
    const home = await mkdtemp(join(tmpdir(), "sallyport-helper-"));
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    const opened = join(home, "opened");
    await writeFile(
      join(home, "xdg-open"),
      `#!/bin/sh\nprintf '%s' "$1" > '${opened}.new' && mv '${opened}.new' '${opened}'\n`,
    );
    await chmod(join(home, "xdg-open"), 0o755);
    const env = {
      HOME: home,
      PATH: `${home}${delimiter}${PATH}`,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: join(home, ".gitconfig"),
      GIT_TERMINAL_PROMPT: "0",
      BROWSER: join(home, "xdg-open"),
    };
    const [setup = ""] = gitSignIns(world.url)
      .filter(({ client }) => client === "git-credential-oauth")
      // The cache is a process that would outlive the test.
      .map(({ text }) => text.replace(/^.*cache --timeout.*\n/m, ""));
    execFileSync("sh", ["-e", "-c", setup], { env, cwd: home });

    const browser = await browserOf();
    const cloning = git(["clone", "-q", `${world.url}/git/code/team/app.git`, "app"], { cwd: home, env });
    let address = "";
    await expect.poll(async () => (address = await readFile(opened, "utf8").catch(() => ""))).not.toBe("");
    const consent = await browser.open(address);
    expect(consent.html).toContain("Sign in git-credential-oauth?");
    expect((await browser.submit("/login/oauth/authorize", { decision: "approve" })).html).toContain("Success");
    const cloned = await cloning;
    expect([cloned.code, cloned.stderr]).toEqual([0, expect.stringContaining("Please complete authentication")]);
  });
});

describe("what the helpers send", () => {
  const form = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(`${world.url}${path}`, { method: "POST", headers, body: new URLSearchParams(fields) });
  const mayFetch = async (token: string): Promise<number> => {
    const basic = Buffer.from(`oauth2:${token}`).toString("base64");
    const refs = `${world.url}/git/code/team/app.git/info/refs?service=git-upload-pack`;
    return (await fetch(refs, { headers: { authorization: `Basic ${basic}` } })).status;
  };
  /** Go's oauth2 library does not know how a server wants to hear of the client: first in the header, and then in the body. */
  const inHeader = { authorization: `Basic ${Buffer.from("git-credential-oauth:").toString("base64")}` };

  async function authorize(clientId: string, redirect: string, verifier = pkce().verifier) {
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    const query = new URLSearchParams({
      client_id: clientId,
      code_challenge: challenge,
      code_challenge_method: "S256",
      redirect_uri: redirect,
      response_type: "code",
      scope: "repo",
      state: "st/ate",
    });
    const browser = await browserOf();
    await browser.open(`${world.url}/login/oauth/authorize?${query.toString()}`);
    const isBack = (url: URL): boolean => url.origin === new URL(redirect).origin;
    const { url } = await browser.submit("/login/oauth/authorize", { decision: "approve" }, isBack);
    expect(url.searchParams.get("state")).toBe("st/ate");
    return { code: url.searchParams.get("code") ?? "", verifier };
  }

  test("git-credential-oauth: the code is not spent by the question without a client, and the answer is a form", async () => {
    const redirect = "http://127.0.0.1:41397";
    const { code, verifier } = await authorize("git-credential-oauth", redirect, `${"+/a".repeat(14)}b=`);
    const fields = { code, code_verifier: verifier, grant_type: "authorization_code", redirect_uri: redirect };
    const first = await form("/login/oauth/access_token", fields, inHeader);
    expect(new URLSearchParams(await first.text()).get("access_token")).toBeNull();
    const second = await form("/login/oauth/access_token", { ...fields, client_id: "git-credential-oauth" });
    expect(second.status).toBe(200);
    expect(second.headers.get("content-type")).toMatch(/^application\/x-www-form-urlencoded/);
    const answer = new URLSearchParams(await second.text());
    expect(answer.get("token_type")).toBe("bearer");
    expect(Number(answer.get("expires_in"))).toBeGreaterThan(0);
    expect(await mayFetch(answer.get("access_token") ?? "")).toBe(200);
  });

  test("git-credential-oauth -device: what it asks for twice in one poll is not told off", async () => {
    const begun = await form(
      "/login/device/code",
      { client_id: "git-credential-oauth", scope: "repo" },
      { accept: "application/json" },
    );
    const { device_code, user_code, verification_uri } = (await begun.json()) as Record<string, string>;
    const fields = {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: device_code ?? "",
    };
    const poll = async () => {
      await form("/login/oauth/access_token", fields, inHeader);
      const answer = await form("/login/oauth/access_token", { ...fields, client_id: "git-credential-oauth" });
      return new URLSearchParams(await answer.text());
    };
    expect((await poll()).get("error")).toBe("authorization_pending");
    const browser = await browserOf();
    await browser.open(verification_uri ?? "");
    await browser.submit("/login/device", { code: user_code ?? "" });
    await browser.submit("/login/device/", { decision: "approve" });
    await world.database.sql`update device_codes set polled_at = now() - interval '6 seconds'`;
    expect(await mayFetch((await poll()).get("access_token") ?? "")).toBe(200);
  });

  test("Git Credential Manager: JSON, an empty secret, and errors that it takes for no token", async () => {
    const redirect = "http://127.0.0.1:41398/";
    const { code, verifier } = await authorize("0120e057bd645470c1ed", redirect);
    const json = { accept: "application/json" };
    const fields = {
      grant_type: "authorization_code",
      code,
      code_verifier: verifier,
      client_id: "0120e057bd645470c1ed",
      client_secret: "",
      redirect_uri: redirect,
    };
    const answer = (await (await form("/login/oauth/access_token", fields, json)).json()) as Record<string, string>;
    // It requires both.
    expect(answer).toMatchObject({ access_token: expect.stringMatching(/^gho_/), token_type: "bearer" });
    expect(await mayFetch(answer["access_token"] ?? "")).toBe(200);
    const again = (await (await form("/login/oauth/access_token", fields, json)).json()) as Record<string, string>;
    expect(again).toEqual({ error: "bad_verification_code", error_description: expect.any(String) });
  });
});
