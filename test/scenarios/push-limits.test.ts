/**
 * What one push may cost, met with a real git: each bound by a policy that sets it low. What is over it is refused with a text
 * that says what happened, to what, and by which setting, and nothing of it goes upstream; what is just under it passes.
 */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { WorkingCopy } from "../harness/git.ts";
import { sharedWorld, type Person } from "../harness/world.ts";

/** What no packing makes smaller; the same every time. */
const noise = (bytes: number, seed = ""): Buffer =>
  Buffer.concat(
    Array.from({ length: Math.ceil(bytes / 64) }, (_, at) => createHash("sha512").update(`${seed}${at}`).digest()),
  ).subarray(0, bytes);

/** One commit with these files, as the first of a repository. */
const one = (files: Readonly<Record<string, string | Buffer>>) => (copy: WorkingCopy) => copy.commit("One", files);

const commits = (count: number) => async (copy: WorkingCopy) => {
  for (let at = 0; at < count; at++) await copy.commit(`Commit ${at}`, { "a.txt": `${at}\n` });
};

/** All objects of the clone, unpacked. */
async function unpackedBytes(copy: WorkingCopy): Promise<number> {
  const sizes = await copy.must("cat-file", "--batch-all-objects", "--batch-check=%(objectsize)");
  return sizes.split("\n").reduce((sum, size) => sum + Number(size), 0);
}

/** Fills the clone up to so many bytes of objects: what is not the file is of the same size whatever is in it. */
const objectsOf = (bytes: number) => async (copy: WorkingCopy) => {
  await copy.commit("One", { "a.bin": noise(100) });
  const others = (await unpackedBytes(copy)) - 100;
  await copy.must("update-ref", "-d", "HEAD");
  await copy.must("reflog", "expire", "--expire=now", "--all");
  await copy.must("rm", "-q", "--cached", "a.bin");
  await copy.must("prune", "--expire=now");
  await copy.commit("One", { "a.bin": noise(bytes - others) });
  expect(await unpackedBytes(copy)).toBe(bytes);
};

/** What looks like passwords, and is not certain enough to be refused. */
const suspects = (count: number): string =>
  Array.from({ length: count }, (_, at) => `password = "Y4tCWNXEbuti${at}"\n`).join("");

const BRANCH = ["HEAD:refs/heads/topic"];
const branches = (count: number, name = "topic") =>
  Array.from({ length: count }, (_, at) => `HEAD:refs/heads/${name}-${at}`);

interface Bound {
  /** The key below `limits:`. */
  readonly key: string;
  readonly limits: Readonly<Record<string, string | number>>;
  readonly over: (copy: WorkingCopy) => Promise<unknown>;
  readonly under: (copy: WorkingCopy) => Promise<unknown>;
  /** What is pushed; by default one branch. */
  readonly refs?: { readonly over: readonly string[]; readonly under: readonly string[] };
  /** What happened, and to what. */
  readonly says: string;
}

