/**
 * What every new commit adds, file by file: the lines that its parent does not have. Of a merge, the lines that none of its
 * parents has ("evil merges"). Never the net difference: what a later commit undoes has been pushed all the same.
 *
 * A private key of which a line is added counts as added whole. All of it is read from the objects themselves; no `.gitattributes` and no configuration is in reach. A line that only gains
 * or loses the line feed at the end of its file is not new.
 */
import { isUtf8 } from "node:buffer";
import type { AddedHunk } from "../model/added-hunk.ts";
import { AdditionAssembler } from "./addition-assembler.ts";
import { contentLines, isPlainText, readContentLines, textLines } from "./content-lines.ts";
import { addedLines, linesOf, type Span } from "./inspection/line-diff.ts";
import type { FileVersions } from "./inspection/renames.ts";
import type { Turns } from "./inspection/turns.ts";
import { LineSet } from "./line-set.ts";
import { overLimit } from "./limits.ts";
import type { LooseBlob } from "./loose-objects.ts";
import type { NewObjects } from "./new-objects.ts";
import { pathText } from "./object-text.ts";
import { KEY_BEGINS, WholeKeys } from "./whole-keys.ts";

/** Added lines in one piece. Findings in an overlap have the same place in both pieces: they are the same finding. */
export interface Addition extends AddedHunk {
  /** 1-based column of the text's first character, in UTF-16 code units: more than 1 in later pieces of a very long line. */
  readonly startColumn: number;
  /** How many code units at the beginning the addition before had already. */
  readonly overlap: number;
  /** `extracted`: the printable part of what is no text; lines are right, columns mean nothing. Not for attribution. */
  readonly kind: "text" | "extracted";
}

/** Files whose contents are asked for together, where they are not in memory. */
const AHEAD_FILES = 32;

/**
 * Every addition of every new commit, in the order of the commits, and all content that no commit has; each in some hundred
 * KiB at most (a line of up to 4 MiB stays whole).
 * @throws GatewayError `inspection_failed`, `limit_exceeded`
 */
export async function* readAdditions(objects: NewObjects): AsyncGenerator<Addition, void, undefined> {
  const meter = createAdditionMeter(objects);
  await objects.oldFiles();
  for (const commit of objects.commits) yield* readCommitAdditions(objects, commit, meter);
  for (const blob of objects.looseBlobs) yield* readWhole(objects, blob, meter);
}

/** Counts what is read of one push. */
export type AdditionMeter = (additions: readonly Addition[]) => void;

export function createAdditionMeter({ quarantine }: NewObjects): AdditionMeter {
  const limit = quarantine.limits.additionBytes;
  let left = limit;
  return (additions) => {
    for (const { text } of additions) left -= text.length;
    if (left < 0) throw overLimit.additionBytes(limit);
  };
}

/** What one commit adds. */
async function* readCommitAdditions(
  objects: NewObjects,
  commit: string,
  meter: AdditionMeter,
): AsyncGenerator<Addition, void, undefined> {
  for await (const { additions } of readChangedFiles(objects, commit, meter)) yield* additions;
}

export interface ChangedFile {
  readonly file: FileVersions;
  /** To be read to its end before the next file is asked for. */
  readonly additions: AsyncGenerator<Addition, void, undefined>;
}

/** The files that one commit changes, and what it adds to each. @throws GatewayError as {@link readAdditions} */
export async function* readChangedFiles(
  objects: NewObjects,
  commit: string,
  meter: AdditionMeter,
): AsyncGenerator<ChangedFile, void, undefined> {
  const files = await objects.changes.files(commit);
  for (const [at, file] of files.entries()) {
    if (at % AHEAD_FILES === 0) {
      const next = files.slice(at, at + AHEAD_FILES);
      await objects.source.readAhead(
        next.flatMap(({ change, before }) => [change.oid, ...before.map(({ oid }) => oid)]),
      );
    }
    if (!isUnchanged(file)) yield { file, additions: metered(ofFile(objects, commit, file), meter) };
  }
}

async function* metered(pieces: AsyncGenerator<Addition[]>, meter: AdditionMeter): AsyncGenerator<Addition> {
  for await (const additions of pieces) {
    meter(additions);
    yield* additions;
  }
}

/** Only its mode or its name has changed. */
const isUnchanged = ({ change, before }: FileVersions): boolean => before.some(({ oid }) => oid === change.oid);

/** A file as a whole, as one that was never there before. @throws GatewayError as {@link readAdditions} */
export function readWhole(
  objects: NewObjects,
  { oid, from, path }: Pick<LooseBlob, "oid" | "from" | "path">,
  meter: AdditionMeter,
): AsyncGenerator<Addition, void, undefined> {
  return metered(ofBlob(objects, { commit: from, path, oid, before: [] }), meter);
}

