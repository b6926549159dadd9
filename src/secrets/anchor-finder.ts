/** Finds all anchors in a text, in one reading: a sieve lets few places pass, and at those the anchors that end alike are looked for. */
import { AnchorSieve, classesBefore, classOf, keyMasks, keysOf, sieveBlock } from "./anchor-sieve.ts";

/** What is read again at the beginning of a block, for anchors that end in it; a multiple of what the sieve reads at once. */
const overlap = 16;
/** Characters at an anchor's end that its key tells of, if it has so many. */
const known = 4;
/** A power of two, so that entries fill the table. */
const entryLength = 4;
const hashFactor = 0x9e3779b1 | 0;
/** Each class leaves two bits of its byte: keys of different masks never meet. */
const entryKey = (key: number, mask: number): number => key | (mask << 6);

export class AnchorFinder {
  /** Of the last `find`: for each hit the offset behind it, and which ending it is; ascending by offset. */
  hits = new Int32Array(1024);
  hitCount = 0;
  /** Also of the last `find`: as `AnchorSieve.runs`, in the whole text. */
  runs: number[] = [];
  /** By ending, the anchors that it is, by index; more than one where they differ in case only. */
  readonly endings: readonly (readonly number[])[];
  /** By ending, in lower case. */
  private readonly texts: readonly string[];
  /** All of them as classes; of ending `n` up to `classEnds[n]`. */
  private readonly ownClasses: Uint8Array;
  private readonly classEnds: Int32Array;
  private readonly sorted: readonly string[];
  private readonly longest: number;
  private readonly sieve: AnchorSieve;
  /** A hash table of what anchors end with; of an entry: its key, and where its endings begin and end in the list. 0 is no key's end. */
  private readonly entries: Int32Array;
  private readonly list: Int32Array;
  private readonly hashShift: number;

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
    this.ownClasses = Uint8Array.from(this.texts.join(""), (sign) => classOf(sign.charCodeAt(0)));
    let classEnd = 0;
    this.classEnds = Int32Array.from(this.texts, ({ length }) => (classEnd += length));
    this.sorted = this.texts.toSorted();
    this.longest = this.texts.reduce((most, { length }) => Math.max(most, length), 0);
    this.sieve = new AnchorSieve(this.texts);
    const byKey = new Map<number, number[]>();
    for (const [ending, text] of this.texts.entries()) {
      for (const { key, mask } of keysOf(text)) {
        const known = byKey.get(entryKey(key, mask));
        if (known === undefined) byKey.set(entryKey(key, mask), [ending]);
        else known.push(ending);
      }
    }
    this.list = Int32Array.from([...byKey.values()].flat());
    const bits = Math.ceil(Math.log2(2 * byKey.size + 2));
    this.hashShift = 32 - bits;
    this.entries = new Int32Array(entryLength * 2 ** bits);
    let from = 0;
    for (const [key, { length }] of byKey) {
      this.entries.set([key, from, from + length], this.entryOf(key));
      from += length;
    }
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
    const { places, placeCount, runs, runCount } = sieve;
    this.runs = [];
    for (let i = 0; i < runCount; i++) {
      const end = start + runs[i]!;
      if (end > from && end <= to) this.runs.push(end);
    }
    this.hitCount = 0;
    const { classes } = sieve;
    for (let i = 0; i < placeCount; i++) {
      const place = places[i]! & 0xffff;
      const end = start + place + 1;
      if (end <= from) continue;
      if (end > to) break;
      const at = classesBefore + place;
      const key = (classes[at]! << 24) | (classes[at - 1]! << 16) | (classes[at - 2]! << 8) | classes[at - 3]!;
      for (let mask = 0; mask < keyMasks.length; mask++) {
        if (((places[i]! >> (16 + mask)) & 1) === 1) this.meet(text, end, at, entryKey(key & keyMasks[mask]!, mask));
      }
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

  /** @returns where the key's entry is, or the free one where it belongs. */
  private entryOf(key: number): number {
    const { entries } = this;
    // Only the product's upper bits depend on the whole key.
    for (let slot = Math.imul(key, hashFactor) >>> this.hashShift; ; slot++) {
      const at = (slot * entryLength) & (entries.length - 1);
      if (entries[at] === key || entries[at + 2] === 0) return at;
    }
  }

  /** Adds hits for the anchors that end there and do not only end alike. @param at of the last character in the sieve's classes */
  private meet(text: string, end: number, at: number, key: number): void {
    const { entries, list, texts } = this;
    const entry = this.entryOf(key);
    if (entries[entry] !== key) return;
    for (let i = entries[entry + 1]!; i < entries[entry + 2]!; i++) {
      const ending = list[i]!;
      if (this.looksAlike(ending, at) && stands(texts[ending]!, text, end)) this.add(end, ending);
    }
  }

  /** As far as the sieve has read. */
  private looksAlike(ending: number, at: number): boolean {
    const { ownClasses, classEnds, sieve } = this;
    const { classes } = sieve;
    const first = ending === 0 ? 0 : classEnds[ending - 1]!;
    let behind = at - known;
    for (let own = classEnds[ending]! - 1 - known; own >= first && behind >= classesBefore; own--, behind--) {
      if (ownClasses[own] !== classes[behind]) return false;
    }
    return true;
  }

  private add(end: number, ending: number): void {
    if (2 * this.hitCount === this.hits.length) {
      const larger = new Int32Array(2 * this.hits.length);
      larger.set(this.hits);
      this.hits = larger;
    }
    this.hits[2 * this.hitCount] = end;
    this.hits[2 * this.hitCount + 1] = ending;
    this.hitCount++;
  }
}

const fold = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** @param folded what is looked for, in lower case */
function stands(folded: string, text: string, end: number): boolean {
  const from = end - folded.length;
  for (let i = 0; i < folded.length; i++) {
    const unit = text.charCodeAt(from + i);
    if ((unit >= 0x41 && unit <= 0x5a ? unit | 0x20 : unit) !== folded.charCodeAt(i)) return false;
  }
  return true;
}
