import { get } from "node:http";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { UpstreamFailure } from "../../fixtures/git-upstream.ts";
import { git, mustGit, temporaryDirectory } from "../harness/git.ts";
import { rawRequest } from "../harness/raw-push.ts";
import { ana, fillRepository, startGitGateway, TOKEN } from "./git-gateway.ts";

describe("fetching through the gateway", () => {
  it.each([0, 1, 2])("clones and fetches with protocol version %i", async (version) => {
    const gateway = await startGitGateway({ upstream: { username: "git", password: "upstream-secret" } });
    await fillRepository(gateway.upstream, "team/app", 30);
    const cwd = await temporaryDirectory("clone");
    const protocol = ["-c", `protocol.version=${version}`];
    await mustGit([...protocol, "clone", "-q", gateway.remote("team/app.git"), "a"], { cwd });
    const main = await gateway.upstream.ref("team/app", "refs/heads/main");
    expect(await mustGit(["rev-parse", "HEAD"], { cwd: path.join(cwd, "a") })).toBe(main);

    await gateway.upstream.git("team/app", "branch", "topic", "main~3");
    await mustGit([...protocol, "fetch", "-q"], { cwd: path.join(cwd, "a") });
    expect(await mustGit(["rev-parse", "origin/topic"], { cwd: path.join(cwd, "a") })).toBe(
      await gateway.upstream.ref("team/app", "refs/heads/topic"),
    );

    const sent = gateway.upstream.requests;
    expect(sent.some((request) => request.headers["git-protocol"] === `version=${version}`)).toBe(version > 0);
    for (const { headers } of sent) {
      expect(headers.authorization).toBe(`Basic ${Buffer.from("git:upstream-secret").toString("base64")}`);
      expect(headers["user-agent"]).toMatch(/^git\//);
      expect(JSON.stringify(headers)).not.toContain(TOKEN);
    }
    const post = gateway.fetches.find((fetch) => fetch.kind === "objects" && fetch.responseBytes > 1000);
    expect(post).toMatchObject({ principal: ana, repository: "code/team/app", httpStatus: 200, status: "complete" });
    expect(post?.requestBytes).toBeGreaterThan(50);
  });

  it("makes shallow and partial clones, and deepens them", async () => {
    const gateway = await startGitGateway();
    await fillRepository(gateway.upstream, "team/app", 20);
    const cwd = await temporaryDirectory("clone");
    await mustGit(["clone", "-q", "--depth=2", gateway.remote("team/app"), "shallow"], { cwd });
    const shallow = { cwd: path.join(cwd, "shallow") };
    expect(await mustGit(["rev-list", "--count", "HEAD"], shallow)).toBe("2");
    await mustGit(["fetch", "-q", "--deepen=3"], shallow);
    expect(await mustGit(["rev-list", "--count", "HEAD"], shallow)).toBe("5");
    await mustGit(["clone", "-q", "--filter=blob:none", "--no-checkout", gateway.remote("team/app"), "partial"], {
      cwd,
    });
    const partial = { cwd: path.join(cwd, "partial") };
    expect(await mustGit(["cat-file", "-p", "HEAD:file-1.txt"], partial)).toMatch(/^line \d+$/);
  });

  it("passes a compressed request on untouched", async () => {
    const gateway = await startGitGateway();
    await fillRepository(gateway.upstream, "team/app", 40);
    for (let i = 1; i < 40; i++) await gateway.upstream.git("team/app", "branch", `b${i}`, `main~${i}`);
    const cwd = await temporaryDirectory("clone");
    // So many wants make git compress its request.
    await mustGit(["-c", "protocol.version=0", "clone", "-q", gateway.remote("team/app.git"), "a"], { cwd });
    const compressed = gateway.upstream.requests.filter((request) => request.headers["content-encoding"] === "gzip");
    expect(compressed).toHaveLength(1);
  });

  it("reads sha256 repositories", async () => {
    const gateway = await startGitGateway();
    await gateway.upstream.createRepository("sha256", { objectFormat: "sha256" });
    await fillRepository(gateway.upstream, "sha256", 3);
    const cwd = await temporaryDirectory("clone");
    await mustGit(["clone", "-q", gateway.remote("sha256"), "a"], { cwd });
    expect(await mustGit(["rev-parse", "HEAD"], { cwd: path.join(cwd, "a") })).toHaveLength(64);
  });

  it("takes the token in the address and in a header", async () => {
    const gateway = await startGitGateway();
    await fillRepository(gateway.upstream, "team/app", 1);
    const cwd = await temporaryDirectory("refs");
    const byPath = await mustGit(["ls-remote", `${gateway.url}/u/${TOKEN}/git/code/team/app.git`], { cwd });
    const header = ["-c", `http.extraHeader=Sallyport-Token: ${TOKEN}`];
    const byHeader = await mustGit([...header, "ls-remote", `${gateway.url}/git/code/team/app.git`], { cwd });
    expect(byPath).toContain("refs/heads/main");
    expect(byHeader).toBe(byPath);
    expect(JSON.stringify(gateway.log)).not.toContain(TOKEN);
    expect(JSON.stringify(gateway.upstream.requests.map((request) => request.headers))).not.toContain(TOKEN);
  });

  it.each<[UpstreamFailure, RegExp]>([
    ["unauthorized", /remote: Sallyport: the upstream refused the gateway's credential of connection “code”/],
    ["html", /remote: Sallyport: the upstream of “code” answered text\/html where Git was asked for/],
    ["unavailable", /remote: Sallyport: the upstream of “code” cannot serve this now \(HTTP 503\)/],
    ["redirect", /remote: Sallyport: the upstream of “code” redirects to another address/],
    ["lose-answer", /remote: Sallyport: the upstream of “code” broke the connection/],
  ])("says what is wrong when the upstream fails with %s", async (failure, text) => {
    const gateway = await startGitGateway();
    gateway.upstream.fail(failure);
    const run = await git(["ls-remote", gateway.remote("team/app")], { cwd: await temporaryDirectory("refs") });
    expect(run.code).toBe(128);
    expect(run.stderr).toMatch(text);
  });

  it("says that the upstream is down, and works again once it is up", async () => {
    const gateway = await startGitGateway();
    await fillRepository(gateway.upstream, "team/app", 1);
    const cwd = await temporaryDirectory("refs");
    await gateway.upstream.down();
    const run = await git(["ls-remote", gateway.remote("team/app")], { cwd });
    expect(run.stderr).toContain("remote: Sallyport: the upstream of “code” cannot be reached (ECONNREFUSED)");
    expect(run.stderr).toContain("503");
    await gateway.upstream.up();
    expect((await git(["ls-remote", gateway.remote("team/app")], { cwd })).code).toBe(0);
  });

  it("breaks a fetch off when the upstream does, instead of passing a part for the whole", async () => {
    const gateway = await startGitGateway();
    await fillRepository(gateway.upstream, "team/app", 5);
    const cwd = await temporaryDirectory("clone");
    gateway.upstream.fail("truncate");
    const run = await git(["clone", "-q", gateway.remote("team/app"), "a"], { cwd });
    expect(run.code).not.toBe(0);
    gateway.upstream.fail(null);
    expect((await git(["clone", "-q", gateway.remote("team/app"), "b"], { cwd })).code).toBe(0);
  });
});

it("ends the upstream's request when the client goes away", async () => {
  const gateway = await startGitGateway();
  gateway.upstream.fail("hang");
  const request = get(`${gateway.url}/git/code/team/app/info/refs?service=git-upload-pack`, {
    headers: { "sallyport-token": TOKEN },
    agent: false,
  });
  request.on("error", () => {});
  await expect.poll(() => gateway.upstream.openConnections()).toBe(1);
  request.destroy();
  await expect.poll(() => gateway.upstream.openConnections()).toBe(0);
  await expect.poll(() => gateway.log).toMatchObject([{ fields: { code: "client_gone" } }]);
  expect(gateway.fetches).toMatchObject([{ kind: "refs", status: "client_gone", httpStatus: null, responseBytes: 0 }]);
});

describe("cookies and languages", () => {
  const ask = (gateway: { readonly port: number; readonly url: string }, more: Readonly<Record<string, string>> = {}) =>
    rawRequest(gateway, {
      path: "/git/code/team/app.git/info/refs?service=git-upload-pack",
      headers: { "sallyport-token": TOKEN, cookie: "session=theirs", "accept-language": "de-CH, *;q=0.9", ...more },
    });

  it("under the gateway's credential: the language passes, cookies do not", async () => {
    const gateway = await startGitGateway({ upstream: { setCookie: "node=1" } });
    const answer = await ask(gateway);
    expect(answer.status).toBe(200);
    expect(answer.headers["set-cookie"]).toBeUndefined();
    expect(gateway.upstream.requests[0]?.headers["accept-language"]).toBe("de-CH, *;q=0.9");
    expect(gateway.upstream.requests[0]?.headers.cookie).toBeUndefined();
  });

  it("under the client's: both pass, either way", async () => {
    const gateway = await startGitGateway({
      upstream: { setCookie: "node=1" },
      connection: { credential: { kind: "passthrough" } },
    });
    const answer = await ask(gateway, { authorization: "Basic dGhlaXJz" });
    expect(answer.headers["set-cookie"]).toEqual(["node=1"]);
    const sent = gateway.upstream.requests[0]?.headers;
    expect(sent?.cookie).toBe("session=theirs");
    expect(sent?.["accept-language"]).toBe("de-CH, *;q=0.9");
    expect(sent?.authorization).toBe("Basic dGhlaXJz");
  });

  it("pass with a push as with a fetch", async () => {
    const gateway = await startGitGateway({ connection: { credential: { kind: "passthrough" } } });
    const cwd = await temporaryDirectory("push");
    await mustGit(["init", "-q", "-b", "main"], { cwd });
    await mustGit(["commit", "-q", "--allow-empty", "-m", "one"], { cwd });
    const headers = [`Sallyport-Token: ${TOKEN}`, "Cookie: session=theirs", "Accept-Language: de"];
    const config = headers.flatMap((line) => ["-c", `http.extraHeader=${line}`]);
    await mustGit([...config, "push", "-q", `${gateway.url}/git/code/team/app.git`, "main"], { cwd });
    const posts = gateway.upstream.requests.filter(({ method }) => method === "POST");
    expect(posts.length).toBeGreaterThan(0);
    for (const { headers: sent } of posts) {
      expect(sent.cookie).toBe("session=theirs");
      expect(sent["accept-language"]).toBe("de");
    }
  });
});

describe("with the client's own upstream credential", () => {
  it("passes it through, with the upstream's own refusal", async () => {
    const gateway = await startGitGateway({
      upstream: { username: "ana", password: "hers" },
      connection: { credential: { kind: "passthrough" } },
    });
    await fillRepository(gateway.upstream, "team/app", 1);
    const cwd = await temporaryDirectory("refs");
    const header = ["-c", `http.extraHeader=Sallyport-Token: ${TOKEN}`];
    const remote = (user: string): string => gateway.url.replace("//", `//${user}@`) + "/git/code/team/app.git";
    expect((await git([...header, "ls-remote", remote("ana:hers")], { cwd })).stdout).toContain("refs/heads/main");
    const wrong = await git([...header, "ls-remote", remote("ana:wrong")], { cwd });
    expect(wrong.stderr).toContain("Authentication failed");
    expect(JSON.stringify(gateway.upstream.requests.map((request) => request.headers))).not.toContain(TOKEN);
  });

  it("never sends a gateway token upstream in place of it", async () => {
    const gateway = await startGitGateway({ connection: { credential: { kind: "passthrough" } } });
    const run = await git(["ls-remote", gateway.remote("team/app")], { cwd: await temporaryDirectory("refs") });
    expect(run.stderr).toContain("Sallyport-Token: <token>");
    expect(gateway.upstream.requests).toEqual([]);
  });
});
