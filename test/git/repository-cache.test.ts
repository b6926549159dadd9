import { readdir, rm, truncate, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { createRepositoryCache } from "../../src/git/repository-cache.ts";
import { addedLines, gitBytes, isForcedIn, readDiffs, startScene, testGit, ZERO, type Scene } from "./inspection.ts";

const main = (oldOid: string, newOid: string) => ({ ref: "refs/heads/main", oldOid, newOid });

const posts = (scene: Scene): number => scene.upstream.requests.filter((request) => request.method === "POST").length;

async function packsIn(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => name.endsWith(".pack")).map((name) => path.join(directory, name));
}

test("old objects are fetched as the gateway itself, with the credential in a header and nowhere on disk", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const cache = createRepositoryCache({
    git: testGit(),
    root: path.join(scene.root, "other-cache"),
    maxBytes: 2 ** 30,
    fetchTimeoutMs: 120_000,
  });
  const secret = "Basic c2VjcmV0OnNlY3JldA==";
  const repository = await cache.open("c/r", "sha1", {
    url: `${scene.upstream.url}r.git`,
    headers: [`Authorization: ${secret}`],
  });

  await repository.ensureCommits([base]);

  const seen = scene.upstream.requests;
  expect(seen.length).toBeGreaterThan(0);
  for (const request of seen) {
    expect(request.headers["user-agent"]).toBe("sallyport/test (gateway-internal)");
    expect(request.headers.authorization).toBe(secret);
  }
  const found = await gitBytes(
    ["grep", "-r", "--no-index", "-c", "c2VjcmV0", "."],
    path.join(scene.root, "other-cache"),
  ).catch(() => "nothing");
  expect(found).toBe("nothing");
  await repository.release();
});

test("a second push that builds on a delivered one fetches nothing", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n", "dir/b.txt": "b\n" });
  await scene.land("refs/heads/main", base);
  const two = await scene.commit("two", { "a.txt": "a\ntwo\n" });
  const first = await scene.inspect({ updates: [main(base, two)] });
  expect(await addedLines(first, { two })).toEqual(["two a.txt:2 two"]);
  await scene.land("refs/heads/main", two);
  await first.quarantine.unpack();
  await first.quarantine.cache?.adopt(first.quarantine, [two]);
  await first.quarantine.remove();
  const before = posts(scene);

  const three = await scene.commit("three", { "a.txt": "a\ntwo\nthree\n" });
  const second = await scene.inspect({ updates: [main(two, three)] });

  expect(await addedLines(second, { three })).toEqual(["three a.txt:3 three"]);
  expect(posts(scene)).toBe(before);
});

test("a refused push leaves nothing in the cache", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const two = await scene.commit("two", { "a.txt": "TOKEN\n" });
  const objects = await scene.inspect({ updates: [main(base, two)] });
  const cache = objects.quarantine.cache;
  await objects.quarantine.remove();
  const gitDir = path.dirname(cache?.objectsDirectory ?? "");
  await expect(gitBytes(["--git-dir", gitDir, "cat-file", "-e", two], scene.root)).rejects.toThrow("cat-file");
  await expect(gitBytes(["--git-dir", gitDir, "cat-file", "-e", base], scene.root)).resolves.toBeDefined();
});

test("deleted or damaged, it heals by itself", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n".repeat(2000), "d/b.txt": "b\n" });
  await scene.land("refs/heads/main", base);
  const two = await scene.commit("two", { "a.txt": `${"a\n".repeat(2000)}two\n` });
  const inspect = async () => {
    const objects = await scene.inspect({ updates: [main(base, two)], cache: await scene.openCache() });
    expect(await addedLines(objects, { two })).toEqual(["two a.txt:2001 two"]);
    await objects.quarantine.cache?.release();
  };
  await inspect();
  await rm(scene.cacheRoot, { recursive: true });
  await inspect();
  for (const pack of await packsIn(scene.cacheRoot)) await truncate(pack, 20);
  await inspect().catch(() => {});
  await inspect();
  for (const name of await readdir(scene.cacheRoot))
    await writeFile(path.join(scene.cacheRoot, name, "objects.git", "HEAD"), "");
  await inspect().catch(() => {});
  await inspect();
});

