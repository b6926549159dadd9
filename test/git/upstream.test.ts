import { createReadStream } from "node:fs";
import { readdir, stat, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Socket } from "node:net";
import path from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  startGitUpstream,
  type GitUpstreamFixture,
  type GitUpstreamFixtureOptions,
} from "../../fixtures/git-upstream.ts";
import { encodePushRequest } from "../../src/git/receive-pack.ts";
import type { DeliveredPush } from "../../src/git/upstream-delivery.ts";
import { createGitUpstream, type GitUpstream } from "../../src/git/upstream.ts";
import type { UpstreamCredential } from "../../src/model/connection.ts";
import { mustGit, temporaryDirectory } from "../harness/git.ts";

const ZERO = "0".repeat(40);
const MAIN = "refs/heads/main";

interface World {
  readonly fixture: GitUpstreamFixture;
  readonly upstream: GitUpstream;
  /** A commit and the pack of it. */
  readonly oid: string;
  readonly packFile: string;
}

const upstreamAt = (url: string, credential: UpstreamCredential = { kind: "none" }, idleMs = 60_000): GitUpstream => {
  const upstream = createGitUpstream({
    connection: { kind: "git", name: "code", url, credential, allow: ["*"], access: null, dumb: "refuse" },
    version: "1.2.3",
    timeouts: { connectMs: 60_000, idleMs },
  });
  onTestFinished(() => upstream.close());
  return upstream;
};

/** Only what never answers is waited for in vain. */
const patienceWith = (failure: string): number => (failure === "hang" ? 1_000 : 60_000);

async function startFixture(options?: GitUpstreamFixtureOptions): Promise<GitUpstreamFixture> {
  const fixture = await startGitUpstream(options);
  onTestFinished(() => fixture.stop());
  await fixture.createRepository("team/app");
  return fixture;
}

async function makePack(size = 10): Promise<{ readonly oid: string; readonly packFile: string }> {
  const cwd = await temporaryDirectory("pack");
  await mustGit(["init", "-q", "-b", "main"], { cwd });
  await writeFile(path.join(cwd, "a.txt"), Buffer.from(Array.from({ length: size }, (_, i) => (i * i * 7919) % 251)));
  await mustGit(["add", "."], { cwd });
  await mustGit(["commit", "-q", "-m", "first"], { cwd });
  const oid = await mustGit(["rev-parse", "HEAD"], { cwd });
  await mustGit(["repack", "-adq"], { cwd });
  const directory = path.join(cwd, ".git/objects/pack");
  const name = (await readdir(directory)).find((file) => file.endsWith(".pack"));
  if (name === undefined) throw new Error("no pack was made");
  return { oid, packFile: path.join(directory, name) };
}

async function startWorld(options?: GitUpstreamFixtureOptions): Promise<World> {
  const fixture = await startFixture(options);
  return { fixture, upstream: upstreamAt(fixture.url), ...(await makePack()) };
}

const headOf = (oldOid: string, newOid: string, capabilities = ["report-status", "side-band-64k"]): Buffer =>
  encodePushRequest({
    updates: [{ ref: MAIN, oldOid, newOid }],
    capabilities,
    shallow: [],
    pushOptions: [],
    objectFormat: "sha1",
    certificate: null,
  });

const deliver = async ({ upstream, oid, packFile }: World, capabilities?: string[]): Promise<DeliveredPush> =>
  upstream.deliver("team/app.git", {
    head: headOf(ZERO, oid, capabilities),
    pack: createReadStream(packFile),
    packBytes: (await stat(packFile)).size,
  });

