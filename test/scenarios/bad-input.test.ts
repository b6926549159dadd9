/**
 * Broken requests and broken upstreams: each ends with a clear word to the client, nothing goes on, nothing is lost, and the gateway
 * lives. All tests share one world, so that each also shows that the one before it has left nothing broken.
 */
import { readdir } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { createDeflate } from "node:zlib";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import type { UpstreamFailure } from "../../fixtures/git-upstream.ts";
import { BLOB, makePack, packEntry, REF_DELTA, sign } from "../git/hostile-packs.ts";
import { cpuTimeMs } from "../harness/cpu-time.ts";
import { git, sealedGitEnv, temporaryDirectory, type WorkingCopy } from "../harness/git.ts";
import { objectMaker, type ObjectMaker } from "../harness/objects.ts";
import { basic, firstCommand, packOf, pushBody, rawPush, rawPushBytes, ZERO } from "../harness/raw-push.ts";
import { sharedWorld, type Person } from "../harness/world.ts";

const world = sharedWorld({
  upstreamIdleMs: 8_000,
  pushes: [{ repositories: ["code/**"], protect: [{ refs: ["refs/heads/main"], approvers: ["leads"], wait: "0s" }] }],
});

let ana: Person;
let copy: WorkingCopy;
let make: ObjectMaker;
let main = "";
let mainTree = "";

beforeAll(async () => {
  ana = await world().person("ana@example.com", ["eng"]);
  copy = await ana.clone("team/app");
  make = objectMaker(copy);
  main = await copy.must("rev-parse", "HEAD");
  mainTree = await copy.must("rev-parse", "HEAD^{tree}");
});

let serial = 0;
const freshRef = (): string => `refs/heads/topic-${(serial += 1)}`;
const nextCommit = (): Promise<string> =>
  make.commit({ tree: mainTree, parents: [main], message: `Change ${(serial += 1)}\n` });

const forwardedSince = (mark: number) =>
  world()
    .upstream.requests.slice(mark)
    .filter(({ method, url, bodyBytes }) => method === "POST" && url.endsWith("git-receive-pack") && bodyBytes > 4);

/** What a push leaves on the gateway's disk while it is under way, or held. */
const leftovers = async (): Promise<string[]> => {
  // Neither directory is there before the first push.
  const list = (name: string) =>
    readdir(path.join(world().dataDir, name), { recursive: true, withFileTypes: true }).catch(() => []);
  const [quarantine, blobs] = await Promise.all([list("quarantine"), list("blobs")]);
  return [...quarantine, ...blobs.filter((entry) => entry.isFile())].map(({ name }) => name);
};

const expectWorking = async () => {
  const [oid, ref] = [await nextCommit(), freshRef()];
  const push = await copy.git("push", "origin", `${oid}:${ref}`);
  expect(push.stderr).toMatch(/\[new (?:branch|reference)\]/);
  expect(await world().upstream.ref("team/app", ref)).toBe(oid);
};

afterEach(async () => {
  world().upstream.fail(null);
  await vi.waitFor(
    async () => {
      const left = await leftovers();
      if (left.length > 0) throw new Error(`left behind on the gateway's disk: ${left.join(", ")}`);
    },
    { timeout: 60_000 },
  );
});

