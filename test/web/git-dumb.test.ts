import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { git, mustGit, temporaryDirectory } from "../harness/git.ts";
import { rawRequest } from "../harness/raw-push.ts";
import { fillRepository, startGitGateway, TOKEN } from "./git-gateway.ts";

// A client that does not even ask for the smart protocol.
const DUMB = { GIT_SMART_HTTP: "0" };

const startDumb = async (dumb: "refuse" | "pass" = "pass") => {
  const gateway = await startGitGateway({ connection: { dumb } });
  await fillRepository(gateway.upstream, "team/app", 12);
  await gateway.upstream.git("team/app", "update-server-info");
  const get = (file: string, headers: Readonly<Record<string, string>> = {}) =>
    rawRequest(gateway, {
      path: `/git/code/team/app.git/${file}`,
      headers: { "sallyport-token": TOKEN, ...headers },
    });
  return { gateway, get, cwd: await temporaryDirectory("dumb") };
};

describe("the dumb protocol", () => {
  it("is refused, and says so, unless the connection passes it", async () => {
    const { gateway, cwd } = await startDumb("refuse");
    const run = await git(["clone", "-q", gateway.remote("team/app.git"), "a"], { cwd, env: DUMB });
    expect(run.stderr).toContain("remote: Sallyport: the dumb HTTP protocol is not served");
    expect(gateway.upstream.requests).toEqual([]);
  });

  it("clones loose objects and packs, file by file, and is recorded", async () => {
    const { gateway, cwd } = await startDumb();
    await mustGit(["clone", "-q", gateway.remote("team/app.git"), "a"], { cwd, env: DUMB });
    const main = await gateway.upstream.ref("team/app", "refs/heads/main");
    expect(await mustGit(["rev-parse", "HEAD"], { cwd: path.join(cwd, "a") })).toBe(main);

    await gateway.upstream.git("team/app", "repack", "-adq");
    await gateway.upstream.git("team/app", "update-server-info");
    await mustGit(["clone", "-q", gateway.remote("team/app.git"), "b"], { cwd, env: DUMB });
    expect(await mustGit(["rev-parse", "HEAD"], { cwd: path.join(cwd, "b") })).toBe(main);

    const urls = gateway.upstream.requests.map(({ url }) => url);
    expect(urls).toContain("/team/app.git/objects/info/packs");
    expect(urls.some((url) => /\/objects\/pack\/pack-[0-9a-f]{40}\.pack$/.test(url))).toBe(true);
    expect(gateway.fetches.every(({ kind }) => kind === "dumb")).toBe(true);
    expect(gateway.fetches).toContainEqual(
      expect.objectContaining({ repository: "code/team/app", status: "complete", httpStatus: 200, wantCount: 0 }),
    );
    expect(JSON.stringify(gateway.upstream.requests.map(({ headers }) => headers))).not.toContain(TOKEN);
  });

  it("serves a git that asks an upstream of plain files in the smart way", async () => {
    const { gateway, cwd } = await startDumb();
    // As a web server of files answers: with the file, whatever the query.
    gateway.upstream.servePlainFiles();
    await mustGit(["clone", "-q", gateway.remote("team/app.git"), "a"], { cwd });
    expect(await mustGit(["rev-parse", "HEAD"], { cwd: path.join(cwd, "a") })).toBe(
      await gateway.upstream.ref("team/app", "refs/heads/main"),
    );
    expect(gateway.upstream.requests.some(({ method }) => method === "POST")).toBe(false);
  });

  it("does so only where it is passed", async () => {
    const { gateway, cwd } = await startDumb("refuse");
    gateway.upstream.servePlainFiles();
    const run = await git(["clone", "-q", gateway.remote("team/app.git"), "a"], { cwd });
    expect(run.stderr).toContain("answered text/plain where Git was asked for");
  });

  it.each([
    "objects/info/commit-graph",
    "objects/pack/pack-1.pack",
    "objects/pack/pack-0000000000000000000000000000000000000000.keep",
    "objects/zz/00000000000000000000000000000000000000",
    "objects/00/0000",
    "objects/info/HEAD",
  ])("serves no %s", async (file) => {
    const { gateway, get } = await startDumb();
    const answer = await get(file);
    expect([400, 404]).toContain(answer.status);
    expect(gateway.upstream.requests.filter(({ url }) => url.includes("info/"))).toEqual([]);
  });

  it("follows alternates to another repository of the same connection, by way of the gateway", async () => {
    const { gateway, cwd } = await startDumb();
    const fork = await gateway.upstream.createRepository("team/fork");
    await writeFile(path.join(fork, "objects", "info", "alternates"), "../../app.git/objects\n");
    const main = await gateway.upstream.ref("team/app", "refs/heads/main");
    await gateway.upstream.git("team/fork", "update-ref", "refs/heads/main", main ?? "");
    await gateway.upstream.git("team/fork", "update-server-info");

    const config = ["-c", "http.followRedirects=true"];
    await mustGit([...config, "clone", "-q", gateway.remote("team/fork.git"), "a"], { cwd, env: DUMB });

    expect(await mustGit(["rev-parse", "HEAD"], { cwd: path.join(cwd, "a") })).toBe(main);
    expect(gateway.fetches.map(({ repository }) => repository)).toContain("code/team/app");
  });

  it.each([
    "http://other.example/app.git/objects",
    "//other.example/app.git/objects",
    "/app.git/objects",
    "../../app.git/objects\nhttp://other.example/app.git/objects",
    "../http://other.example/app.git/objects",
    "..\\..\\app.git",
    `../${"a".repeat(70_000)}`,
  ])("passes no alternates that could lead around the gateway: %j", async (line) => {
    const { gateway, get } = await startDumb();
    for (const name of ["alternates", "http-alternates"]) {
      await writeFile(path.join(gateway.upstream.directoryOf("team/app"), "objects", "info", name), `${line}\n`);
      const answer = await get(`objects/info/${name}`);
      expect(answer.status).toBe(404);
      expect(answer.text).not.toContain("other.example");
    }
  });

  it("goes on with a file where it was broken off", async () => {
    const { gateway, get } = await startDumb();
    gateway.upstream.servePlainFiles();
    const whole = await get("info/refs");
    const rest = await get("info/refs", { range: "bytes=10-" });
    expect(rest.status).toBe(206);
    expect(rest.text).toBe(whole.text.slice(10));
  });

  it("tells a file that is not there from a server that fails", async () => {
    const { gateway, get } = await startDumb();
    const missing = `objects/00/${"0".repeat(38)}`;
    expect((await get(missing)).status).toBe(404);
    gateway.upstream.fail("html");
    const page = await get("HEAD");
    expect(page.status).toBe(502);
    expect(page.text).toContain("answered an HTML page where a file of a repository was asked for");
    gateway.upstream.fail("unauthorized");
    expect((await get("HEAD")).text).toContain("refused the gateway's credential");
    gateway.upstream.fail("redirect");
    expect((await get("HEAD")).text).toContain("redirects to another address");
    gateway.upstream.fail(null);
    await rm(gateway.upstream.directoryOf("team/app"), { recursive: true });
    expect((await get("HEAD")).status).toBe(404);
    const recorded = gateway.fetches.map(({ status, httpStatus }) => [status, httpStatus]);
    expect(recorded).toEqual([["upstream_failed", 200]]);
  });

  it("is for readers of the repository only", async () => {
    const gateway = await startGitGateway({
      connection: { dumb: "pass", access: [{ repositories: ["team/app"], read: ["ops"], write: ["eng"] }] },
    });
    const answer = await rawRequest(gateway, {
      path: "/git/code/team/app.git/HEAD",
      headers: { "sallyport-token": TOKEN },
    });
    expect(answer.status).toBe(404);
    expect(gateway.upstream.requests).toEqual([]);
  });
});
