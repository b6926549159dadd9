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
  /** What an equal line says, less the more often the commit repeats it; 0 for nothing. */
  readonly weightAt: (position: number) => number;
  /**
   * The positions of a hash, ascending; none for lines that say nothing, nor for those repeated more than {@link MAX_REPEATS}
   * times.
   */
  readonly anchorsOf: (hash: number) => readonly number[];
  readonly length: number;
  /** True when the commit adds more than `max` lines; those beyond are left out. */
  readonly truncated: boolean;
}

/** A line that a commit repeats more often anchors nothing: it is boilerplate, and would cost time in the square. */
const MAX_REPEATS = 64;

const compare = <T extends string | number>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Cuts hunks into lines. Two files of a commit can have one path here (bytes that are not UTF-8 were replaced), and a merge can list a
 * hunk once per parent: a line number that was already seen in a path is dropped, so that (path, line) stays unique.
 * @param isHashed false: nothing will be looked up, and there are no fingerprints
 */
export function splitHunks(
  hunks: readonly AddedHunk[],
  key: Uint8Array | null,
  max: number,
  isHashed: boolean,
): AddedLines {
  const hashLine = isHashed ? createLineHasher(key) : () => BLANK;
  const paths: string[] = [];
  const file: number[] = [];
  const line: number[] = [];
  const hash: number[] = [];
  const texts: string[] = [];
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
        file.push(paths.length - 1);
        line.push(number);
        hash.push(hashLine(text));
        texts.push(text);
        last = number;
      }
      number += 1;
    }
  }
  const positions = new Map<number, number[]>();
  for (const [position, value] of hash.entries()) {
    if (value === BLANK) continue;
    const before = positions.get(value);
    if (before === undefined) positions.set(value, [position]);
    else before.push(position);
  }
  // What a line says takes longer to find than its hash, and is asked of few.
  const weights = new Float64Array(hash.length).fill(Number.NaN);
  const ownWeight = (position: number): number => {
    if (Number.isNaN(weights[position])) weights[position] = lineWeight(texts[position] ?? "");
    return weights[position] ?? 0;
  };
  const told = new Map<number, readonly number[]>();
  const tellingOf = (value: number): readonly number[] => {
    const known = told.get(value);
    if (known !== undefined) return known;
    const telling = (positions.get(value) ?? []).filter((position) => ownWeight(position) > 0);
    told.set(value, telling);
    return telling;
  };
  return {
    paths,
    file: Int32Array.from(file),
    line: Int32Array.from(line),
    hash: Float64Array.from(hash),
    weightAt: (position) => {
      const weight = hash[position] === BLANK ? 0 : ownWeight(position);
      // Half for a line that stands in four places.
      return weight === 0 ? 0 : weight / (1 + Math.log2(tellingOf(hash[position] ?? BLANK).length) / 2);
    },
    anchorsOf: (value) => {
      const telling = positions.has(value) ? tellingOf(value) : [];
      return telling.length > MAX_REPEATS ? [] : telling;
    },
    length: line.length,
    truncated,
  };
}
