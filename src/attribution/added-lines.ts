import type { AddedHunk } from "../model/added-hunk.ts";
import { BLANK, createLineHasher, lineWeight } from "./fingerprints.ts";

/** A commit's added lines, one after the other: files by path, lines by number. A position is an index into the arrays. */
export interface AddedLines {
  readonly paths: readonly string[];
  /** Index into `paths`. */
  readonly file: Int32Array;
  /** 1-based number in the new version of the file. */
  readonly line: Int32Array;
  readonly hash: Float64Array;
  /** What an equal line says, less the more often the commit repeats it. */
  readonly weight: Float64Array;
  /** Positions by hash, ascending; lines that say nothing are not in it, nor those repeated more than {@link MAX_REPEATS} times. */
  readonly anchors: ReadonlyMap<number, readonly number[]>;
  readonly length: number;
  /** True when the commit adds more than `max` lines; those beyond are left out. */
  readonly truncated: boolean;
}

/** A line that a commit repeats more often anchors nothing: it is boilerplate, and would cost time in the square. */
const MAX_REPEATS = 64;

const compare = <T extends string | number>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** Finds the anchors and scales the weights of repeated lines: half for a line that stands in four places. */
function indexAnchors(hash: readonly number[], weight: number[]): Map<number, number[]> {
  const anchors = new Map<number, number[]>();
  hash.forEach((value, position) => {
    if (weight[position] === 0) return;
    const positions = anchors.get(value);
    if (positions === undefined) anchors.set(value, [position]);
    else positions.push(position);
  });
  for (const [value, positions] of anchors) {
    const scale = 1 / (1 + Math.log2(positions.length) / 2);
    for (const position of positions) weight[position] = weight[position]! * scale;
    if (positions.length > MAX_REPEATS) anchors.delete(value);
  }
  return anchors;
}

/**
 * Cuts hunks into lines. Two files of a commit can have one path here (bytes that are not UTF-8 were replaced), and a merge can list a
 * hunk once per parent: a line number that was already seen in a path is dropped, so that (path, line) stays unique.
 */
export function splitHunks(hunks: readonly AddedHunk[], key: Uint8Array | null, max: number): AddedLines {
  const hashLine = createLineHasher(key);
  const paths: string[] = [];
  const file: number[] = [];
  const line: number[] = [];
  const hash: number[] = [];
  const weight: number[] = [];
  const sorted = [...hunks].sort(
    (a, b) => compare(a.path, b.path) || compare(a.startLine, b.startLine) || compare(a.text, b.text),
  );
  let last = 0;
  let truncated = false;
  for (const hunk of sorted) {
    if (paths.at(-1) !== hunk.path) {
      paths.push(hunk.path);
      last = 0;
    }
    let number = hunk.startLine;
    for (const text of hunk.text.split("\n")) {
      if (line.length === max) {
        truncated = true;
        break;
      }
      if (number > last) {
        const fingerprint = hashLine(text);
        file.push(paths.length - 1);
        line.push(number);
        hash.push(fingerprint);
        weight.push(fingerprint === BLANK ? 0 : lineWeight(text));
        last = number;
      }
      number += 1;
    }
  }
  const anchors = indexAnchors(hash, weight);
  return {
    paths,
    file: Int32Array.from(file),
    line: Int32Array.from(line),
    hash: Float64Array.from(hash),
    weight: Float64Array.from(weight),
    anchors,
    length: line.length,
    truncated,
  };
}
