/** What inspection reads, held against git itself: over histories made by chance, every path, every line, every object. */
import { expect, test } from "vitest";
import { readAdditions } from "../../../src/git/additions.ts";
import { readChanges } from "../../../src/git/commits.ts";
import type { NewObjects } from "../../../src/git/new-objects.ts";
import { pathText } from "../../../src/git/object-text.ts";
import { collect, gitBytes, startScene, type Scene } from "../inspection.ts";
import { createRandom, randomHistory } from "./random-history.ts";

const COMMITS = 30;

interface Subject {
  readonly scene: Scene;
  readonly objects: NewObjects;
}

/** A history of which the upstream has the beginning, and the rest is pushed. */
async function pushHistory(seed: number, count = COMMITS): Promise<Subject> {
  const random = createRandom(seed);
  const objectFormat = seed % 4 === 3 ? "sha256" : "sha1";
  const scene = await startScene({ objectFormat });
  const stream = randomHistory(random, count, objectFormat === "sha1" ? 40 : 64);
  await gitBytes(["fast-import", "--quiet", "--done"], scene.work, stream);
  const commits = (await scene.must("rev-list", "--reverse", "--topo-order", "main")).split("\n");
  const zero = "0".repeat(objectFormat === "sha1" ? 40 : 64);
  const base = random.chance(0.3) ? null : (commits[random.int(count - 2)] ?? null);
  if (base !== null) await scene.land("refs/heads/main", base);
  const tip = commits.at(-1) ?? "";
  const depth = `--depth=${random.pick([3, 50])}`;
  const flags = [["--thin", "--delta-base-offset"], [], ["--thin"], ["--thin", "--delta-base-offset"]][seed % 4] ?? [];
  const pack = await scene.pack([tip], base === null ? [] : [base], [...flags, "--window=20", depth]);
  const updates = [{ ref: "refs/heads/main", oldOid: base ?? zero, newOid: tip }];
  return { scene, objects: await scene.inspect({ updates, pack }) };
}

const gitText = async ({ scene }: Subject, args: readonly string[]): Promise<string> =>
  (await gitBytes(args, scene.work)).toString("latin1");

const blob = (subject: Subject, oid: string): Promise<Buffer> =>
  gitBytes(["cat-file", "blob", oid], subject.scene.work);

interface Raw {
  readonly path: string;
  readonly oldOids: readonly string[];
  readonly oldModes: readonly string[];
  readonly newMode: string;
  readonly newOid: string;
}

/** `git diff-tree --raw -z`, of merges with `-c`. */
async function rawDiff(subject: Subject, commit: string): Promise<Raw[]> {
  const args = [
    "diff-tree",
    "--root",
    "--no-commit-id",
    "-r",
    "-c",
    "-z",
    "--raw",
    "--no-renames",
    "--no-abbrev",
    commit,
  ];
  const fields = (await gitText(subject, args)).split("\0");
  const entries: Raw[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const words = (fields[at] ?? "").split(" ");
    const parents = (words[0] ?? "").lastIndexOf(":") + 1;
    words[0] = (words[0] ?? "").slice(parents);
    entries.push({
      path: fields[at + 1] ?? "",
      oldModes: words.slice(0, parents),
      newMode: words[parents] ?? "",
      oldOids: words.slice(parents + 1, 2 * parents + 1),
      newOid: words[2 * parents + 1] ?? "",
    });
  }
  return entries;
}

function byCommit<T extends { readonly commit: string }>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(item.commit, [...(groups.get(item.commit) ?? []), item]);
  return groups;
}

const linesIn = (content: string): string[] => {
  const lines = content.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
};

/** Whether `some` stand in `all`, in their order. */
function isSubsequence(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const line of all) if (at < some.length && some[at] === line) at++;
  return at === some.length;
}

const isFile = (mode: string): boolean => mode.startsWith("100") || mode === "120000";

