/**
 * Which lines of a new version its old one does not have, in their order. What is not told is, in the same order, a part of the
 * old version: whatever way of comparing is taken, that holds. Where the versions differ too much to be compared in short
 * time, more is told than had to be.
 */
import type { Turns } from "./turns.ts";

/** A line of a text, without its line feed. */
export interface Span {
  /** 1-based. */
  readonly number: number;
  readonly begin: number;
  readonly end: number;
}

const LF = 0x0a;
/** Lines that differ between two that are the same, before the two sides are cut at lines that stand once in each. */
const MAX_EDITS = 256;
/** Lines between looking whether it is others' turn. */
const TURN_LINES = 8_192;

/** The lines of a text. A line feed at the very end ends the last line, and begins none. */
export function linesOf(bytes: Buffer, begin = 0, end = bytes.length, number = 1): Span[] {
  const lines: Span[] = [];
  let at = begin;
  for (let line = number; at < end; line++) {
    const found = bytes.indexOf(LF, at);
    const stop = found === -1 || found >= end ? end : found;
    lines.push({ number: line, begin: at, end: stop });
    at = stop + 1;
  }
  return lines;
}

/** @returns the lines of `now` that were not in `before`, by number */
export async function addedLines(now: Buffer, before: Buffer, turns: Turns): Promise<Span[]> {
  const head = sameHead(now, before);
  const tail = sameTail(now, before, head);
  const added = linesOf(now, head, now.length - tail, countLines(now, head) + 1);
  const removed = linesOf(before, head, before.length - tail);
  if (added.length === 0 || removed.length === 0) return added;
  const numbers = new Map<string, number>();
  const a = await numbered(before, removed, numbers, turns);
  const b = await numbered(now, added, numbers, turns);
  const isKept = new Uint8Array(b.length);
  await matchLines(a, b, isKept, turns);
  return added.filter((_, at) => isKept[at] === 0);
}

/** How many bytes of whole lines both begin with. */
function sameHead(one: Buffer, other: Buffer): number {
  const most = Math.min(one.length, other.length);
  const same = commonLength(most, (at, length) => one.compare(other, at, at + length, at, at + length) === 0);
  if (same === one.length && same === other.length) return same;
  // Back to where a line begins, in both.
  return same === 0 ? 0 : one.lastIndexOf(LF, same - 1) + 1;
}

/** How many bytes of whole lines both end with, none of them within the first `head` bytes. */
function sameTail(one: Buffer, other: Buffer, head: number): number {
  const most = Math.min(one.length, other.length) - head;
  const same = commonLength(most, (at, length) => {
    const [a, b] = [one.length - at - length, other.length - at - length];
    return one.compare(other, b, b + length, a, a + length) === 0;
  });
  // The line feed in front of the tail may belong to what differs.
  const begin = one.length - same;
  if (isLineStart(one, begin, head) && isLineStart(other, other.length - same, head)) return same;
  const next = one.indexOf(LF, begin);
  return next === -1 ? 0 : one.length - next - 1;
}

const isLineStart = (bytes: Buffer, at: number, head: number): boolean => at === head || bytes[at - 1] === LF;

/** How many of at most `most` bytes are the same: blocks first, then the bytes of the block that differs. */
function commonLength(most: number, isSame: (at: number, length: number) => boolean): number {
  let same = 0;
  for (let block = 4096; block > 0; block = block > 1 ? block >> 2 : 0) {
    while (same + block <= most && isSame(same, block)) same += block;
  }
  return same;
}

function countLines(bytes: Buffer, end: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(LF); at !== -1 && at < end; at = bytes.indexOf(LF, at + 1)) lines += 1;
  return lines;
}

/** Each line as a number, the same for the same text. */
async function numbered(
  bytes: Buffer,
  lines: readonly Span[],
  numbers: Map<string, number>,
  turns: Turns,
): Promise<Int32Array> {
  const all = new Int32Array(lines.length);
  for (const [at, { begin, end }] of lines.entries()) {
    const text = bytes.toString("latin1", begin, end);
    let number = numbers.get(text);
    if (number === undefined) numbers.set(text, (number = numbers.size));
    all[at] = number;
    if (at % TURN_LINES === 0 && turns.due) await turns.take();
  }
  return all;
}

interface Gap {
  readonly a: number;
  readonly aEnd: number;
  readonly b: number;
  readonly bEnd: number;
}

