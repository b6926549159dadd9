/** Properties of the engine that compares trees, deltas and lines: held against what is obvious, or against real git. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { applyDelta } from "../../src/git/inspection/delta.ts";
import { addedLines, linesOf } from "../../src/git/inspection/line-diff.ts";
import { PackEntries } from "../../src/git/inspection/pack-entries.ts";
import { checkTree, DIRECTORY, EMPTY_TREE, modeText, TreeCursor } from "../../src/git/inspection/tree.ts";
import { diffTrees, type TreeReading } from "../../src/git/inspection/tree-diff.ts";
import { Turns } from "../../src/git/inspection/turns.ts";
import { defaultPushLimits } from "../../src/git/limits.ts";
import { PackScanner } from "../../src/git/pack-scanner.ts";
import { encodePackFile, makeDelta, objectId, varint } from "../fuzz/pack-file.ts";
import { Random } from "../fuzz/random.ts";
import { git, temporaryDirectory } from "../harness/git.ts";
import { endsWell } from "./splits.ts";

const MEBIBYTE = 1024 * 1024;
const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));

describe("applyDelta", () => {
  it("undoes what a delta was made of", () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, bytes, fc.nat(), (head, tail, one, other, seed) => {
        const base = Buffer.concat([head, one, tail]);
        const result = Buffer.concat([head, other, tail]);
        expect(applyDelta(base, makeDelta(base, result, new Random(seed)), MEBIBYTE)).toEqual(result);
      }),
    );
  });

  it("makes an object of the size that it says, or none at all", () => {
    const delta = fc.tuple(bytes, fc.nat(500), fc.nat(500), bytes).map(([base, from, to, rest]) => ({
      base,
      delta: Buffer.concat([varint(from % 2 === 0 ? base.length : from), varint(to), rest]),
      to,
    }));
    fc.assert(
      fc.property(delta, ({ base, delta, to }) => {
        let result: Buffer;
        try {
          result = applyDelta(base, delta, MEBIBYTE);
        } catch (error) {
          expect(error).toMatchObject({ code: "pack_invalid" });
          return;
        }
        expect(result.length).toBe(to);
      }),
      { numRuns: 1_000 },
    );
  });

  it("refuses a delta cut off anywhere, and one that says more than may be", () => {
    const base = Buffer.from("a base that is long enough to be copied from");
    const delta = makeDelta(
      base,
      Buffer.from("a base that is long enough, and was changed, to be copied from"),
      new Random(1),
    );
    for (let end = 0; end < delta.length; end++) {
      expect(() => applyDelta(base, delta.subarray(0, end), MEBIBYTE)).toThrow(GatewayError);
    }
    for (const size of [MEBIBYTE + 1, 2 ** 31, 2 ** 40, 2 ** 52]) {
      const before = process.memoryUsage().arrayBuffers;
      expect(() => applyDelta(base, Buffer.concat([varint(base.length), varint(size)]), MEBIBYTE)).toThrow("no object");
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MEBIBYTE);
    }
  });
});

describe("PackEntries", () => {
  it("takes no room for what is only announced", () => {
    const before = process.memoryUsage().arrayBuffers;
    const entries = new PackEntries(1_000_000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MEBIBYTE);
    for (let at = 0; at < 5_000; at++) entries.add({ offset: 12 + at * 10, type: 3, base: null }, at, null);
    entries.add({ offset: 60_000, type: 6, base: 12 + 4_999 * 10 }, 7, Buffer.from("kept"));
    expect(entries.resolveBases(() => -1)).toBe(true);
    expect([entries.count, entries.find(12 + 1_024 * 10), entries.find(13), entries.size(4_321)]).toEqual([
      5_001, 1_024, -1, 4_321,
    ]);
    expect([entries.base(5_000), entries.type(5_000), entries.content(5_000)?.toString()]).toEqual([4_999, 3, "kept"]);
    entries.release();
  });

  it("knows each entry, wherever deltas lead", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat()), { minLength: 1, maxLength: 60 }), (plan) => {
        const entries = new PackEntries(plan.length);
        const roots: number[] = [];
        for (const [at, base] of plan.entries()) {
          const to = base === null || at === 0 ? null : base % at;
          roots[at] = to === null ? at : (roots[to] ?? 0);
          const type = to === null ? 1 + (at % 4) : 6;
          expect(entries.add({ offset: 12 + at * 7, type, base: to === null ? null : 12 + to * 7 }, at, null)).toBe(
            true,
          );
        }
        expect(entries.resolveBases(() => -1)).toBe(true);
        for (const [at, root] of roots.entries()) expect(entries.type(at)).toBe(1 + (root % 4));
      }),
    );
  });

  it("says no to a base that is nowhere, to itself and to a circle by name", () => {
    const nowhere = new PackEntries(2);
    nowhere.add({ offset: 12, type: 3, base: null }, 1, null);
    expect(nowhere.add({ offset: 30, type: 6, base: 13 }, 1, null)).toBe(false);
    const itself = new PackEntries(1);
    expect(itself.add({ offset: 12, type: 6, base: 12 }, 1, null)).toBe(false);
    const circle = new PackEntries(2);
    circle.add({ offset: 12, type: 7, base: Buffer.from([1]) }, 1, null);
    circle.add({ offset: 30, type: 7, base: Buffer.from([0]) }, 1, null);
    expect(circle.resolveBases((id) => id[0] ?? -1)).toBe(false);
  });
});

describe("PackScanner", () => {
  it("keeps what each pack holds apart from others that come in at the same time", async () => {
    const contents = (who: string): Buffer[] =>
      Array.from({ length: 1_500 }, (_, at) => Buffer.from(`${who} ${at} `.repeat(1 + (at % 9))));
    const scan = async (who: string): Promise<void> => {
      const scanner = new PackScanner("sha1", defaultPushLimits);
      const pack = encodePackFile(
        contents(who).map((content) => ({ type: 3, content })),
        "sha1",
      );
      for (let at = 0; at < pack.length; at += 4_000) await scanner.feed(pack.subarray(at, at + 4_000));
      await scanner.finish();
      const wrong = contents(who).filter((content, at) => scanner.entries?.content(at)?.equals(content) !== true);
      expect(wrong.length).toBe(0);
      scanner.close();
      scanner.entries?.release();
    };
    await Promise.all(["ana", "bob", "somebody with a longer name", "c"].map(scan));
  });
});

const ID_BYTES = 20;
const name = fc.string({ unit: fc.constantFrom("a", "b", "c", "-", ".", "0", "é"), minLength: 1, maxLength: 3 });
const mode = fc.constantFrom("100644", "100755", "120000", "40000", "160000");

interface Entry {
  readonly mode: string;
  readonly name: string;
  readonly id: Buffer;
}

const writeTree = (entries: readonly Entry[]): Buffer =>
  Buffer.concat(entries.flatMap(({ mode, name, id }) => [Buffer.from(`${mode} ${name}\0`), id]));
const sortKey = ({ mode, name }: Entry): Buffer => Buffer.from(mode === "40000" ? `${name}/` : name);
const sorted = (entries: readonly Entry[]): Entry[] => entries.toSorted((a, b) => sortKey(a).compare(sortKey(b)));

const entry = fc.record({
  mode,
  name,
  id: fc.uint8Array({ minLength: ID_BYTES, maxLength: ID_BYTES }).map((array) => Buffer.from(array)),
});

describe("trees", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
        const cursor = new TreeCursor("t", writeTree(entries), ID_BYTES);
        for (const { mode, name, id } of entries) {
          expect([modeText(cursor.mode), Buffer.from(cursor.name(), "latin1").toString(), cursor.id()]).toEqual([
            mode.padStart(6, "0"),
            name,
            id.toString("hex"),
          ]);
          cursor.next();
        }
        expect(cursor.isOver).toBe(true);
      }),
    );
  });

  it("cut off or changed anywhere, are read, refused, and never read beyond their end", async () => {
    const tree = writeTree(sorted([entryOf("a", "100644"), entryOf("b", "40000"), entryOf("c", "160000")]));
    const read = (bytes: Buffer): void => {
      // A view into something larger: what lies behind it is somebody else's.
      const within = Buffer.concat([
        bytes,
        Buffer.from("100644 not-ours\0").fill(0x41, 0, 3),
        Buffer.alloc(40, 1),
      ]).subarray(0, bytes.length);
      checkTree("t", within, ID_BYTES);
      for (const cursor = new TreeCursor("t", within, ID_BYTES); !cursor.isOver; cursor.next()) {
        expect(cursor.nameEnd + 1 + ID_BYTES).toBeLessThanOrEqual(within.length);
      }
    };
    for (let end = 0; end <= tree.length; end++) expect(await endsWell(() => read(tree.subarray(0, end)))).toBe(true);
    for (let at = 0; at < tree.length; at++) {
      for (const value of [0, 0x20, 0x2f, 0x37, 0x38, 0xff]) {
        const changed = Buffer.from(tree);
        changed[at] = value;
        expect(await endsWell(() => read(changed))).toBe(true);
      }
    }
  });

  it("are well-formed here exactly where git fsck finds nothing that two programs could read differently", async () => {
    const cwd = await temporaryDirectory("trees");
    await git(["init", "-q"], { cwd });
    const serious = /duplicateEntries|treeNotSorted|fullPathname|hasDot|hasDotdot|hasDotgit|emptyName|badTree|nullSha1/;
    const cases = fc.sample(fc.array(entry, { maxLength: 5 }), { numRuns: 40, seed: 7 });
    let refused = 0;
    for (const entries of [...cases, ...cases.map(sorted)]) {
      const content = writeTree(entries);
      const made = await git(["hash-object", "-w", "--literally", "-t", "tree", "--stdin"], { cwd, input: content });
      const { stderr, stdout } = await git(["fsck", "--strict", made.stdout.trim()], { cwd });
      const said = `${stderr}${stdout}`
        .split("\n")
        .filter((line) => line.includes(made.stdout.trim()) && serious.test(line));
      const isRefused = !(await endsWell(() => {
        try {
          checkTree("t", content, ID_BYTES);
        } catch {
          throw new Error("refused");
        }
      }));
      if (isRefused) refused += 1;
      expect(isRefused, `${said.join()} ${content.toString("latin1")}`).toBe(said.length > 0);
    }
    expect(refused).toBeGreaterThan(10);
  });
});

const entryOf = (name: string, mode: string): Entry => ({ mode, name, id: Buffer.alloc(ID_BYTES, name) });

interface Directory {
  readonly [name: string]: Directory | string;
}

/** A file's content stands for its id. */
const directory: fc.Arbitrary<Directory> = fc.letrec<{ node: Directory }>((tie) => ({
  node: fc.dictionary(
    fc.constantFrom("a", "a-", "a.b", "b", "c"),
    fc.oneof({ maxDepth: 3, withCrossShrink: true }, fc.constantFrom("1", "2", "3"), tie("node")),
    { maxKeys: 4 },
  ),
})).node;