interface BlobReading {
  readonly commit: string;
  readonly path: string;
  readonly oid: string;
  /** The same file before. */
  readonly before: readonly string[];
}

const ofFile = (objects: NewObjects, commit: string, { change, before }: FileVersions): AsyncGenerator<Addition[]> =>
  ofBlob(objects, {
    commit,
    path: pathText(change.path),
    oid: change.oid,
    before: [...new Set(before.map(({ oid }) => oid))],
  });

async function* ofBlob(objects: NewObjects, reading: BlobReading): AsyncGenerator<Addition[]> {
  const { source, turns } = objects;
  if (turns.due) await turns.take();
  const now = await source.load(reading.oid);
  const before: Buffer[] = [];
  for (const oid of now === null ? [] : reading.before) {
    const old = await source.load(oid);
    if (old !== null) before.push(old);
  }
  if (now === null || before.length < reading.before.length) {
    yield* ofLargeBlob(objects, reading);
    return;
  }
  const assembler = new AdditionAssembler(reading.commit, reading.path);
  if (isPlainText(now) && before.every(isPlainText)) {
    const added = await linesInNone(now, before, turns);
    const hasKey = now.includes(KEY_BEGINS);
    const whole = hasKey ? null : wholeRuns(now, added);
    if (whole !== null) {
      for (const run of whole) yield [{ ...run, commit: reading.commit, path: reading.path }];
      return;
    }
    const isAdded = hasKey ? new Set(added.map(({ number }) => number)) : null;
    const keys = new WholeKeys();
    // In pieces: a large new file would come as one list of everything in it.
    for (const { number, begin, end } of isAdded === null ? added : linesOf(now)) {
      for (const line of textLines(number, now.subarray(begin, end))) {
        const lines = isAdded === null ? [line] : keys.push(line, isAdded.has(number));
        const told = lines.flatMap((line) => assembler.add(line));
        if (told.length > 0) yield told;
      }
    }
    yield keys.end().flatMap((line) => assembler.add(line));
  } else {
    const known = new LineSet();
    for (const old of before) known.addAll(contentLines(old));
    const keys = new WholeKeys();
    for (const line of contentLines(now)) {
      const told = keys.push(line, !known.has(line)).flatMap((line) => assembler.add(line));
      if (told.length > 0) yield told;
    }
    yield keys.end().flatMap((line) => assembler.add(line));
  }
  yield assembler.end();
}

/** Lines of `now` that none of the versions before has. */
async function linesInNone(now: Buffer, before: readonly Buffer[], turns: Turns): Promise<Span[]> {
  const [first, ...others] = before;
  let lines = first === undefined ? linesOf(now) : await addedLines(now, first, turns);
  for (const other of others) {
    const added = new Set((await addedLines(now, other, turns)).map(({ number }) => number));
    lines = lines.filter(({ number }) => added.has(number));
  }
  return lines;
}

/** Longer ones are told in pieces. */
const MAX_RUN_BYTES = 128 * 1024;

/**
 * Runs of consecutive lines as one text each: nearly all files are read like this, in a third of the time that line by line takes.
 * @returns null where a line needs a look of its own: what is no UTF-8, what holds NULs, what is long
 */
function wholeRuns(now: Buffer, lines: readonly Span[]): Omit<Addition, "commit" | "path">[] | null {
  if (!isUtf8(now) || now.includes(0)) return null;
  const runs: Omit<Addition, "commit" | "path">[] = [];
  for (let at = 0; at < lines.length;) {
    const first = lines[at++]!;
    let last = first;
    for (; at < lines.length && lines[at]!.number === last.number + 1; at++) last = lines[at]!;
    if (last.end - first.begin > MAX_RUN_BYTES) return null;
    const text = now.toString("utf8", first.begin, last.end);
    runs.push({ startLine: first.number, startColumn: 1, overlap: 0, kind: "text", text });
  }
  return runs;
}

async function* ofLargeBlob({ source, turns }: NewObjects, reading: BlobReading): AsyncGenerator<Addition[]> {
  const known = new LineSet();
  for (const oid of reading.before) {
    for await (const lines of readContentLines(source.chunks(oid))) {
      known.addAll(lines);
      if (turns.due) await turns.take();
    }
  }
  const assembler = new AdditionAssembler(reading.commit, reading.path);
  const keys = new WholeKeys();
  const lines = source.digest(reading.oid)?.lines() ?? readContentLines(source.chunks(reading.oid));
  for await (const some of lines) {
    yield some.flatMap((line) => keys.push(line, !known.has(line))).flatMap((line) => assembler.add(line));
    if (turns.due) await turns.take();
  }
  yield keys.end().flatMap((line) => assembler.add(line));
  yield assembler.end();
}