test.each([
  ["as git does", ["--thin", "--delta-base-offset"]],
  ["all bases by id, as libgit2 does", ["--thin"]],
  ["not thin, all bases by id", []],
])(
  "a new branch whose deltas stand on directories and files of which nothing was fetched before: %s",
  async (_, flags) => {
    const scene = await startScene();
    const text = (line: number): string => `${line} some words to make it worth a delta\n`.repeat(200);
    const names = Array.from({ length: 60 }, (_, index) => `dir/file-${index}.txt`);
    const base = await scene.commit("base", Object.fromEntries(names.map((name, index) => [name, text(index)])));
    await scene.land("refs/heads/main", base);
    const next = await scene.commit("next", { "dir/file-7.txt": `${text(7)}next\n` });
    const pack = await scene.pack([next], [base], flags);

    const objects = await scene.inspect({ updates: [{ ref: "refs/heads/topic", oldOid: ZERO, newOid: next }], pack });

    expect(await addedLines(objects, { next })).toEqual(["next dir/file-7.txt:201 next"]);
  },
);

test("an upstream that knows some filters only is asked with those", async () => {
  const scene = await startScene();
  await scene.upstream.git("r", "config", "uploadpackfilter.allow", "false");
  await scene.upstream.git("r", "config", "uploadpackfilter.blob:none.allow", "true");
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", await scene.commit("later", { "b.txt": "b\n" }));
  await scene.must("checkout", "-q", "-b", "topic", base);
  const two = await scene.commit("two", { "a.txt": "a\ntwo\n" });

  const objects = await scene.inspect({ updates: [{ ref: "refs/heads/topic", oldOid: ZERO, newOid: two }] });

  expect(await addedLines(objects, { two })).toEqual(["two a.txt:2 two"]);
});

test.each([true, false])("an upstream with filters: %s", async (allowFilter) => {
  const scene = await startScene({ allowFilter });
  const base = await scene.commit("base", { "a.txt": "a\n", "d/b.txt": "b\n" });
  const old = await scene.commit("later", { "a.txt": "a\nlater\n" });
  await scene.land("refs/heads/main", old);
  await scene.must("checkout", "-q", "-b", "topic", base);
  const two = await scene.commit("two", { "d/b.txt": "b\ntwo\n" });

  const objects = await scene.inspect({ updates: [{ ref: "refs/heads/topic", oldOid: ZERO, newOid: two }] });

  expect(objects.commits).toEqual([two]);
  expect(await addedLines(objects, { two })).toEqual(["two d/b.txt:2 two"]);
});

test("an object that the upstream has but no ref reaches does not count as old", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const hidden = await scene.commit("hidden", { "a.txt": "a\nTOKEN\n" });
  // As a fork does: the objects are upstream, no ref of this repository leads to them.
  await scene.land("refs/heads/gone", hidden);
  await scene.upstream.git("r", "update-ref", "-d", "refs/heads/gone");
  expect(await scene.upstream.hasObject("r", hidden)).toBe(true);
  const innocent = await scene.commit("innocent", { "b.txt": "b\n" });

  const onTop = scene.inspect({ updates: [main(base, innocent)], pack: await scene.pack([innocent], [hidden]) });
  await expect(onTop).rejects.toMatchObject({ code: "inspection_failed", message: expect.stringContaining(hidden) });

  const direct = scene.inspect({ updates: [main(base, hidden)], pack: await scene.pack([], []) });
  await expect(direct).rejects.toMatchObject({ code: "inspection_failed", message: expect.stringContaining(hidden) });
});

test("a file that the upstream has but no ref reaches is read like any other", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const hidden = await scene.commit("hidden", { "dir/secret.txt": "TOKEN\n" });
  await scene.land("refs/heads/gone", hidden);
  await scene.upstream.git("r", "update-ref", "-d", "refs/heads/gone");
  await scene.must("reset", "-q", "--hard", base);
  const again = await scene.commit("again", { "other/secret.txt": "TOKEN\n", "x.txt": "x\n" });
  const tree = await scene.must("rev-parse", `${hidden}:dir`);
  // The pack leaves out what is upstream already: the tree and the file.
  const all = (await gitBytes(["rev-list", "--objects", again, `^${base}`], scene.work)).toString();
  const sent = all
    .split("\n")
    .map((line) => line.slice(0, 40))
    .filter((oid) => oid !== "" && oid !== tree && !all.includes(`${oid} other/secret.txt`));
  const pack = await gitBytes(["pack-objects", "--stdout", "-q"], scene.work, `${sent.join("\n")}\n`);

  const objects = await scene.inspect({ updates: [main(base, again)], pack });

  expect(await addedLines(objects, { again })).toContain("again other/secret.txt:1 TOKEN");
});