function store(node: Directory, trees: Map<string, Buffer>): string {
  const entries = Object.entries(node).map(([name, child]): Entry =>
    typeof child === "string"
      ? { mode: "100644", name, id: Buffer.alloc(ID_BYTES, child) }
      : { mode: "40000", name, id: Buffer.from(store(child, trees), "hex") },
  );
  const content = writeTree(sorted(entries));
  const oid = objectId({ kind: "tree", content }, "sha1");
  trees.set(oid, content);
  return oid;
}

const filesIn = (node: Directory, prefix = ""): [string, string][] =>
  Object.entries(node).flatMap(([name, child]): [string, string][] =>
    typeof child === "string" ? [[prefix + name, child]] : filesIn(child, `${prefix}${name}/`),
  );

describe("diffTrees", () => {
  it("tells exactly the files that no parent has at this path, and those that every parent had and that are gone", async () => {
    await fc.assert(
      fc.asyncProperty(directory, fc.array(directory, { minLength: 1, maxLength: 3 }), async (now, parents) => {
        const trees = new Map<string, Buffer>();
        const oid = store(now, trees);
        const olds = parents.map((parent) => store(parent, trees));
        const met = new Set<string>();
        const reading: TreeReading = {
          idBytes: ID_BYTES,
          emptyTree: EMPTY_TREE.sha1,
          limits: { treeDepth: 50, changedPaths: 10_000 },
          turns: new Turns(),
          held: (id) => trees.get(id) ?? null,
          load: async () => null,
          isNew: () => true,
          meet: (id) => void met.add(id),
        };
        const changes = await diffTrees(oid, olds, reading, { paths: 0 });
        const told = changes
          .filter(({ mode }) => mode !== DIRECTORY)
          .map(({ path, mode }) => `${mode === 0 ? "-" : "+"}${path}`);
        const here = new Map(filesIn(now));
        const before = parents.map((parent) => new Map(filesIn(parent)));
        const expected = [
          ...[...here].filter(([path, id]) => before.every((old) => old.get(path) !== id)).map(([path]) => `+${path}`),
          ...[...(before[0]?.keys() ?? [])]
            .filter((path) => !here.has(path) && before.every((old) => old.has(path)))
            .map((path) => `-${path}`),
        ];
        expect(told.toSorted()).toEqual(expected.toSorted());
        // Whatever is told was met, or it would be refused as unreached.
        for (const change of changes) if (change.mode !== 0) expect(met.has(change.oid)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe("addedLines", () => {
  const text = fc
    .array(fc.constantFrom("a", "b", "c", "dd", "", "\r", "a b"), { maxLength: 40 })
    .chain((lines) => fc.boolean().map((ends) => Buffer.from(lines.join("\n") + (ends ? "\n" : ""))));

  const expectSound = async (now: Buffer, before: Buffer): Promise<void> => {
    const added = await addedLines(now, before, new Turns());
    const all = linesOf(now);
    const textOf = (bytes: Buffer, { begin, end }: { begin: number; end: number }): string =>
      bytes.toString("latin1", begin, end);
    const numbers = new Set(added.map(({ number }) => number));
    // Each stands where it is said to.
    for (const line of added) expect(line).toEqual(all[line.number - 1]);
    // What is not told is in the old version, in this order.
    const olds = linesOf(before).map((line) => textOf(before, line));
    let at = 0;
    for (const line of all) {
      if (numbers.has(line.number)) continue;
      at = olds.indexOf(textOf(now, line), at) + 1;
      expect(at).toBeGreaterThan(0);
    }
  };

  it("never passes over a line that the old version has not, in its order", async () => {
    await fc.assert(fc.asyncProperty(text, text, expectSound), { numRuns: 1_000 });
  });

  it("nor in files of thousands of lines with hundreds of changes", async () => {
    const random = new Random(3);
    for (let round = 0; round < 8; round++) {
      const before = Array.from({ length: 3_000 }, (_, line) => (random.once(3) ? `${random.int(20)}` : `${line}`));
      const now = before.flatMap((line) =>
        random.once(4) ? [] : random.once(4) ? [line, `new ${random.int(50)}`] : [line],
      );
      if (round % 2 === 0) now.sort(() => (random.once(200) ? 1 : 0));
      await expectSound(Buffer.from(now.join("\n")), Buffer.from(before.join("\n")));
    }
  });
});