describe("a push whose commands are broken", () => {
  const oid = "1".repeat(40);
  const caps = "report-status side-band-64k";
  const command = firstCommand(`${ZERO} ${oid} refs/heads/x`);

  test.each<[string, Buffer, RegExp]>([
    ["no bytes at all", Buffer.alloc(0), /ends|truncated|empty/i],
    ["no packet length", Buffer.from("zzzz"), /“zzzz” is not a packet length/],
    ["a length that is none", Buffer.from("0003"), /“0003” is not a packet length/],
    ["a length over the limit", Buffer.from("fff1"), /“fff1” is not a packet length/],
    ["HTML", Buffer.from("<html><script>alert(1)</script>"), /not a packet length/],
    ["a packet that ends too early", command.subarray(0, 30), /ends|truncated/i],
    ["no flush", command, /ends|truncated/i],
    ["a delimiter in place of a flush", Buffer.concat([command, Buffer.from("0001")]), /unexpected delim/],
    ["one word", Buffer.concat([encodePktLine(`hello\0 ${caps}`), FLUSH_PKT]), /no command of a sha1 push/],
    [
      "ids in capitals",
      Buffer.concat([firstCommand(`${ZERO} ${"A".repeat(40)} refs/heads/x`), FLUSH_PKT]),
      /no command/,
    ],
    [
      "ids of 39 digits",
      Buffer.concat([firstCommand(`${ZERO.slice(1)} ${oid} refs/heads/x`), FLUSH_PKT]),
      /no command/,
    ],
    [
      "ids of 64 digits",
      Buffer.concat([firstCommand(`${"0".repeat(64)} ${"1".repeat(64)} refs/heads/x`), FLUSH_PKT]),
      /no command/,
    ],
    [
      "an unknown object format",
      Buffer.concat([firstCommand(`${ZERO} ${oid} refs/heads/x`, `${caps} object-format=md5`), FLUSH_PKT]),
      /object format/,
    ],
    [
      "a name that is not UTF-8",
      Buffer.concat([
        encodePktLine(
          Buffer.concat([
            Buffer.from(`${ZERO} ${oid} refs/heads/`),
            Buffer.from([0xff, 0xfe]),
            Buffer.from(`\0 ${caps}`),
          ]),
        ),
        FLUSH_PKT,
      ]),
      /not UTF-8/,
    ],
    [
      "capabilities twice",
      Buffer.concat([command, encodePktLine(`${ZERO} ${oid} refs/heads/y\0 ${caps}`), FLUSH_PKT]),
      /capabilities outside/,
    ],
    [
      "bytes behind a deletion",
      Buffer.concat([firstCommand(`${oid} ${ZERO} refs/heads/x`), FLUSH_PKT, Buffer.from("PACK")]),
      /bytes follow/,
    ],
    [
      "a broken shallow line",
      Buffer.concat([encodePktLine("shallow abc"), command, FLUSH_PKT]),
      /“abc” is not a sha1 object id/,
    ],
  ])("%s", async (_what, body, reason) => {
    const mark = world().upstream.requests.length;
    const answer = await rawPushBytes(world(), ana, "team/app", body);
    expect(answer.text).toMatch(reason);
    expect(answer.text).not.toContain("unpack ok");
    // Where capabilities were read the answer is Git's; before that there is nothing but HTTP.
    expect([200, 400]).toContain(answer.status);
    expect(forwardedSince(mark)).toEqual([]);
  });

  test("commands without end", async () => {
    const line = encodePktLine(`${ZERO} ${oid} refs/heads/${"x".repeat(900)}`);
    const body = Buffer.concat([command, ...Array.from({ length: 10_000 }, () => line)]);
    const answer = await rawPushBytes(world(), ana, "team/app", body);
    expect(answer.text).toMatch(/two commands|larger than \d+ bytes/);
  });

  test("another object format than the upstream's", async () => {
    const body = Buffer.concat([
      firstCommand(`${"0".repeat(64)} ${"1".repeat(64)} refs/heads/x`, `${caps} object-format=sha256`),
      FLUSH_PKT,
      makePack([]),
    ]);
    const mark = world().upstream.requests.length;
    const answer = await rawPushBytes(world(), ana, "team/app", body);
    expect(answer.text).toMatch(/ng refs\/heads\/x \S/);
    expect(forwardedSince(mark)).toEqual([]);
  });
});