describe("deliver", () => {
  it.each([[["report-status", "side-band-64k"]], [["report-status"]], [["report-status-v2", "side-band-64k"]]])(
    "sends head and pack and returns the upstream's report (%j)",
    async (capabilities) => {
      const world = await startWorld();
      expect(await deliver(world, capabilities)).toEqual({
        report: { unpack: "ok", refs: [{ status: "ok", ref: MAIN, options: null }] },
        messages: [],
      });
      expect(await world.fixture.ref("team/app", MAIN)).toBe(world.oid);
    },
  );

  it("leaves compare-and-swap to the upstream", async () => {
    const world = await startWorld();
    await deliver(world);
    const again = await deliver(world);
    expect(again.report.refs).toEqual([
      { status: "ng", ref: MAIN, reason: expect.stringMatching(/failed to update ref|lock|exists/) },
    ]);
  });

  it("passes the upstream's own words on while they come", async () => {
    const world = await startWorld();
    await writeFile(
      path.join(world.fixture.directoryOf("team/app"), "hooks", "post-receive"),
      "#!/bin/sh\necho 'thank you' >&2\n",
      { mode: 0o755 },
    );
    let heard = "";
    const { messages } = await world.upstream.deliver("team/app.git", {
      head: headOf(ZERO, world.oid),
      pack: createReadStream(world.packFile),
      clientHeaders: { "user-agent": "git/9", authorization: "Basic theirs" },
      onMessage: (text) => (heard += text),
    });
    expect(heard).toBe("thank you\n");
    expect(messages).toEqual(["thank you"]);
    const { headers } = world.fixture.requests.at(-1) ?? {};
    expect(headers).toMatchObject({ "user-agent": "git/9", "transfer-encoding": "chunked" });
    expect(headers).not.toHaveProperty("authorization");
  });

  it("deletes with a head alone", async () => {
    const world = await startWorld();
    await deliver(world);
    await world.fixture.git("team/app", "symbolic-ref", "HEAD", "refs/heads/other");
    const head = headOf(world.oid, ZERO, ["report-status", "delete-refs"]);
    const { report } = await world.upstream.deliver("team/app.git", { head, pack: null });
    expect(report.refs).toEqual([{ status: "ok", ref: MAIN, options: null }]);
    expect(await world.fixture.ref("team/app", MAIN)).toBeNull();
  });

  it.each([
    ["unauthorized", "upstream_unauthorized", "not_delivered"],
    ["redirect", "upstream_misbehaved", "not_delivered"],
    ["html", "upstream_misbehaved", "unknown"],
    ["garbage", "upstream_misbehaved", "unknown"],
    ["unavailable", "upstream_unreachable", "unknown"],
    ["truncate", "upstream_unreachable", "unknown"],
    ["lose-answer", "upstream_unreachable", "unknown"],
    ["hang", "upstream_unreachable", "unknown"],
  ] as const)("an upstream that fails with %s: %s, %s", async (failure, code, outcome) => {
    const world = await startWorld();
    const upstream = upstreamAt(world.fixture.url, { kind: "none" }, patienceWith(failure));
    world.fixture.fail(failure);
    await expect(deliver({ ...world, upstream })).rejects.toMatchObject({ code, outcome });
  });

  it("is surely not delivered where nothing listens", async () => {
    const world = await startWorld();
    await world.fixture.down();
    await expect(deliver(world)).rejects.toMatchObject({ code: "upstream_unreachable", outcome: "not_delivered" });
    await expect(
      world.upstream.deliver("team/app.git", { head: headOf(world.oid, ZERO), pack: null }),
    ).rejects.toMatchObject({ code: "upstream_unreachable", outcome: "not_delivered" });
    await world.fixture.up();
    await deliver(world);
    expect(await world.fixture.ref("team/app", MAIN)).toBe(world.oid);
  });

  it("is surely not delivered where the connection breaks before the last byte", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      socket.once("data", () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const upstream = upstreamAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    let release = (): void => {};
    const isTold = new Promise<void>((resolve) => (release = resolve));
    const pack = Readable.from(
      (async function* () {
        yield Buffer.from("PACK");
        await isTold;
        yield Buffer.from("the last bytes");
      })(),
    );
    const delivery = upstream.deliver("x", { head: headOf(ZERO, "1".repeat(40)), pack });
    await expect(delivery.finally(release)).rejects.toMatchObject({
      code: "upstream_unreachable",
      outcome: "not_delivered",
    });
    expect(sockets).toHaveLength(1);
  });

  it("a pack that cannot be read breaks the request off before its end", async () => {
    const world = await startWorld();
    const pack = Readable.from(
      (async function* () {
        yield Buffer.from("PACK");
        await Promise.resolve();
        throw new Error("disk");
      })(),
    );
    const lost = world.upstream.deliver("team/app.git", { head: headOf(ZERO, world.oid), pack });
    await expect(lost).rejects.toMatchObject({ code: "storage_failed", outcome: "not_delivered" });
    expect(await world.fixture.ref("team/app", MAIN)).toBeNull();
  });
});

describe("advertise and probe", () => {
  it("asks under the gateway's own name and credential", async () => {
    const fixture = await startFixture({ username: "gateway", password: "hunter2" });
    const upstream = upstreamAt(fixture.url, { kind: "basic", username: "gateway", password: "hunter2" });
    const refs = await upstream.advertise("team/app.git", "git-receive-pack", {
      clientHeaders: { authorization: "Basic theirs", "user-agent": "git/9" },
    });
    expect(refs).toMatchObject({ refs: new Map(), objectFormat: "sha1" });
    expect(refs.capabilities).toContain("report-status-v2");
    await upstream.probe("team/app.git");
    expect(fixture.requests.map((request) => [request.method, request.url, request.bodyBytes])).toEqual([
      ["GET", "/team/app.git/info/refs?service=git-receive-pack", 0],
      ["POST", "/team/app.git/git-receive-pack", 4],
    ]);
    for (const { headers } of fixture.requests) {
      expect(headers["user-agent"]).toBe("sallyport/1.2.3 (gateway-internal)");
      expect(headers.authorization).toBe(`Basic ${Buffer.from("gateway:hunter2").toString("base64")}`);
    }
  });

  it("uses the client's credential where the connection says so", async () => {
    const fixture = await startFixture({ username: "ana", password: "s" });
    const upstream = upstreamAt(fixture.url, { kind: "passthrough" });
    const authorization = `Basic ${Buffer.from("ana:s").toString("base64")}`;
    await upstream.probe("team/app.git", { clientHeaders: { authorization } });
    await expect(upstream.probe("team/app.git")).rejects.toMatchObject({ code: "upstream_unauthorized" });
  });

  it.each([
    ["unauthorized", "upstream_unauthorized"],
    ["redirect", "upstream_misbehaved"],
    ["html", "upstream_misbehaved"],
    ["garbage", "upstream_misbehaved"],
    ["unavailable", "upstream_unreachable"],
    ["truncate", "upstream_unreachable"],
    ["lose-answer", "upstream_unreachable"],
    ["hang", "upstream_unreachable"],
  ] as const)("an upstream that fails with %s: %s", async (failure, code) => {
    const fixture = await startFixture();
    fixture.fail(failure);
    const upstream = upstreamAt(fixture.url, { kind: "none" }, patienceWith(failure));
    await expect(upstream.advertise("team/app.git", "git-upload-pack")).rejects.toMatchObject({ code });
  });

  it("knows a repository that is not there, and reads sha256 refs", async () => {
    const fixture = await startFixture();
    const upstream = upstreamAt(fixture.url);
    await expect(upstream.advertise("team/none.git", "git-upload-pack")).rejects.toMatchObject({ code: "not_found" });
    await fixture.createRepository("new", { objectFormat: "sha256" });
    expect(await upstream.advertise("new.git", "git-receive-pack")).toMatchObject({ objectFormat: "sha256" });
  });
});