/** Marks lines of `b` that are in `a` as well, in one order. */
async function matchLines(a: Int32Array, b: Int32Array, isKept: Uint8Array, turns: Turns): Promise<void> {
  const gaps: Gap[] = [{ a: 0, aEnd: a.length, b: 0, bEnd: b.length }];
  for (let gap = gaps.pop(); gap !== undefined; gap = gaps.pop()) {
    let { a: a0, aEnd: a1, b: b0, bEnd: b1 } = gap;
    while (a0 < a1 && b0 < b1 && a[a0] === b[b0]) {
      isKept[b0++] = 1;
      a0++;
    }
    while (a0 < a1 && b0 < b1 && a[a1 - 1] === b[b1 - 1]) {
      isKept[--b1] = 1;
      a1--;
    }
    if (a0 === a1 || b0 === b1) continue;
    if (turns.due) await turns.take();
    if (!matchShortest(a.subarray(a0, a1), b.subarray(b0, b1), isKept.subarray(b0, b1))) {
      splitAtUnique(a, b, { a: a0, aEnd: a1, b: b0, bEnd: b1 }, isKept, gaps);
    }
  }
}

/**
 * The shortest way from one to the other (E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986), if it has at
 * most {@link MAX_EDITS} steps.
 * @returns false when it has more, with nothing marked
 */
function matchShortest(a: Int32Array, b: Int32Array, isKept: Uint8Array): boolean {
  const [n, m] = [a.length, b.length];
  const most = Math.min(MAX_EDITS, n + m);
  if (Math.abs(n - m) > most) return false;
  const furthest = new Int32Array(2 * most + 2);
  const trace: Int32Array[] = [];
  for (let d = 0; d <= most; d++) {
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (furthest[most + k - 1] ?? 0) < (furthest[most + k + 1] ?? 0));
      let x = down ? (furthest[most + k + 1] ?? 0) : (furthest[most + k - 1] ?? 0) + 1;
      let y = x - k;
      while (x < n && y < m && a[x] === b[y]) {
        x++;
        y++;
      }
      furthest[most + k] = x;
      if (x >= n && y >= m) {
        walkBack([n, m], trace, d, isKept);
        return true;
      }
    }
    trace.push(furthest.slice(most - d, most + d + 1));
  }
  return false;
}

/** Back from the end; `trace[d]` is how far each diagonal from −d to d had come after d steps. */
function walkBack(
  end: readonly [number, number],
  trace: readonly Int32Array[],
  steps: number,
  isKept: Uint8Array,
): void {
  let [x, y] = end;
  for (let d = steps; d > 0; d--) {
    const before = trace[d - 1] ?? new Int32Array(0);
    const at = (k: number): number => before[k + d - 1] ?? -1;
    const k = x - y;
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const startX = down ? at(k + 1) : at(k - 1) + 1;
    const startY = startX - k;
    while (x > startX && y > startY) {
      isKept[--y] = 1;
      x--;
    }
    if (down) y--;
    else x--;
  }
  while (x > 0 && y > 0) {
    isKept[--y] = 1;
    x--;
  }
}

/** Cuts at lines that stand once on each side (patience diff); without any, all lines of `b` are told. */
function splitAtUnique(a: Int32Array, b: Int32Array, gap: Gap, isKept: Uint8Array, gaps: Gap[]): void {
  const inA = places(a, gap.a, gap.aEnd);
  const inB = places(b, gap.b, gap.bEnd);
  const pairs: { readonly a: number; readonly b: number }[] = [];
  for (let at = gap.b; at < gap.bEnd; at++) {
    const line = b[at] ?? 0;
    const other = inA.get(line) ?? -1;
    if (other >= 0 && inB.get(line) === at) pairs.push({ a: other, b: at });
  }
  let from = { a: gap.a, b: gap.b };
  const chosen = longestIncreasing(pairs);
  if (chosen.length === 0) return;
  for (const pair of chosen) {
    isKept[pair.b] = 1;
    gaps.push({ a: from.a, aEnd: pair.a, b: from.b, bEnd: pair.b });
    from = { a: pair.a + 1, b: pair.b + 1 };
  }
  gaps.push({ a: from.a, aEnd: gap.aEnd, b: from.b, bEnd: gap.bEnd });
}

/** Line → its place; −1 when it stands there more than once. */
function places(lines: Int32Array, begin: number, end: number): Map<number, number> {
  const found = new Map<number, number>();
  for (let at = begin; at < end; at++) {
    const line = lines[at] ?? 0;
    found.set(line, found.has(line) ? -1 : at);
  }
  return found;
}

/** The longest run of pairs (which come in the order of `b`) that are in order in `a` too. */
function longestIncreasing<T extends { readonly a: number }>(pairs: readonly T[]): T[] {
  const tails: number[] = [];
  const previous = new Int32Array(pairs.length).fill(-1);
  for (const [at, pair] of pairs.entries()) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((pairs[tails[middle] ?? 0]?.a ?? 0) < pair.a) low = middle + 1;
      else high = middle;
    }
    previous[at] = low === 0 ? -1 : (tails[low - 1] ?? -1);
    tails[low] = at;
  }
  const chosen: T[] = [];
  for (let at = tails.at(-1) ?? -1; at !== -1; at = previous[at] ?? -1) {
    const pair = pairs[at];
    if (pair !== undefined) chosen.push(pair);
  }
  return chosen.toReversed();
}
