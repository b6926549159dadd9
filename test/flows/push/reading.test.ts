/** What a push is read as: what each of its refs brings, which secrets were there before, which LFS objects it names. */
import { afterAll, expect, test } from "vitest";
import { readPush, type PushReading } from "../../../src/flows/push/reading.ts";
import type { PushRequest } from "../../../src/git/push-exchange.ts";
import type { PushLimits } from "../../../src/model/push-limits.ts";
import type { RefFacts } from "../../../src/model/push-facts.ts";
import type { RefUpdate } from "../../../src/model/ref-update.ts";
import { createScanPool } from "../../../src/flows/scanning/scan-in-workers.ts";
import { createScanner } from "../../../src/secrets/scanner.ts";
import { inChunks, startScene, ZERO, type Scene } from "../../git/inspection.ts";
import { builtin } from "../../secrets/builtin-rules.ts";
import { plantedAwsKey, plantedPem, plantedSlackToken } from "../../harness/planted.ts";

const key = new Uint8Array(32).fill(7);
const scanner = createScanner(builtin, key);
const scanPool = createScanPool({ rules: builtin.rules, key, threads: 2, budgetMs: 60_000 });
afterAll(() => scanPool.close());
const SECRET = `key = "${plantedAwsKey}"\n`;

interface Push {
  readonly updates: readonly RefUpdate[];
  readonly pushOptions?: readonly string[];
  readonly limits?: Partial<PushLimits>;
}

async function read(scene: Scene, { updates, pushOptions = [], limits }: Push): Promise<PushReading> {
  const quarantine = await scene.open(limits, await scene.openCache());
  const listed = (
    await scene.upstream.git("r", "for-each-ref", "--format=%(refname) %(objectname) %(*objectname)")
  ).trim();
  const lines = listed === "" ? [] : listed.split("\n").map((line) => line.split(" "));
  const refs = new Map(lines.map(([ref = "", oid = ""]) => [ref, oid]));
  const peeled = new Map(lines.flatMap(([ref = "", , oid = ""]) => (oid === "" ? [] : [[ref, oid] as const])));
  const want = updates.map(({ newOid }) => newOid).filter((oid) => oid !== ZERO);
  const pack = await scene.pack(want, await scene.known([...refs.values()]));
  const bases = updates.map(({ oldOid }) => oldOid).filter((oid) => oid !== ZERO);
  await quarantine.receive({ pack: inChunks(pack), sink: { write: async () => {} }, bases });
  const request = {
    principal: { id: "p" },
    connection: { name: "c" },
    repository: "c/r",
    head: { updates, pushOptions, certificate: null },
    signal: new AbortController().signal,
  } as unknown as PushRequest;
  const advertised = { refs, peeled } as unknown as Parameters<typeof readPush>[0]["advertised"];
  return readPush({
    request,
    advertised,
    quarantine,
    scanner,
    scanPool,
    readBaseline: async () => () => null,
    verify: () => null,
  });
}

const branch = (name: string, oldOid: string, newOid: string): RefUpdate => ({
  ref: `refs/heads/${name}`,
  oldOid,
  newOid,
});

const refOf = ({ facts }: PushReading, name: string): RefFacts => {
  const found = facts.refs.find(({ update }) => update.ref === `refs/heads/${name}`);
  if (found === undefined) throw new Error(`no ref ${name}`);
  return found;
};

const found = (reading: PushReading): string[] =>
  reading.facts.findings.map(
    ({ source, oid, path, line, known }) => `${source} ${oid?.slice(0, 7)} ${path}:${line} ${known}`,
  );

const short = (oid: string): string => oid.slice(0, 7);

test("each ref has what it brings, and a secret counts for every ref that reaches it", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const shared = await scene.commit("shared", { "shared.txt": SECRET });
  const one = await scene.commit("one", { "one.txt": "1\n", "a.txt": null });
  await scene.must("checkout", "-q", "-b", "two", shared);
  const two = await scene.commit("two", { "dir/two.txt": "22\n" });
  await scene.must("checkout", "-q", "-b", "clean", base);
  const clean = await scene.commit("clean", { "clean.txt": "c\n" });

  const reading = await read(scene, {
    updates: [
      branch("main", base, one),
      branch("two", ZERO, two),
      branch("clean", ZERO, clean),
      branch("gone", base, ZERO),
    ],
  });

  const [main, second, third, gone] = [
    refOf(reading, "main"),
    refOf(reading, "two"),
    refOf(reading, "clean"),
    refOf(reading, "gone"),
  ];
  expect(main.commits.map(({ oid }) => oid)).toEqual([shared, one]);
  expect(second.commits.map(({ oid }) => oid)).toEqual([shared, two]);
  expect(third.commits.map(({ oid }) => oid)).toEqual([clean]);
  expect(gone.commits).toEqual([]);
  expect([main.target, second.target, gone.target]).toEqual(["commit", "commit", null]);
  expect(main.paths).toEqual(["a.txt", "one.txt", "shared.txt"]);
  expect(second.paths).toEqual(["dir/two.txt", "shared.txt"]);
  expect(third.paths).toEqual(["clean.txt"]);
  expect(second.files.map(({ oid, path, mode, bytes }) => [oid, path, mode, bytes])).toEqual([
    [shared, "shared.txt", "100644", SECRET.length],
    [two, "dir/two.txt", "100644", 3],
  ]);
  expect([main, second, third, gone].map(({ findings }) => findings.length)).toEqual([1, 1, 0, 0]);
  expect(reading.facts.commits).toHaveLength(4);
});