test("a new ref at an old commit, and a client that sends its whole history: only what is new counts", async () => {
  const scene = await startScene();
  const one = await scene.commit("one", { "a.txt": "one\n" });
  const two = await scene.commit("two", { "a.txt": "two\n" });
  await scene.land("refs/heads/main", two);
  const branch = { ref: "refs/heads/topic", oldOid: ZERO, newOid: one };
  const old = await scene.inspect({ updates: [branch], pack: await scene.pack([], []) });
  expect(old.commits).toEqual([]);

  await scene.must("checkout", "-q", "-b", "topic", one);
  const three = await scene.commit("three", { "b.txt": "three\n" });
  const whole = await scene.inspect({
    updates: [{ ...branch, newOid: three }],
    pack: await scene.pack([three], [], []),
  });
  expect(whole.commits).toEqual([three]);
  expect(await addedLines(whole, { three })).toEqual(["three b.txt:1 three"]);
});

test("forced or not, wherever the two versions are", async () => {
  const scene = await startScene();
  const one = await scene.commit("one", { "a.txt": "one\n" });
  const two = await scene.commit("two", { "a.txt": "two\n" });
  const three = await scene.commit("three", { "a.txt": "three\n" });
  await scene.land("refs/heads/main", two);
  await scene.land("refs/heads/feature", three);
  await scene.land("refs/heads/old", one);
  const four = await scene.commit("four", { "a.txt": "four\n" });
  await scene.must("checkout", "-q", "-b", "amended", one);
  const amended = await scene.commit("amended", { "a.txt": "amended\n" });

  expect(await isForcedIn(scene, main(two, four)), "old is below what the pack builds on").toBe(false);
  expect(await isForcedIn(scene, main(three, four)), "old is what the pack builds on").toBe(false);
  expect(await isForcedIn(scene, main(two, amended)), "amended").toBe(true);
  expect(await isForcedIn(scene, main(two, three)), "forward to what is upstream").toBe(false);
  expect(await isForcedIn(scene, main(two, one)), "back to what is upstream").toBe(true);
  expect(await isForcedIn(scene, main(ZERO, four)), "created").toBe(false);
});

test("the approver's diff is of the whole move, also of what came by another branch", async () => {
  const scene = await startScene();
  const one = await scene.commit("one", { "a.txt": "one\n" });
  const two = await scene.commit("two", { "b.txt": "two\n" });
  await scene.land("refs/heads/main", one);
  await scene.land("refs/heads/feature", two);
  const three = await scene.commit("three", { "c.txt": "three\n" });

  const [forward, whole, created, cut] = await readDiffs(scene, [
    { update: main(one, two), maxBytes: 10_000 },
    { update: main(one, three), maxBytes: 10_000 },
    { update: { ref: "refs/heads/new", oldOid: ZERO, newOid: three }, maxBytes: 10_000 },
    { update: main(one, three), maxBytes: 100 },
  ]);

  expect(forward).toMatchObject({ truncated: false, base: one });
  expect(forward?.text).toContain("+++ b/b.txt\n@@ -0,0 +1 @@\n+two\n");
  expect(whole?.text).toContain("+two\n");
  expect(whole?.text).toContain("+three\n");
  expect(created).toMatchObject({ base: two });
  expect(created?.text).not.toContain("+two\n");
  expect(cut?.truncated).toBe(true);
  expect(cut?.text.length).toBeLessThanOrEqual(100);
  expect(cut?.text.endsWith("\n")).toBe(true);
});

test("an upstream that is down or refuses the gateway says so", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const cache = await scene.openCache();
  scene.upstream.fail("unauthorized");
  await expect(cache.ensureCommits([base])).rejects.toMatchObject({ code: "upstream_unauthorized" });
  scene.upstream.fail("redirect");
  await expect(cache.ensureCommits([base])).rejects.toMatchObject({ code: "upstream_misbehaved" });
  scene.upstream.fail(null);
  await scene.upstream.down();
  await expect(cache.ensureCommits([base])).rejects.toMatchObject({ code: "upstream_unreachable" });
  await scene.upstream.up();
  await cache.ensureCommits([base]);
});

test("the least recently used repositories go when the disk is full of them; those in use stay", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const root = path.join(scene.root, "small-cache");
  let time = Date.now();
  const caches = createRepositoryCache({
    git: testGit(),
    root,
    maxBytes: 1,
    fetchTimeoutMs: 120_000,
    now: () => time,
  });
  const upstream = { url: `${scene.upstream.url}r.git`, headers: [] };
  const kept = await caches.open("c/kept", "sha1", upstream);
  const idle = await caches.open("c/idle", "sha1", upstream);
  await utimes(path.dirname(path.dirname(idle.objectsDirectory)), 1, 1);
  time += 3_600_000;

  await idle.release();

  expect((await readdir(root)).length).toBe(1);
  await kept.ensureCommits([base]);
  await kept.release();
});
