/**
 * Anchors of many short texts, looked for in one go: hostile text is full of short words that are encoded, and to look for them in each by
 * itself costs more than all else that is done with it.
 */
import { behindText, sieveBlock } from "./anchor-code.ts";
import type { AnchorFinder } from "./anchor-finder.ts";

/** Every text begins where a stretch of the sieve does, as if it stood alone: runs of digits are told of by their stretches. */
const stretch = 16;
/** More than is looked at beside an anchor; it may stand beside each, and in none. */
const gap = "\u00ff".repeat(behindText + stretch);
/** Longer texts are read alone. */
export const longestBatched = 2048;
const mostText = sieveBlock - longestBatched - gap.length;

export class AnchorBatch {
  /** By text; as all here, of those that have been added since the last `clear`. */
  readonly texts: string[] = [];
  /** As of `AnchorFinder.hits`, the offsets in each text. Those of a text begin at its number in `firstHits`, and end at the next one's. */
  hits = new Int32Array(256);
  readonly firstHits: number[] = [];
  /** By text, as of `AnchorFinder.runs`. */
  readonly runs: (readonly number[])[] = [];
  /** Whether U+0000 may stand in one of them. */
  hasZeros = false;
  private readonly starts: number[] = [];
  private joined = "";

  /** @returns whether there is room for one more */
  add(text: string): boolean {
    this.starts.push(this.joined.length);
    this.texts.push(text);
    this.joined += text + gap.slice(text.length % stretch);
    return this.joined.length <= mostText;
  }

  find(finder: AnchorFinder): void {
    const { texts, starts, joined, firstHits } = this;
    finder.find(joined, 0);
    this.hasZeros = finder.hasZeros;
    let run = 0;
    for (const [index, start] of starts.entries()) {
      let own = noRuns;
      for (; run < finder.runs.length && finder.runs[run]! <= start + texts[index]!.length; run++)
        own = [...own, finder.runs[run]! - start];
      this.runs.push(own);
    }
    if (this.hits.length < 2 * finder.hitCount) this.hits = new Int32Array(4 * finder.hitCount);
    let text = -1;
    let next = 0;
    for (let i = 0; i < finder.hitCount; i++) {
      const end = finder.hits[2 * i]!;
      while (end > next) {
        firstHits.push(i);
        text++;
        next = starts[text + 1] ?? Infinity;
      }
      this.hits[2 * i] = end - starts[text]!;
      this.hits[2 * i + 1] = finder.hits[2 * i + 1]!;
    }
    while (firstHits.length <= texts.length) firstHits.push(finder.hitCount);
  }

  clear(): void {
    for (const list of [this.texts, this.starts, this.firstHits, this.runs]) list.length = 0;
    this.joined = "";
  }
}

const noRuns: readonly number[] = [];