test("the same secret in two branches that share nothing counts for both, also in names", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const name = `${plantedAwsKey}.txt`;
  const one = await scene.commit("one", { [name]: "x\n", "s.txt": SECRET });
  await scene.must("checkout", "-q", "-b", "two", base);
  const two = await scene.commit("two", { [name]: "x\n", "s.txt": SECRET });

  const reading = await read(scene, { updates: [branch("one", ZERO, one), branch("two", ZERO, two)] });

  for (const ref of ["one", "two"]) {
    expect(
      refOf(reading, ref)
        .findings.map(({ source }) => source)
        .sort(),
      ref,
    ).toEqual(["file", "path"]);
  }
});

test("a thousand findings of one ref do not make room for those of another", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const many = await scene.commit("many", { "many.txt": SECRET.repeat(1_200) });
  await scene.must("checkout", "-q", "-b", "two", base);
  const two = await scene.commit("two", { "s.txt": SECRET });

  const reading = await read(scene, { updates: [branch("many", ZERO, many), branch("two", ZERO, two)] });

  expect(refOf(reading, "many").findings.length).toBeGreaterThanOrEqual(1_000);
  expect(refOf(reading, "two").findings.map(({ path }) => path)).toEqual(["s.txt"]);
});

test("ref names count for their ref, push options for every one", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const one = await scene.commit("one", { "a.txt": "b\n" });

  const reading = await read(scene, {
    updates: [branch(plantedAwsKey, ZERO, one), branch("plain", ZERO, one)],
    pushOptions: [`token=${plantedSlackToken}`],
  });

  expect(
    refOf(reading, plantedAwsKey)
      .findings.map(({ source }) => source)
      .sort(),
  ).toEqual(["push-option", "ref-name"]);
  expect(refOf(reading, "plain").findings.map(({ source }) => source)).toEqual(["push-option"]);
});

test("what came upstream by another branch is seen again when main moves to it, and is known", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const feature = await scene.commit("feature", { "s.txt": SECRET });
  await scene.land("refs/heads/feature", feature);

  const moved = await read(scene, { updates: [branch("main", base, feature)] });
  expect(refOf(moved, "main").commits.map(({ oid }) => oid)).toEqual([feature]);
  expect(refOf(moved, "main").paths).toEqual(["s.txt"]);
  expect(refOf(moved, "main").files).toEqual([]);
  expect(moved.facts.commits).toEqual([]);
  expect(found(moved)).toEqual([`file ${short(feature)} s.txt:1 true`]);

  const fresh = await scene.commit("fresh", { "b.txt": "b\n" });
  const both = await read(scene, { updates: [branch("main", base, fresh), branch("feature", feature, fresh)] });
  expect(refOf(both, "main").commits.map(({ oid }) => oid)).toEqual([feature, fresh]);
  expect(refOf(both, "feature").commits.map(({ oid }) => oid)).toEqual([fresh]);
  expect(refOf(both, "main").findings).toHaveLength(1);
  expect(refOf(both, "feature").findings).toHaveLength(0);
});

test("a secret that stood in the file upstream is known, also behind commits that leave it alone, and after a move", async () => {
  const scene = await startScene();
  const lines = Array.from({ length: 30 }, (_, at) => `line ${at}\n`).join("");
  const base = await scene.commit("base", { "s.txt": `${lines}${SECRET}`, "other.txt": "x\n" });
  await scene.land("refs/heads/main", base);
  await scene.commit("elsewhere", { "other.txt": "y\n" });
  const edited = await scene.commit("edited", { "s.txt": `${lines}  ${SECRET}` });
  const moved = await scene.commit("moved", { "s.txt": null, "t/u.txt": `${lines}    ${SECRET}` });
  const copied = await scene.commit("copied", { "copy.txt": SECRET });

  const reading = await read(scene, { updates: [branch("main", base, copied)] });

  expect(found(reading).sort()).toEqual(
    [
      `file ${short(edited)} s.txt:31 true`,
      `file ${short(moved)} t/u.txt:31 true`,
      // Another file: the pusher has put it there.
      `file ${short(copied)} copy.txt:1 false`,
    ].sort(),
  );
});

