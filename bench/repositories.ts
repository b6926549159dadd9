/** Histories to push, made up anew for each run: no run is helped by an earlier one. */
import { randomBytes, randomInt } from "node:crypto";
import type { Comparison } from "./benchmark.ts";
import type { FastImport, NewCommit } from "./fast-import.ts";

/** One push of `branch` to the upstream's `main`, told in the table's row `row`. */
export interface PushStep {
  readonly row: string;
  readonly branch: string;
  readonly wanted: Comparison["wanted"];
  /** Of the request alone, its pack made beforehand. */
  readonly wantedAlone: Comparison["wanted"];
}

export interface Subject {
  readonly name: string;
  /** Makes `main`, which the upstream has before, and the branches of the steps, each on top of the one before. */
  readonly make: (stream: FastImport) => Promise<void>;
  readonly steps: readonly PushStep[];
  /** Whether the same is pushed once more from a repository that `git gc` has been through. */
  readonly isPackedToo: boolean;
  /** For a subject that is run only where it is asked for: the room that it takes. */
  readonly diskBytes: number | null;
}

const FILES = 200;
const LINES = 120;
const MIB = 1024 * 1024;
/** Pushes of one commit in one round: they are quick, and single ones say little. */
const SMALL_PUSHES = 12;
/** Of each of the pushes that go out together. */
const COMMITS_AT_ONCE = 3;

function smallPush(step: number): PushStep {
  const [row, addedMs] =
    step === 0
      ? ["1 commit, the first push to a repository (cold cache)", 250]
      : step % 2 === 0
        ? ["1 commit to a file that no push has touched yet", 250]
        : ["1 commit to a file pushed before (warm cache)", 60];
  return { row, branch: `step-${step}`, wanted: { addedMs }, wantedAlone: { addedMs } };
}

/** A subject with one push, after which `main` is `step-0`. */
const onePush = (row: string, ratio: number, ratioAlone: number | null): PushStep[] => [
  { row, branch: "step-0", wanted: { ratio }, wantedAlone: ratioAlone === null ? null : { ratio: ratioAlone } },
];

const sourceLine = (): string =>
  `export const v${randomBytes(4).toString("hex")} = compute(${randomInt(100_000)}, "${randomBytes(6).toString("hex")}");`;

/** A tree of ordinary-looking source files that can be edited. */
class SourceTree {
  readonly #files = Array.from({ length: FILES }, () => Array.from({ length: LINES }, sourceLine));

  static path(at: number): string {
    return `src/part-${at % 10}/file-${at}.ts`;
  }

  all(): Map<string, string> {
    return new Map(this.#files.map((lines, at) => [SourceTree.path(at), `${lines.join("\n")}\n`]));
  }

  /** Rewrites three lines of one file and adds two, as a small change does. @returns the file's path and new content */
  edit(at: number): readonly [string, string] {
    const lines = this.#files[at] ?? [];
    const from = randomInt(lines.length - 3);
    lines.splice(from, 3, ...Array.from({ length: 5 }, sourceLine));
    return [SourceTree.path(at), `${lines.join("\n")}\n`];
  }
}

const base = (tree: SourceTree): NewCommit => ({ branch: "main", mark: 1, parents: [], files: tree.all() });

/** The first push finds an empty cache; of the others every second one edits a file whose old version no push has touched. */
const oneCommit: Subject = {
  name: "1 commit",
  make: async (stream) => {
    const tree = new SourceTree();
    await stream.commit(base(tree));
    for (let step = 0; step < SMALL_PUSHES; step++) {
      const files = new Map([tree.edit(step >> 1)]);
      await stream.commit({ branch: `step-${step}`, mark: step + 2, parents: [step + 1], files });
    }
  },
  steps: Array.from({ length: SMALL_PUSHES }, (_, step) => smallPush(step)),
  isPackedToo: false,
  diskBytes: null,
};

/** Edits on two lines of development, merged again and again; one merge in ten changes something itself. */
const manyCommits: Subject = {
  name: "2,000 commits",
  make: async (stream) => {
    const tree = new SourceTree();
    await stream.commit(base(tree));
    let tip = 1;
    for (let mark = 2; mark <= 1997; mark += 3) {
      const side = tree.edit((2 * mark) % FILES);
      await stream.commit({ branch: "side", mark, parents: [tip], files: new Map([side]) });
      const files = new Map([tree.edit((2 * mark + 1) % FILES)]);
      await stream.commit({ branch: "step-0", mark: mark + 1, parents: [tip], files });
      const isEvil = mark % 30 === 2;
      const merged = new Map([side, ...(isEvil ? [tree.edit((2 * mark + 2) % FILES)] : [])]);
      await stream.commit({ branch: "step-0", mark: mark + 2, parents: [mark + 1, mark], files: merged });
      tip = mark + 2;
    }
    for (const mark of [2000, 2001]) {
      await stream.commit({ branch: "step-0", mark, parents: [tip], files: new Map([tree.edit(mark % FILES)]) });
      tip = mark;
    }
  },
  steps: onePush("2,000 commits, a third of them merges", 2, null),
  isPackedToo: true,
  diskBytes: null,
};

function* randomPieces(bytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes; at += MIB) yield randomBytes(Math.min(MIB, bytes - at));
}

/** One commit on top of `main` that adds random files of 20 MiB each. */
const addBinaries = async (stream: FastImport, branch: string, count: number): Promise<void> => {
  await stream.commit(base(new SourceTree()));
  const bytes = 20 * MIB;
  const files = new Map(
    Array.from({ length: count }, (_, at) => [`assets/${at}.bin`, { bytes, pieces: randomPieces(bytes) }] as const),
  );
  await stream.commit({ branch, mark: 2, parents: [1], files });
};

const binaries: Subject = {
  name: "200 MB",
  make: (stream) => addBinaries(stream, "step-0", 10),
  steps: onePush("1 commit with 200 MB of binaries in 10 files", 1.5, 2.5),
  isPackedToo: true,
  diskBytes: null,
};

/** Many files: one may have 100 MiB at most. */
const gigabyte: Subject = {
  name: "1 GB",
  make: (stream) => addBinaries(stream, "step-0", 50),
  steps: onePush("1 commit with 1 GB of binaries in 50 files", 1.5, null),
  isPackedToo: false,
  diskBytes: 10 * 1024 * MIB,
};

export const subjects: readonly Subject[] = [oneCommit, manyCommits, binaries, gigabyte];

/** `main` and branches `work-<n>` of some commits each, for pushes at the same time. */
export const makeBranches =
  (count: number) =>
  async (stream: FastImport): Promise<void> => {
    const tree = new SourceTree();
    await stream.commit(base(tree));
    for (let at = 0; at < count; at++) {
      for (let commit = 0; commit < COMMITS_AT_ONCE; commit++) {
        const mark = 2 + at * COMMITS_AT_ONCE + commit;
        const parents = [commit === 0 ? 1 : mark - 1];
        await stream.commit({
          branch: `work-${at}`,
          mark,
          parents,
          files: new Map([tree.edit((at + commit) % FILES)]),
        });
      }
    }
  };

/** `main` with 300 MiB of random files, for a clone. */
export const makeClonable = (stream: FastImport): Promise<void> => addBinaries(stream, "main", 15);