const BOUNDS: readonly Bound[] = [
  {
    key: "packBytes",
    limits: { packBytes: "3kB" },
    over: one({ "a.bin": noise(3000) }),
    under: one({ "a.bin": noise(2500) }),
    says: "the pack is larger than 3000 bytes, the limit of one push (limits.packBytes): push fewer commits at a time",
  },
  {
    key: "objects",
    limits: { objects: 3 },
    over: one({ "a.txt": "a\n", "b.txt": "b\n" }),
    // The commit, its tree, the file.
    under: one({ "a.txt": "a\n" }),
    says: "the pack holds 4 objects, the limit of one push (limits.objects) is 3: push fewer commits at a time",
  },
  {
    key: "objectBytes",
    limits: { objectBytes: "1kB" },
    over: one({ "a.bin": noise(1001) }),
    under: one({ "a.bin": noise(1000) }),
    says: "an object of the pack is 1001 bytes unpacked, the limit of one object (limits.objectBytes) is 1000 bytes: keep files of that size in Git LFS",
  },
  {
    key: "inflatedBytes",
    limits: { inflatedBytes: "5kB" },
    over: objectsOf(5001),
    under: objectsOf(5000),
    says: "the objects of the pack are more than 5000 bytes unpacked, the limit of one push (limits.inflatedBytes): push fewer commits at a time",
  },
  {
    key: "inflationRatio",
    limits: { inflationRatio: 20, inflatedFreeBytes: "100kB" },
    over: one({ "a.bin": noise(5_000), "b.bin": Buffer.alloc(200_000) }),
    under: one({ "a.bin": noise(15_000), "b.bin": Buffer.alloc(200_000) }),
    says: "the pack unpacks to more than 20 bytes for each byte sent, the limit of one push (limits.inflationRatio): push fewer commits at a time, or keep files that compress so well out of the repository",
  },
  {
    key: "inflatedFreeBytes",
    limits: { inflationRatio: 20, inflatedFreeBytes: "300kB" },
    over: one({ "b.bin": Buffer.alloc(300_000) }),
    under: one({ "b.bin": Buffer.alloc(290_000) }),
    says: "the pack unpacks to more than 20 bytes for each byte sent",
  },
  {
    key: "diffBytes",
    limits: { diffBytes: "1kB" },
    // In a file that a later commit takes away: it is not the net difference that counts.
    over: async (copy) => {
      await copy.commit("One", { "a.txt": `${"x".repeat(600)}\n` });
      await copy.commit("Two", { "a.txt": `${"y".repeat(600)}\n` });
      await copy.commit("Three", { "a.txt": "" });
    },
    under: async (copy) => {
      await copy.commit("One", { "a.txt": `${"x".repeat(490)}\n` });
      await copy.commit("Two", { "a.txt": `${"y".repeat(490)}\n` });
      await copy.commit("Three", { "a.txt": "" });
    },
    says: "the commits of this push add more than 1000 bytes of content, the limit of one push (limits.diffBytes): push fewer commits at a time",
  },
  {
    key: "commits",
    limits: { commits: 2 },
    over: commits(3),
    under: commits(2),
    says: "the push brings 3 new commits, the limit of one push (limits.commits) is 2: push an older commit first, then the rest",
  },
  {
    key: "refs",
    limits: { refs: 2 },
    over: commits(1),
    under: commits(1),
    refs: { over: branches(3), under: branches(2) },
    says: "this push has more than 2 commands, the limit of one push (limits.refs); push fewer refs at a time",
  },
  {
    key: "commandBytes",
    limits: { commandBytes: "600 B" },
    over: commits(1),
    under: commits(1),
    // Each takes some 200 bytes: two ids and its name.
    refs: { over: branches(3, "x".repeat(100)), under: branches(2, "x".repeat(80)) },
    says: "the commands of this push are larger than 600 bytes, the limit of one push (limits.commandBytes); push fewer refs at a time",
  },
  {
    key: "changedPaths",
    limits: { changedPaths: 3 },
    over: one({ "a.txt": "a\n", "b.txt": "b\n", "c.txt": "c\n", "d.txt": "d\n" }),
    under: one({ "a.txt": "a\n", "b.txt": "b\n", "c.txt": "c\n" }),
    says: "the commits of this push change more than 3 paths, the limit of one push (limits.changedPaths): push fewer commits at a time",
  },
  {
    key: "treeDepth",
    limits: { treeDepth: 3 },
    over: one({ "a/b/c/d/e.txt": "e\n" }),
    under: one({ "a/b/c/d.txt": "d\n" }),
    says: "a commit of this push nests directories more than 3 deep, the limit of one push (limits.treeDepth): take them apart",
  },
  {
    key: "findings",
    limits: { findings: 2 },
    over: one({ "a.txt": suspects(3) }),
    under: one({ "a.txt": suspects(2) }),
    says: "what this push adds holds more than 2 secrets or what looks like them, the limit of one push (limits.findings): denied without reading the rest",
  },
];