describe("a push whose pack is broken", () => {
  /** Pushes one new commit with what `spoil` makes of its pack. */
  const pushSpoilt = async (spoil: (pack: Buffer) => Buffer | Promise<Buffer>) => {
    const oid = await nextCommit();
    const ref = freshRef();
    const pack = await spoil(await packOf(copy.directory, [oid]));
    const mark = world().upstream.requests.length;
    const answer = await rawPush(world(), ana, { repository: "team/app", commands: [`${ZERO} ${oid} ${ref}`], pack });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain(`ng ${ref} `);
    expect(forwardedSince(mark)).toEqual([]);
    expect(await world().upstream.hasObject("team/app", oid)).toBe(false);
    return answer.text;
  };
  const withCount = (pack: Buffer, count: number): Buffer => {
    const changed = Buffer.from(pack.subarray(0, -20));
    changed.writeUInt32BE(count, 8);
    return sign(changed);
  };

  test.each<[string, (pack: Buffer) => Buffer | Promise<Buffer>, RegExp]>([
    ["it is missing", () => Buffer.alloc(0), /pack|no ref of the upstream reaches/],
    ["it is cut off in its header", (pack) => pack.subarray(0, 10), /pack is not valid: .*ends too early/],
    ["it is cut off in the middle", (pack) => pack.subarray(0, pack.length / 2), /pack is not valid/],
    ["it is cut off in its checksum", (pack) => pack.subarray(0, -7), /ends too early/],
    [
      "it says more objects than it has",
      (pack) => withCount(pack, 9),
      /pack is not valid: .*ends too early, after \d of 9 objects/,
    ],
    ["it says fewer objects than it has", (pack) => withCount(pack, 0), /more bytes follow/],
    ["it says four thousand million objects", (pack) => withCount(pack, 0xffffffff), /4294967295 objects, the limit/],
    [
      "its checksum is wrong",
      (pack) => Buffer.concat([pack.subarray(0, -1), Buffer.from([pack.at(-1) === 0 ? 1 : 0])]),
      /pack is not valid/,
    ],
    [
      "its content was changed under its checksum",
      (pack) => Buffer.concat([pack.subarray(0, 20), Buffer.from([(pack[20] ?? 0) ^ 0x55]), pack.subarray(21)]),
      /pack is not valid/,
    ],
    ["bytes follow it", (pack) => Buffer.concat([pack, Buffer.from("extra")]), /more bytes follow/],
    ["another pack follows it", (pack) => Buffer.concat([pack, pack]), /more bytes follow/],
    [
      "it is no pack",
      () => Buffer.from("<html>Please sign in</html>, and some more of that"),
      /does not begin with “PACK”/,
    ],
    [
      "it builds on an object that is nowhere",
      () => makePack([packEntry(REF_DELTA, Buffer.from([1, 1, 1, 65]), { base: Buffer.alloc(20, 7) })]),
      /\S/,
    ],
    [
      "it has none of what was promised",
      () => makePack([packEntry(BLOB, Buffer.from("other"))]),
      /no ref of (?:the upstream|this push) reaches/,
    ],
  ])("%s", async (_what, spoil, reason) => {
    expect(await pushSpoilt(spoil)).toMatch(reason);
  });

  test("a blob of 400 MB in 400 KB: refused by its size, soon, in little memory", async () => {
    const bomb = await zeros(400);
    expect(bomb.length).toBeLessThan(512 * 1024);
    const before = process.memoryUsage().rss;
    let peak = before;
    const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20);
    const begun = cpuTimeMs();
    expect(await pushSpoilt(() => bomb)).toMatch(
      /400 MiB unpacked, the limit of one object \(limits\.objectBytes\) is 100 MiB/,
    );
    clearInterval(timer);
    expect(cpuTimeMs() - begun).toBeLessThan(10_000);
    expect(peak - before).toBeLessThan(100 * 1024 * 1024);
  });

  test("the client is gone in the middle of it", async () => {
    const oid = await nextCommit();
    const body = pushBody({
      repository: "",
      commands: [`${ZERO} ${oid} ${freshRef()}`],
      pack: await packOf(copy.directory, [oid]),
    });
    const mark = world().upstream.requests.length;
    const request = http.request(`${world().url}/git/code/team/app.git/git-receive-pack`, {
      method: "POST",
      headers: {
        authorization: basic(ana),
        "content-type": "application/x-git-receive-pack-request",
        "content-length": body.length,
      },
    });
    request.on("error", () => {});
    await new Promise((resolve) => request.write(body.subarray(0, -30), resolve));
    await expect.poll(leftovers).not.toEqual([]);
    request.destroy();
    await expect.poll(leftovers).toEqual([]);
    expect(forwardedSince(mark)).toEqual([]);
  });
});

/** A pack with one blob of so many MiB of zeros, made without ever holding them. */
async function zeros(mib: number): Promise<Buffer> {
  const header = packEntry(BLOB, Buffer.alloc(0), { declared: mib * 1024 * 1024 });
  const chunk = Buffer.alloc(1024 * 1024);
  const deflate = createDeflate();
  const parts: Buffer[] = [];
  deflate.on("data", (part: Buffer) => parts.push(part));
  for (let at = 0; at < mib; at++)
    if (!deflate.write(chunk)) await new Promise((resolve) => deflate.once("drain", resolve));
  await new Promise((resolve) => deflate.end().once("end", resolve));
  // The 8 bytes at the end of the header's entry are its own empty stream.
  return makePack([Buffer.concat([header.subarray(0, -8), ...parts])]);
}

const CLEAR: Readonly<Record<UpstreamFailure | "down", RegExp>> = {
  html: /answered text\/html where Git was asked for/,
  garbage: /no Git|not Git's/,
  unauthorized: /refused the gateway's credential/,
  unavailable: /cannot serve this now \(HTTP 503\)/,
  redirect: /another address/,
  // Its beginning is out already: all that is left is to break off as well, and git says so.
  truncate: /transfer closed|early EOF|unexpected disconnect|hung up/,
  "lose-answer": /broke the connection/,
  hang: /did not answer within 8 s/,
  down: /cannot be reached \(ECONNREFUSED\)/,
};
const FAILURES = Object.keys(CLEAR) as (keyof typeof CLEAR)[];

