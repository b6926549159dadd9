/**
 * The cache of old objects may be deleted or damaged at any time: the next push goes through as if nothing had happened, and what it
 * brings is looked through as ever.
 */
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { plantedAwsKey } from "../harness/planted.ts";
import type { WorkingCopy } from "../harness/git.ts";
import { sharedWorld, type World } from "../harness/world.ts";

const cacheOf = (world: World): string => path.join(world.dataDir, "cache");

async function filesOf(directory: string, ending: RegExp): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => ending.test(name)).map((name) => path.join(directory, name));
}

/** Overwrites the middle of each file, where objects are. */
async function scramble(files: readonly string[]): Promise<void> {
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const bytes = await readFile(file);
    bytes.fill(0xa5, Math.min(20, bytes.length), Math.max(20, bytes.length - 20));
    // git leaves packs read-only.
    await rm(file);
    await writeFile(file, bytes);
  }
}

const repositoriesIn = async (directory: string): Promise<string[]> =>
  (await readdir(directory)).map((name) => path.join(directory, name, "objects.git"));

/** What has just been delivered is still on its way into the cache. */
const remove = (directory: string): Promise<void> => rm(directory, { recursive: true, maxRetries: 10 });

const DAMAGES: readonly (readonly [what: string, damage: (cache: string) => Promise<void>])[] = [
  ["deleted whole", remove],
  [
    "its repositories deleted",
    async (cache) => {
      for (const name of await readdir(cache)) await remove(path.join(cache, name));
    },
  ],
  [
    "its packs deleted",
    async (cache) => {
      for (const file of await filesOf(cache, /\.(?:pack|idx|rev|promisor)$/)) await rm(file);
    },
  ],
  [
    "the packs deleted, their indexes left",
    async (cache) => {
      for (const file of await filesOf(cache, /\.pack$/)) await rm(file);
    },
  ],
  [
    "packs cut off",
    async (cache) => {
      const files = await filesOf(cache, /\.pack$/);
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) {
        const { size } = await stat(file);
        await truncate(file, Math.floor(size / 2));
      }
    },
  ],
  ["packs overwritten", async (cache) => scramble(await filesOf(cache, /\.pack$/))],
  ["indexes overwritten", async (cache) => scramble(await filesOf(cache, /\.idx$/))],
  [
    "alternates that lead nowhere",
    async (cache) => {
      for (const repository of await repositoriesIn(cache)) {
        await mkdir(path.join(repository, "objects", "info"), { recursive: true });
        await writeFile(path.join(repository, "objects", "info", "alternates"), "/nowhere/objects\n");
      }
    },
  ],
  [
    "a HEAD and a config that are none",
    async (cache) => {
      for (const repository of await repositoriesIn(cache)) {
        await writeFile(path.join(repository, "HEAD"), "");
        await writeFile(path.join(repository, "config"), "[core\n");
      }
    },
  ],
];

/** Long enough that git sends an edit of it as a delta. */
const text = (edit: string): string =>
  Array.from({ length: 400 }, (_, line) => `line ${line} of a file that is edited\n`).join("") + edit;

const shared = sharedWorld();
let made = 0;

/** A repository that the cache knows: one push has gone through. */
async function warm(world: World): Promise<{ readonly repository: string; readonly copy: WorkingCopy }> {
  const repository = `heal/app-${made++}`;
  await world.upstream.createRepository(repository);
  await world.upstream.commitDirectly(repository, "refs/heads/main", { "a.txt": text(""), "b.txt": text("b\n") });
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone(repository);
  await copy.commit("One", { "a.txt": text("one\n") });
  expect((await copy.git("push", "origin", "HEAD:refs/heads/main")).code).toBe(0);
  return { repository, copy };
}

describe("the next push goes through, and the one with a secret does not", () => {
  test.each(DAMAGES)("%s", async (_, damage) => {
    const world = shared();
    const { repository, copy } = await warm(world);
    await damage(cacheOf(world));
    const oid = await copy.commit("Two", { "a.txt": text("one\ntwo\n"), "b.txt": text("b\nmore\n") });
    const pushed = await copy.git("push", "origin", "HEAD:refs/heads/main");
    expect(pushed.stderr).not.toContain("rejected");
    expect(pushed.code).toBe(0);
    expect(await world.upstream.ref(repository, "refs/heads/main")).toBe(oid);

    await damage(cacheOf(world));
    await copy.commit("Three", { "a.txt": text(`one\ntwo\nkey = "${plantedAwsKey}"\n`) });
    const refused = await copy.git("push", "origin", "HEAD:refs/heads/main");
    expect(refused.stderr).toMatch(/a\.txt:403:\d+ {2}aws/);
    expect(await world.upstream.ref(repository, "refs/heads/main")).toBe(oid);
  });
});

test("what is known of the upstream's history is healed, too", async () => {
  const world = shared();
  const { repository, copy } = await warm(world);
  // Forced, and from what is not in the push: it takes the history to see what is dropped.
  const force = async (message: string) => {
    await copy.must("checkout", "-q", "--orphan", message);
    const oid = await copy.commit(message, { "a.txt": text(`${message}\n`) });
    const pushed = await copy.git("push", "--force", "origin", "HEAD:refs/heads/main");
    expect(pushed.stderr).not.toContain("rejected");
    expect(await world.upstream.ref(repository, "refs/heads/main")).toBe(oid);
  };
  await force("first");
  const histories = async () => filesOf(cacheOf(world), /history\.git\/.*\.(?:pack|idx)$/);
  expect((await histories()).length).toBeGreaterThan(0);
  await scramble(await histories());
  await force("second");
  for (const file of await histories()) await rm(file);
  await force("third");
});
