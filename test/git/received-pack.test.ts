import { createCipheriv, createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { Quarantine } from "../../src/git/quarantine.ts";
import { makeDelta } from "../fuzz/pack-file.ts";
import { Random } from "../fuzz/random.ts";
import { BLOB, makePack, packEntry, REF_DELTA } from "./hostile-packs.ts";
import { gitBytes, inChunks, startScene, type Scene } from "./inspection.ts";

const sink = { write: async (): Promise<void> => {} };

/** Whether git has been given the pack. */
const isIndexed = async ({ gitDir }: Quarantine): Promise<boolean> =>
  (await readdir(path.join(gitDir, "objects", "pack"))).some((name) => name.endsWith(".idx"));

/** A few versions of files that are much alike, so that there is something to make deltas of. */
async function alike(scene: Scene, from: number, to: number): Promise<string> {
  let last = "";
  for (let version = from; version < to; version++) {
    const lines = Array.from(
      { length: 60 },
      (_, line) => `line ${line} of ${line % 7 === version % 7 ? version : "all"}`,
    );
    last = await scene.commit(`version ${version}`, {
      "a.txt": `${lines.join("\n")}\n`,
      [`dir/${version}.txt`]: `${version}\n`,
    });
  }
  return last;
}

async function idsOf(quarantine: Quarantine): Promise<string[]> {
  const objects = await quarantine.objects();
  return (["commit", "tree", "blob", "tag"] as const)
    .flatMap((type) => [...objects.ofType(type)].map((oid) => `${type} ${oid}`))
    .sort();
}

/** The ids that git gives to the objects between two commits. */
async function idsByGit(scene: Scene, want: string, have: string): Promise<string[]> {
  const listed = (await scene.must("rev-list", "--objects", "--no-object-names", want, `^${have}`)).split("\n");
  const checked = await gitBytes(
    ["cat-file", "--batch-check=%(objecttype) %(objectname)"],
    scene.work,
    `${listed.join("\n")}\n`,
  );
  return checked.toString().trim().split("\n").sort();
}

test.each([
  ["thin, deltas by offset", "sha1", ["--thin", "--delta-base-offset"]],
  ["thin, deltas by id", "sha1", ["--thin", "--depth=1"]],
  ["thin, chains of deltas by id", "sha1", ["--thin", "--window=50"]],
  ["whole, deltas by id", "sha1", []],
  ["thin, of SHA-256", "sha256", ["--thin", "--delta-base-offset"]],
] as const)("a small pack is named as git names it, without git: %s", async (_, objectFormat, flags) => {
  const scene = await startScene({ objectFormat });
  const old = await alike(scene, 0, 3);
  await scene.land("refs/heads/main", old);
  const tip = await alike(scene, 3, 12);
  const quarantine = await scene.open({}, await scene.openCache());
  await quarantine.receive({ pack: inChunks(await scene.pack([tip], [old], flags)), sink, bases: [old] });

  expect(await idsOf(quarantine)).toEqual(await idsByGit(scene, tip, old));
  expect(await isIndexed(quarantine)).toBe(false);

  await quarantine.unpack();
  expect(await isIndexed(quarantine)).toBe(true);
  const read = await gitBytes(["cat-file", "commit", tip], quarantine.gitDir, "", { GIT_DIR: quarantine.gitDir });
  expect(read.toString()).toContain("version 11");
});

test("a large pack is git's from the start, and names the same", async () => {
  const scene = await startScene();
  const old = await alike(scene, 0, 2);
  await scene.land("refs/heads/main", old);
  const tip = await scene.commit("large", { "noise.bin": noise(9 * 2 ** 20), "a.txt": "small\n" });
  const quarantine = await scene.open({}, await scene.openCache());
  await quarantine.receive({ pack: inChunks(await scene.pack([tip], [old]), 65_536), sink, bases: [old] });

  expect(await isIndexed(quarantine)).toBe(true);
  expect(await idsOf(quarantine)).toEqual(await idsByGit(scene, tip, old));
});

/** The same each time, and nothing that packs smaller. */
const noise = (bytes: number): Buffer =>
  createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(bytes));