/** Runs while matching requests of the upstream fail. */
async function whileFailing<T>(failure: keyof typeof CLEAR, only: RegExp, work: () => Promise<T>): Promise<T> {
  const { upstream } = world();
  if (failure === "down") await upstream.down();
  else upstream.fail(failure, only);
  try {
    return await work();
  } finally {
    upstream.fail(null);
    if (failure === "down") await upstream.up();
  }
}

function expectClear(stderr: string, failure: keyof typeof CLEAR): void {
  expect(stderr).toMatch(CLEAR[failure]);
  expect(stderr).not.toMatch(
    /<html|Please sign in|bad line length|Everything up-to-date|password|Username|other\.example/,
  );
}

describe.each(FAILURES)("an upstream: %s", (failure) => {
  test("when refs are asked for", async () => {
    const run = await whileFailing(failure, /^GET .*git-upload-pack/, () => copy.git("ls-remote", "origin"));
    expect(run.code).not.toBe(0);
    expectClear(run.stderr, failure);
  });

  test("when objects are fetched", async () => {
    const directory = await temporaryDirectory("fetch");
    const url = new URL(`${world().url}/git/code/team/app.git`);
    url.username = "ana";
    url.password = ana.token;
    const run = await whileFailing(failure, /^POST .*git-upload-pack/, () =>
      git(["clone", url.href, "x"], { cwd: directory, env: sealedGitEnv(directory) }),
    );
    expect(run.code).not.toBe(0);
    expectClear(run.stderr, failure);
    expect(run.stderr).not.toContain(ana.token);
  });

  test("when a push asks for refs", async () => {
    const ref = freshRef();
    const oid = await nextCommit();
    const mark = world().upstream.requests.length;
    const run = await whileFailing(failure, /^GET .*git-receive-pack/, () =>
      copy.git("push", "origin", `${oid}:${ref}`),
    );
    expect(run.code).not.toBe(0);
    expectClear(run.stderr, failure);
    expect(forwardedSince(mark)).toEqual([]);
    expect(await world().upstream.ref("team/app", ref)).toBeNull();
  });

  test("when a push is delivered: the client is told the truth, and the next push works", async () => {
    const ref = freshRef();
    const oid = await nextCommit();
    const run = await whileFailing(failure, /^POST .*git-receive-pack/, () =>
      copy.git("push", "origin", `${oid}:${ref}`),
    );
    const arrived = await world().upstream.ref("team/app", ref);
    if (failure === "truncate" || failure === "lose-answer") {
      // It was done; the upstream's refs are the witness.
      expect(arrived).toBe(oid);
      expect(run.stderr).toMatch(/\[new (?:branch|reference)\]/);
      expect(run.code).toBe(0);
    } else {
      expect(arrived).toBeNull();
      expect(run.code).not.toBe(0);
      // One that is down is met when the push asks for refs.
      if (failure !== "down") expect(run.stderr).toContain("[remote rejected]");
      expectClear(run.stderr, failure);
    }
    await expectWorking();
  });
});

test("an upstream whose answers are lost, and that cannot be asked afterwards either: it is said that nobody knows", async () => {
  const ref = freshRef();
  const oid = await nextCommit();
  // It is there already: of a new one the upstream is asked first.
  await copy.must("push", "origin", `${oid}^:${ref}`);
  const { upstream } = world();
  // The first request for refs is the push's own; from the delivery on everything is lost.
  const mark = upstream.requests.length;
  const watch = setInterval(() => {
    const last = upstream.requests.slice(mark).at(-1);
    if (last?.method === "POST" && last.url.endsWith("git-receive-pack")) upstream.fail("unavailable", /^GET/);
  }, 1);
  upstream.fail("lose-answer", /^POST .*git-receive-pack/);
  const push = copy.git("push", "origin", `${oid}:${ref}`).finally(() => clearInterval(watch));
  await expect.poll(() => upstream.ref("team/app", ref)).toBe(oid);
  const run = await push;
  expect([run.code, run.stderr]).toEqual([1, expect.stringContaining("look at its refs before pushing again")]);
  upstream.fail(null);
  const { items } = await ana.api("/api/v1/pushes?status=indeterminate");
  expect(JSON.stringify(items)).toContain(oid);
  await expectWorking();
});

test("a client leaves an upstream that hangs: the gateway leaves it, too", async () => {
  const { upstream } = world();
  upstream.fail("hang");
  const mark = upstream.requests.length;
  const push = copy.startPush("origin", `${main}:${freshRef()}`);
  await expect.poll(() => upstream.requests.length).toBeGreaterThan(mark);
  push.kill();
  await push.ended;
  await expect.poll(() => upstream.openConnections()).toBe(0);
  upstream.fail(null);
  await expectWorking();
});