test.each([1, 2, 3, 4, 5, 6, 7, 8])("every path and every line of a history made by chance: %i", async (seed) => {
  const subject = await pushHistory(seed);
  const { objects } = subject;
  const changes = byCommit(await collect(readChanges(objects)));
  const additions = byCommit(await collect(readAdditions(objects)));
  let files = 0;
  for (const commit of objects.commits) {
    const raw = await rawDiff(subject, commit);
    const told = (changes.get(commit) ?? []).map(({ path, mode, oid }) => `${mode} ${oid} ${path}`).sort();
    expect(told, commit).toEqual(
      raw
        .map(({ path, newMode, newOid }) => `${newMode} ${/^0+$/.test(newOid) ? "" : newOid} ${pathText(path)}`)
        .sort(),
    );
    const gone = raw.filter(
      ({ newMode, oldModes }) => newMode === "000000" && oldModes.length === 1 && isFile(oldModes[0] ?? ""),
    );
    for (const { path, newMode, newOid, oldModes, oldOids } of raw) {
      if (!isFile(newMode)) continue;
      files += 1;
      const pieces = (additions.get(commit) ?? []).filter((addition) => addition.path === pathText(path));
      const before = oldOids.filter((_, at) => isFile(oldModes[at] ?? ""));
      const moved = before.length === 0 ? gone.flatMap((entry) => entry.oldOids) : [];
      const now = (await blob(subject, newOid)).toString("latin1");
      const olds = await Promise.all(
        [...before, ...moved].map(async (oid) => (await blob(subject, oid)).toString("latin1")),
      );
      if (now.includes("\0") || olds.some((old) => old.includes("\0"))) {
        // What is printable is told, or was there.
        const text = pieces.map((piece) => piece.text).join("\n");
        for (const run of now.match(/[\t -~]{6,}/g) ?? []) {
          if (!olds.some((old) => old.includes(run))) expect(text, `${commit} ${path}`).toContain(run);
        }
        continue;
      }
      const numbers = new Set<number>();
      const decode = (line: string): string => Buffer.from(line, "latin1").toString("utf8");
      const lines = linesIn(now).map(decode);
      for (const { startLine, text } of pieces) {
        for (const [at, line] of text.split("\n").entries()) {
          expect(line, `${commit} ${path}`).toBe(lines[startLine + at - 1]);
          numbers.add(startLine + at);
        }
      }
      // Whatever way the two are compared: what is not told is, in its order, in a version that was there before.
      const rest = lines.filter((_, at) => !numbers.has(at + 1));
      const versions = olds.map((old) => linesIn(old).map(decode));
      if (oldOids.length < 2) {
        expect(rest.length === 0 || versions.some((version) => isSubsequence(rest, version)), `${commit} ${path}`).toBe(
          true,
        );
      } else {
        for (const line of rest)
          expect(
            versions.some((version) => version.includes(line)),
            `${commit} ${path}`,
          ).toBe(true);
      }
      if (oldOids.length === 1 && before.length === 1) {
        // And no more than git tells.
        const args = ["diff", "--numstat", "--minimal", before[0] ?? "", newOid];
        const added = Number((await gitText(subject, args)).split("\t")[0] || 0);
        expect(numbers.size, `${commit} ${path}`).toBeLessThanOrEqual(added);
      }
    }
  }
  expect(files).toBeGreaterThan(COMMITS / 2);
});

test.each([1, 2, 3, 4])("every object of a pack as git has it, deltas of both kinds among them: %i", async (seed) => {
  const subject = await pushHistory(100 + seed, 60);
  const { pack, source } = subject.objects;
  let deltas = 0;
  for (const type of ["commit", "tree", "blob"] as const) {
    for (const oid of pack.ofType(type)) {
      const content = await gitBytes(["cat-file", type, oid], subject.scene.work);
      expect(source.held(oid)?.equals(content), oid).toBe(true);
      expect(pack.size(oid), oid).toBe(content.length);
      if (pack.entries.base(pack.entry(oid)) !== null) deltas += 1;
    }
  }
  expect(deltas).toBeGreaterThan(0);
});