test("a secret that the push brings in is told where it came in, and not again where its line is touched", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const guilty = await scene.commit("guilty", { "s.txt": SECRET });
  const touched = await scene.commit("touched", { "s.txt": `  ${SECRET}` });
  const moved = await scene.commit("moved", { "s.txt": null, "t.txt": `  ${SECRET}` });

  const reading = await read(scene, { updates: [branch("main", base, moved)] });

  expect(found(reading)).toEqual([`file ${short(guilty)} s.txt:1 false`]);
  expect(touched).not.toBe(moved);
});

test("a key that comes in by halves is told at the latest where it is whole", async () => {
  const scene = await startScene();
  const base = await scene.commit("base", { "a.txt": "a\n" });
  await scene.land("refs/heads/main", base);
  const lines = plantedPem.split("\n");
  await scene.commit("first", { "k.txt": `${lines.slice(7).join("\n")}\n` });
  await scene.commit("second", { "k.txt": `${plantedPem}\n` });
  const whole = await scene.commit("third", { "k.txt": `${plantedPem}\r\n` });
  const again = await scene.commit("fourth", { "k.txt": `\n${lines.map((line) => `${line} `).join("\n")}\n` });

  const reading = await read(scene, { updates: [branch("main", base, again)] });

  expect(whole).not.toBe(again);
  expect(reading.facts.findings.some(({ known, path }) => !known && path === "k.txt")).toBe(true);
});

test("every LFS pointer of every commit, also where more follows it", async () => {
  const scene = await startScene();
  const pointer = (digit: string): string =>
    `version https://git-lfs.github.com/spec/v1\noid sha256:${digit.repeat(64)}\nsize 123\n`;
  const one = await scene.commit("one", { "a.bin": pointer("1"), "not.txt": "version 1\n" });
  const two = await scene.commit("two", { "a.bin": pointer("2"), "long.bin": `${pointer("3")}${" ".repeat(2000)}x` });

  const reading = await read(scene, { updates: [branch("main", ZERO, two)] });

  expect(reading.pointers.map(({ commit, path, oid, bytes }) => [commit, path, oid[0], bytes])).toEqual([
    [one, "a.bin", "1", 123],
    [two, "a.bin", "2", 123],
    [two, "long.bin", "3", 123],
  ]);
});

test("a push with more secrets than the limit is denied, however small they are and wherever they stand", async () => {
  const scene = await startScene();
  const many = await scene.commit("many", { "a.txt": SECRET.repeat(2), "b.txt": SECRET.repeat(2) });
  const refusalOf = (limits: Partial<PushLimits>): Promise<unknown> =>
    read(scene, { updates: [branch("main", ZERO, many)], limits }).then(
      ({ facts }) => facts.findings.length,
      (error: unknown) => error,
    );
  expect(await refusalOf({ findings: 4 })).toBe(4);
  expect(await refusalOf({ findings: 3 })).toMatchObject({
    code: "limit_exceeded",
    message: expect.stringContaining("holds more than 3 secrets"),
  });
  const told = await scene.commit(`told ${plantedAwsKey}\n\n${plantedSlackToken}`, { "c.txt": "c\n" });
  await scene.land("refs/heads/main", many);
  const update = branch("main", many, told);
  // What is upstream already is not the pusher's doing.
  expect((await read(scene, { updates: [update], limits: { findings: 2 } })).facts.findings).toHaveLength(2);
  await expect(read(scene, { updates: [update], limits: { findings: 1 } })).rejects.toMatchObject({
    code: "limit_exceeded",
  });
});

test("time, depth and paths are bounded, each with a text of its own", async () => {
  const scene = await startScene();
  const one = await scene.commit("one", { "a/b/c/d/e.txt": "x\n", "f.txt": "y\n" });
  const updates = [branch("main", ZERO, one)];
  const refusalOf = (limits: Partial<PushLimits>): Promise<unknown> =>
    read(scene, { updates, limits }).then(
      () => null,
      (error: unknown) => error,
    );
  expect(await refusalOf({ treeDepth: 3 })).toMatchObject({
    code: "limit_exceeded",
    message: expect.stringContaining("more than 3 deep"),
  });
  expect(await refusalOf({ changedPaths: 1 })).toMatchObject({
    code: "limit_exceeded",
    message: expect.stringContaining("more than 1 path"),
  });
  expect(await refusalOf({ inspectionMs: 0 })).toMatchObject({
    code: "limit_exceeded",
    message: expect.stringContaining("took longer than 0 s"),
  });
});
