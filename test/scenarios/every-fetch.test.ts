import { mkdtemp } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { DELIM_PKT, encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import { git, mustGit } from "../harness/git.ts";
import { basic, rawFetchBytes, rawRequest } from "../harness/raw-push.ts";
import { sharedWorld, type Person } from "../harness/world.ts";
import { fillRepository } from "../web/git-gateway.ts";

const world = sharedWorld({
  connection: {
    access: [
      { repositories: ["team/**", "stock/**"], read: ["eng"], write: ["eng"] },
      { repositories: ["vault/**"], read: ["ops"], write: ["ops"] },
    ],
  },
});

let ana: Person;
let serial = 0;
beforeAll(async () => {
  ana = await world().person("ana@example.com", ["eng"]);
  await world().upstream.createRepository("stock/many");
  await fillRepository(world().upstream, "stock/many", 60);
  await world().upstream.git("stock/many", "branch", "side", "main~5");
});

const urlOf = (repository: string): string => `${world().url}/git/code/${repository}.git`;
const header = (by: Person): string[] => ["-c", `http.extraHeader=Authorization: ${basic(by)}`];

/** A directory to clone into, and git in it as somebody. */
async function place(by = ana) {
  const directory = await mkdtemp(path.join(world().dataDir, "fetch-"));
  const work = path.join(directory, "work");
  const userAgent = `git/fetch-${(serial += 1)}`;
  const as = ["-c", `http.userAgent=${userAgent}`, ...header(by)];
  return {
    clone: (...args: readonly string[]) => mustGit([...as, "clone", "-q", ...args, work], { cwd: directory }),
    tryGit: (...args: readonly string[]) => git([...as, ...args], { cwd: directory }),
    must: (...args: readonly string[]) => mustGit([...as, ...args], { cwd: work }),
    /** What the record says of this place's fetches, oldest first, once there are `count` of them. */
    recorded: async (count: number) => {
      const list = async () => (await by.api(`/api/v1/fetches?q=${encodeURIComponent(userAgent)}`)).items.toReversed();
      await expect.poll(async () => (await list()).length).toBe(count);
      return list();
    },
  };
}

const main = () => world().upstream.ref("stock/many", "refs/heads/main");

describe("a fetch", () => {
  test.each([0, 1, 2])("by protocol version %i is recorded, with what was asked for", async (version) => {
    const { clone, must, recorded } = await place();
    await clone("-c", `protocol.version=${version}`, "--branch", "main", "--single-branch", urlOf("stock/many"));
    expect(await must("rev-parse", "HEAD")).toBe(await main());
    const [listed, read] = await recorded(2);
    expect(listed).toMatchObject({ kind: "refs", status: "complete", repository: "code/stock/many", wants: [] });
    expect(read).toMatchObject({
      user: "ana@example.com",
      connection: "code",
      kind: "objects",
      status: "complete",
      http_status: 200,
      wants: [await main()],
      want_count: 1,
      options: [],
    });
    expect(read?.["refs"]).toContain("refs/heads/main");
    expect(read?.["refs"]).not.toContain("refs/heads/side");
    expect(read?.["response_bytes"]).toBeGreaterThan(1000);
    expect(read?.["request_bytes"]).toBeGreaterThan(40);
  });

  test("is shallow, deepened, and made whole", async () => {
    const { clone, must, recorded } = await place();
    await clone("--depth=3", "--no-tags", urlOf("stock/many"));
    expect(await must("rev-list", "--count", "HEAD")).toBe("3");
    await must("fetch", "-q", "--deepen=4");
    expect(await must("rev-list", "--count", "HEAD")).toBe("7");
    // The commits are a second apart: see fillRepository.
    await must("fetch", "-q", `--shallow-since=${1_700_000_000 + 40}`);
    expect(await must("rev-list", "--count", "HEAD")).toBe("20");
    await must("fetch", "-q", "--shallow-exclude=side");
    expect(await must("rev-list", "--count", "HEAD")).toBe("5");
    await must("fetch", "-q", "--unshallow");
    expect(await must("rev-list", "--count", "HEAD")).toBe("60");
    const packs = (await recorded(10)).filter(({ kind }) => kind === "objects");
    expect(packs.map(({ options }) => options)).toEqual([
      ["depth 3"],
      ["depth 4", "relative"],
      ["since 1700000040"],
      ["not side"],
      ["depth 2147483647"],
    ]);
  });

  test("is partial, and gets what it left out later", async () => {
    const { clone, must, recorded } = await place();
    await clone("--filter=blob:none", "--no-checkout", urlOf("stock/many"));
    expect(await must("cat-file", "-p", "HEAD:file-1.txt")).toMatch(/^line \d+$/);
    const packs = (await recorded(3)).filter(({ kind }) => kind === "objects");
    expect(packs[0]).toMatchObject({ options: ["filter blob:none"] });
    expect(packs.at(-1)).toMatchObject({ refs: [], wants: [await must("rev-parse", "HEAD:file-1.txt")] });
  });

  test("that is refused is not recorded, and of what one may not read nothing is told", async () => {
    await world().upstream.createRepository("vault/app");
    const { tryGit, recorded } = await place();
    const run = await tryGit("ls-remote", urlOf("vault/app"));
    expect(run.stderr).toContain("repository code/vault/app does not exist, or you have no access to it");
    await tryGit("ls-remote", urlOf("stock/many"));
    await recorded(1);
  });

  test("is found by whoever made it and by nobody else", async () => {
    const { clone } = await place();
    await clone(urlOf("stock/many"));
    await expect.poll(async () => (await ana.api("/api/v1/fetches")).items.length).toBeGreaterThan(0);
    const bob = await world().person("bob@example.com", ["eng"]);
    expect((await bob.api("/api/v1/fetches")).items).toEqual([]);
  });

  test("that the upstream breaks off says so in the record", async () => {
    await world().upstream.createRepository("team/broken");
    await fillRepository(world().upstream, "team/broken", 5);
    const { tryGit, recorded } = await place();
    world().upstream.fail("truncate", /^POST \/team\/broken/);
    const run = await tryGit("-c", "protocol.version=0", "clone", urlOf("team/broken"));
    world().upstream.fail(null);
    expect(run.code).not.toBe(0);
    const [, read] = await recorded(2);
    expect(read).toMatchObject({ kind: "objects", status: "upstream_failed", http_status: 200 });
  });
});

describe("nothing leads around the gateway", () => {
  const fetching = (...lines: readonly string[]): Buffer =>
    Buffer.concat([
      encodePktLine("command=fetch\n"),
      encodePktLine("agent=git/test\n"),
      encodePktLine("object-format=sha1\n"),
      DELIM_PKT,
      ...lines.map((line) => encodePktLine(`${line}\n`)),
      FLUSH_PKT,
    ]);
  const post = (body: Buffer, headers: Readonly<Record<string, string>> = {}) =>
    rawFetchBytes(world(), ana, "stock/many", body, headers);
  const rpcs = () => world().upstream.requests.filter(({ method, url }) => method === "POST" && url.includes("many"));

  test("an upstream that has packs elsewhere is not asked for them, and the clone is whole", async () => {
    const { upstream } = world();
    const blob = await upstream.git("stock/many", "rev-parse", "main:file-1.txt");
    await upstream.git(
      "stock/many",
      "config",
      "uploadpack.blobPackfileUri",
      `${blob} ${"1".repeat(40)} http://127.0.0.1:1/x`,
    );
    const direct = await mustGit(["-c", "protocol.version=2", "ls-remote", upstream.directoryOf("stock/many")], {
      cwd: world().dataDir,
      env: { GIT_TRACE_PACKET: "1" },
    }).catch(() => "");
    expect(direct).toContain("refs/heads/main");
    const { clone, must } = await place();
    await clone("-c", "fetch.uriProtocols=http,https", urlOf("stock/many"));
    expect(await must("cat-file", "-t", blob)).toBe("blob");
    const advertised = await rawRequest(world(), {
      path: "/git/code/stock/many.git/info/refs?service=git-upload-pack",
      headers: { authorization: basic(ana), "git-protocol": "version=2" },
    });
    expect(advertised.text).toMatch(/fetch=[^\n]*shallow/);
    expect(advertised.text).not.toContain("packfile-uris");
    await upstream.git("stock/many", "config", "--unset", "uploadpack.blobPackfileUri");
  });

  test.each<[string, () => Buffer, Readonly<Record<string, string>>]>([
    ["packs", () => fetching("packfile-uris https", "done"), {}],
    ["packs, in gzip", () => gzipSync(fetching("packfile-uris https", "done")), { "content-encoding": "gzip" }],
    ["bundles", () => Buffer.concat([encodePktLine("command=bundle-uri\n"), FLUSH_PKT]), {}],
  ])("a client that asks for %s from elsewhere is refused", async (_what, body, headers) => {
    const answer = await post(body(), headers);
    expect(answer.status).toBe(200);
    expect(answer.text).toMatch(/^[0-9a-f]{4}ERR Sallyport: packs and bundles from other addresses do not pass/);
  });

  test.each<[string, Buffer, Readonly<Record<string, string>>, RegExp]>([
    ["cut-off gzip", gzipSync(fetching("done")).subarray(0, 30), { "content-encoding": "gzip" }, /ERR .*gzip encoding/],
    ["no gzip", fetching("done"), { "content-encoding": "gzip" }, /ERR .*gzip encoding/],
    ["another encoding", fetching("done"), { "content-encoding": "br" }, /ERR .*“br” cannot be read/],
    ["a broken packet", Buffer.from("zzzz"), {}, /ERR .*“zzzz” is not a packet length/],
    ["a cut-off packet", fetching("done").subarray(0, 40), {}, /ERR .*truncated pkt-line/],
  ])("a version 2 request in %s is refused: what cannot be read is not passed", async (_what, body, headers, text) => {
    const answer = await post(body, headers);
    expect(answer.text).toMatch(text);
  });

  test("a request in gzip passes as it came", async () => {
    const mark = rpcs().length;
    const oid = await main();
    const body = gzipSync(fetching(`want ${oid}`, "done"));
    const answer = await post(body, { "content-encoding": "gzip" });
    expect(answer.text).toContain("packfile");
    expect(rpcs().slice(mark)).toMatchObject([{ bodyBytes: body.length, headers: { "content-encoding": "gzip" } }]);
  });
});

describe("a repository that was renamed", () => {
  const renamed = async (target: (url: string) => string) => {
    const name = `team/old-${(serial += 1)}`;
    world().upstream.redirect(name, target(world().upstream.url));
    return name;
  };

  test.each([
    ["an address without host", () => "/stock/many.git"],
    ["an address with the upstream's host", (url: string) => `${url}stock/many.git`],
  ])("by %s is fetched by way of the gateway, under its own name", async (_what, target) => {
    const old = await renamed(target);
    const { clone, must, recorded } = await place();
    await clone(urlOf(old));
    expect(await must("rev-parse", "HEAD")).toBe(await main());
    expect(await recorded(2)).toMatchObject([{ repository: "code/stock/many" }, { repository: "code/stock/many" }]);
  });

  test("keeps the token of the address that the client came by", async () => {
    const old = await renamed(() => "/stock/many.git");
    const answer = await rawRequest(world(), {
      path: `/u/${ana.token}/git/code/${old}.git/info/refs?service=git-upload-pack`,
    });
    expect(answer.status).toBe(301);
    const query = "info/refs?service=git-upload-pack";
    expect(answer.headers.location).toBe(`/u/${ana.token}/git/code/stock/many.git/${query}`);
  });

  test("meets the rights of its new name", async () => {
    const old = await renamed(() => "/vault/app.git");
    const { tryGit } = await place();
    const run = await tryGit("ls-remote", urlOf(old));
    expect(run.code).toBe(128);
    expect(run.stderr).toContain("repository code/vault/app does not exist, or you have no access to it");
  });

  test("is not pushed to by its old name past the rules of its new one", async () => {
    const old = await renamed(() => "/vault/app.git");
    const copy = await ana.clone("stock/many");
    await copy.commit("One", { "a.txt": "a\n" });
    const run = await copy.git("push", urlOf(old), "HEAD:refs/heads/main");
    expect(run.code).not.toBe(0);
    expect(run.stderr).toContain("repository code/vault/app does not exist, or you have no access to it");
    expect(await world().upstream.ref("vault/app", "refs/heads/main")).toBeNull();
  });

  test.each([
    ["another host", () => "http://other.example/stock/many.git"],
    ["another port", () => "http://127.0.0.1:1/stock/many.git"],
    ["another scheme", (url: string) => `${url.replace("http:", "ftp:")}stock/many.git`],
    ["what is no repository's address", () => "/login?next="],
  ])("to %s is refused, and says so", async (_what, target) => {
    const old = await renamed(target);
    const { tryGit } = await place();
    const run = await tryGit("ls-remote", urlOf(old));
    expect(run.stderr).toContain("remote: Sallyport: the upstream of “code” redirects to another address");
    expect(run.stderr).not.toContain("other.example");
  });
});