const world = sharedWorld({
  pushes: [
    ...BOUNDS.map(({ key, limits }) => ({ repositories: [`code/${key}/*`], limits })),
    { repositories: ["code/range/*"], limits: { commits: 2 } },
    { repositories: ["code/time/short"], limits: { time: "1s" } },
    { repositories: ["code/time/long"], limits: { time: "1h" } },
  ],
});

async function pushNew(
  ana: Person,
  repository: string,
  make: (copy: WorkingCopy) => Promise<unknown>,
  refs: readonly string[] = BRANCH,
) {
  await world().upstream.createRepository(repository);
  const copy = await ana.init(repository);
  await make(copy);
  return copy.git("push", "origin", ...refs);
}

const refsOf = (repository: string) => world().upstream.git(repository, "for-each-ref");

/** Objects that the upstream has, whether or not anything reaches them. */
const objectCount = (repository: string) => world().upstream.git(repository, "count-objects", "-v");

test.each(BOUNDS.map((bound) => [bound.key, bound] as const))("limits.%s", async (key, bound) => {
  const { over, under, refs, says } = bound;
  const ana = await world().person("ana@example.com", ["eng"]);
  const refused = await pushNew(ana, `${key}/over`, over, refs?.over);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(says);
  for (const _ of refs?.over ?? BRANCH) expect(refused.stderr).toMatch(/! \[remote rejected\] HEAD -> /);
  expect(await refsOf(`${key}/over`)).toBe("");
  expect(await objectCount(`${key}/over`)).toMatch(/^count: 0\n(?:.*\n)*in-pack: 0\n/);

  const passed = await pushNew(ana, `${key}/under`, under, refs?.under);
  expect(passed.stderr).not.toContain("rejected");
  expect(passed.code).toBe(0);
  expect((await refsOf(`${key}/under`)).split("\n")).toHaveLength((refs?.under ?? BRANCH).length);
});

test("limits.commits of what a ref moves over, though it came upstream before", async () => {
  const ana = await world().person("ana@example.com", ["eng"]);
  await world().upstream.createRepository("range/app");
  const copy = await ana.init("range/app");
  await commits(1)(copy);
  expect((await copy.git("push", "origin", "HEAD:refs/heads/main")).code).toBe(0);
  for (const at of [1, 2, 3]) {
    await copy.commit(`Commit ${at}`, { "a.txt": `more ${at}\n` });
    expect((await copy.git("push", "origin", "HEAD:refs/heads/topic")).code).toBe(0);
  }
  const refused = await copy.git("push", "origin", "HEAD:refs/heads/main");
  expect(refused.stderr).toContain(
    "refs/heads/main moves over 3 commits, the limit of one push (limits.commits) is 2: move it in steps, to a commit in between first",
  );
  expect((await copy.git("push", "origin", "HEAD~1:refs/heads/main")).code).toBe(0);
  expect((await copy.git("push", "origin", "HEAD:refs/heads/main")).code).toBe(0);
});

/** An upstream that never hands out the old files that a push is compared with. */
test("limits.time", async () => {
  const ana = await world().person("ana@example.com", ["eng"]);
  const pushOnto = async (repository: string) => {
    await world().upstream.createRepository(repository);
    const base = await world().upstream.commitDirectly(repository, "refs/heads/main", { "a.txt": "one\n" });
    const copy = await ana.clone(repository);
    await copy.commit("Change", { "a.txt": "two\n" });
    return { base, push: () => copy.git("push", "origin", "HEAD:refs/heads/main") };
  };
  const short = await pushOnto("time/short");
  world().upstream.fail("hang", /^POST \/time\/short\.git\/git-upload-pack/);
  const refused = await short.push();
  world().upstream.fail(null);
  expect(refused.stderr).toContain(
    "reading the push took longer than 1 s, the limit of one push (limits.time): push fewer commits at a time",
  );
  expect(await world().upstream.ref("time/short", "refs/heads/main")).toBe(short.base);

  const long = await pushOnto("time/long");
  expect((await long.push()).code).toBe(0);
  expect(await world().upstream.ref("time/long", "refs/heads/main")).not.toBe(long.base);
});
