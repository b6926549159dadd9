/** Finds all anchors in a text, block by block, whether it is there as a whole or comes in parts. */
import { comparedLength, sieveBlock } from "./anchor-code.ts";
import type { Beginning } from "./anchor-records.ts";
import { AnchorSieve } from "./anchor-sieve.ts";

/** What is read again at the beginning of a block, for anchors that end in it. */
const overlap = comparedLength;

export class AnchorFinder {
  /** Of the last `find`: for each hit the offset behind it, and which ending it is; ascending by offset. */
  hits = new Int32Array(1024);
  hitCount = 0;
  /** Also of the last `find`: as `AnchorSieve.runs`, in the whole text. */
  runs: number[] = [];
  /** Also of the last `find`: whether U+0000 may stand in what was read. */
  hasZeros = false;
  /** By ending, the anchors that it is, by index; more than one where they differ in case only. */
  readonly endings: readonly (readonly number[])[];
  /** By ending, in lower case. */
  private readonly texts: readonly string[];
  private readonly sorted: readonly string[];
  private readonly longest: number;
  private readonly sieve: AnchorSieve;

  /** @param anchors in any case, ASCII, none empty. */
  constructor(anchors: readonly string[]) {
    if (anchors.some((anchor) => !/^[\0-\x7f]+$/.test(anchor))) throw new RangeError("an anchor is ASCII");
    const byText = new Map<string, number[]>();
    for (const [index, anchor] of anchors.entries()) {
      const text = fold(anchor);
      byText.set(text, [...(byText.get(text) ?? []), index]);
    }
    this.texts = [...byText.keys()];
    this.endings = [...byText.values()];
    this.sorted = this.texts.toSorted();
    this.longest = this.texts.reduce((most, { length }) => Math.max(most, length), 0);
    this.sieve = new AnchorSieve(this.texts);
  }

  /** @param beginnings as of `AnchorRecords.learn`: hits that are none of these may be left out from now on */
  learn(ending: number, beginnings: readonly Beginning[]): void {
    this.sieve.learn(ending, beginnings);
  }

  /**
   * Reads on from `from`, for a block at most.
   * @returns up to where; the next call goes on there, in the same text or in one that has grown.
   */
  find(text: string, from: number): number {
    const { sieve } = this;
    const start = Math.max(0, from - overlap) & -overlap;
    const to = Math.min(text.length, start + sieveBlock);
    sieve.pass(to - start === text.length ? text : text.slice(start, to));
    const { hits, hitCount, runs, runCount } = sieve;
    this.hasZeros = sieve.hasZeros;
    this.runs = [];
    for (let i = 0; i < runCount; i++) {
      const end = start + runs[i]!;
      if (end > from && end <= to) this.runs.push(end);
    }
    if (this.hits.length < 2 * hitCount) this.hits = new Int32Array(4 * hitCount);
    this.hitCount = 0;
    for (let i = 0; i < hitCount; i++) {
      const end = start + hits[2 * i]! + 1;
      const ending = hits[2 * i + 1]!;
      if (end <= from || end > to || !this.isWhole(ending, text, end)) continue;
      this.hits[2 * this.hitCount] = end;
      this.hits[2 * this.hitCount + 1] = ending;
      this.hitCount++;
    }
    return to;
  }

  /** How many of the last code units could be the beginning of an anchor, or a whole one. */
  pendingLength(text: string): number {
    const tail = fold(text.slice(Math.max(0, text.length - this.longest)));
    for (let at = 0; at < tail.length; at++) if (this.beginsAnchor(tail.slice(at))) return tail.length - at;
    return 0;
  }

  private beginsAnchor(beginning: string): boolean {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle]! < beginning) low = middle + 1;
      else high = middle;
    }
    return this.sorted[low]?.startsWith(beginning) === true;
  }

  /** Of long anchors only the end has been compared. */
  private isWhole(ending: number, text: string, end: number): boolean {
    const own = this.texts[ending]!;
    return own.length <= comparedLength || fold(text.slice(Math.max(0, end - own.length), end)) === own;
  }
}

const fold = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