describe("chains of deltas by id, of which nobody says whether they build on something old", () => {
  const text = (file: number, version: number): string =>
    Array.from(
      { length: 60 },
      (_, line) => `${file}: line ${line} of ${line % 9 === version % 9 ? version : "all"}\n`,
    ).join("");
  const version = (scene: Scene, number: number): Promise<string> =>
    scene.commit(`version ${number}`, {
      ...Object.fromEntries(Array.from({ length: 30 }, (_, file) => [`dir/sub/${file}.txt`, text(file, number)])),
      ...(number === 5 ? { "noise.bin": noise(9 * 2 ** 20) } : {}),
    });

  test.each([
    ["in a small pack", false, true],
    ["in a small pack, to a new branch", false, false],
    ["in a large pack", true, true],
    ["in a large pack, to a new branch", true, false],
  ])("%s", async (_, isLarge, isUpdate) => {
    const scene = await startScene();
    let tip = "";
    for (let number = 0; number < 3; number++) tip = await version(scene, number);
    const old = tip;
    await scene.land("refs/heads/main", old);
    for (let number = isLarge ? 5 : 6; number < 12; number++) tip = await version(scene, number);
    const pack = await scene.pack([tip], [old], ["--thin", "--window=50", "--depth=50"]);
    const cache = await scene.openCache();
    const quarantine = await scene.open({}, cache);
    await quarantine.receive({ pack: inChunks(pack, 65_536), sink, bases: isUpdate ? [old] : [] });

    expect(await idsOf(quarantine)).toEqual(await idsByGit(scene, tip, old));
    expect(await isIndexed(quarantine)).toBe(isLarge);
    await quarantine.unpack();
  });

  test("on directories and files that no commit below the push holds any more", async () => {
    const scene = await startScene();
    const texts = ["seed", "seeda", "seedab"].map((text) => text + noise(3200).toString("hex"));
    const first = await scene.commit("first", { "gone.txt": texts[0] ?? "" });
    const old = await scene.commit("second", { "gone.txt": null, "b.txt": "b\n" });
    await scene.land("refs/heads/main", old);
    expect(first).not.toBe(old);
    const ids = texts.map((text) => createHash("sha1").update(`blob ${text.length}\0${text}`).digest());
    const entries = [1, 2].map((at) =>
      packEntry(REF_DELTA, makeDelta(Buffer.from(texts[at - 1] ?? ""), Buffer.from(texts[at] ?? ""), new Random(1)), {
        base: ids[at - 1] ?? Buffer.alloc(20),
      }),
    );
    const quarantine = await scene.open({}, await scene.openCache());
    await quarantine.receive({ pack: inChunks(makePack(entries)), sink, bases: [old] });

    expect(await idsOf(quarantine)).toEqual(
      ids
        .slice(1)
        .map((id) => `blob ${id.toString("hex")}`)
        .sort(),
    );
  });

  test("on what is nowhere, and says so", async () => {
    const scene = await startScene();
    const old = await scene.commit("first", { "a.txt": "a\n" });
    await scene.land("refs/heads/main", old);
    const entry = packEntry(REF_DELTA, oneMore(4, "x"), { base: blobId("gone") });
    const quarantine = await scene.open({}, await scene.openCache());
    await quarantine.receive({ pack: inChunks(makePack([entry])), sink, bases: [old] });

    await expect(quarantine.objects()).rejects.toMatchObject({
      code: "inspection_failed",
      message: expect.stringContaining("--no-thin"),
    });
  });
});

/** A delta that copies its whole base and adds one letter. */
const oneMore = (baseSize: number, letter: string): Buffer =>
  Buffer.concat([Buffer.from([baseSize, baseSize + 1, 0x90, baseSize, 1]), Buffer.from(letter)]);
const blobId = (text: string): Buffer => createHash("sha1").update(`blob ${text.length}\0${text}`).digest();

test("deltas by id that stand before what they build on", async () => {
  const scene = await startScene();
  const texts = ["seed", "seeda", "seedab", "seedabc"];
  const entries = [3, 2, 1].map((at) =>
    packEntry(REF_DELTA, oneMore(texts[at - 1]?.length ?? 0, texts[at]?.at(-1) ?? ""), {
      base: blobId(texts[at - 1] ?? ""),
    }),
  );
  const quarantine = await scene.open();
  await quarantine.receive({ pack: inChunks(makePack([...entries, packEntry(BLOB, Buffer.from("seed"))])), sink });

  expect(await idsOf(quarantine)).toEqual(texts.map((text) => `blob ${blobId(text).toString("hex")}`).sort());
  expect(await isIndexed(quarantine)).toBe(false);
});

test("a chain of deltas by id that is too long to follow by search is left to git, and names the same", async () => {
  const scene = await startScene();
  const texts = Array.from({ length: 30 }, (_, at) => `seed${"x".repeat(at)}`);
  const deltas = texts
    .slice(1)
    .map((text, at) => packEntry(REF_DELTA, oneMore(text.length - 1, "x"), { base: blobId(texts[at] ?? "") }));
  const quarantine = await scene.open();
  await quarantine.receive({
    pack: inChunks(makePack([...deltas.toReversed(), packEntry(BLOB, Buffer.from("seed"))])),
    sink,
  });

  expect(await idsOf(quarantine)).toEqual(texts.map((text) => `blob ${blobId(text).toString("hex")}`).sort());
  expect(await isIndexed(quarantine)).toBe(true);
});

test("an object that is there twice, and a delta that does not fit its base, refuse the pack", async () => {
  const scene = await startScene();
  const read = async (pack: Buffer): Promise<unknown> => {
    const quarantine = await scene.open();
    return quarantine
      .receive({ pack: inChunks(pack), sink })
      .then(() => quarantine.objects())
      .catch((error: unknown) => error);
  };
  const twice = makePack([packEntry(BLOB, Buffer.from("one")), packEntry(BLOB, Buffer.from("one"))]);
  expect(await read(twice)).toMatchObject({ code: "pack_invalid", message: expect.stringContaining("twice") });
  const misfit = packEntry(REF_DELTA, oneMore(9, "x"), { base: blobId("seed") });
  expect(await read(makePack([packEntry(BLOB, Buffer.from("seed")), misfit]))).toMatchObject({
    code: "pack_invalid",
    message: expect.stringContaining("delta"),
  });
});

test("a pack that is read a second time has not met anything yet", async () => {
  const scene = await startScene();
  const old = await alike(scene, 0, 2);
  await scene.land("refs/heads/main", old);
  const tip = await alike(scene, 2, 4);
  const objects = await scene.inspect({ updates: [{ ref: "refs/heads/main", oldOid: old, newOid: tip }] });
  expect([...objects.pack.unmet()]).toEqual([]);
  objects.pack.forget();
  expect([...objects.pack.unmet()].length).toBeGreaterThan(4);
});
