/**
 * What may stand behind an anchor, for all anchors side by side: of the places where one stands, nearly all are no beginning of a match by
 * the next character or by one a word further on. To learn that from the rules themselves costs more than to find the anchor: they lie far apart
 * in memory.
 */
import { maskedPlaces } from "./regex-filter.ts";
import { isWordStart } from "./word-start.ts";

/** From the anchor's end to the second character that is looked at: most words have ended. */
const further = 7;
/** Bits for the ASCII characters, four words of them for each of the two places. */
const wordsPerEnding = 8;

/** How the anchor that a match begins with, and what stands behind it, must look. */
export interface Beginning {
  /** As of `beginningMasks`. */
  readonly masks: Uint32Array;
  /** Of the anchor. */
  readonly length: number;
  /** As of `Rule`. */
  readonly wordStart: boolean;
}

export class HitFilter {
  private readonly bits: Int32Array;
  /** By ending: the length of the anchor where that begins a word for all; 0 where some may stand in one. */
  private readonly wordLengths: Uint8Array;

  /** @param endings as of `AnchorFinder.endings`; nothing is known of them yet. */
  constructor(endings: number) {
    this.bits = new Int32Array(wordsPerEnding * endings).fill(-1);
    this.wordLengths = new Uint8Array(endings);
  }

  /** @param beginnings all matches that the ending stands for begin so */
  learn(ending: number, beginnings: readonly Beginning[]): void {
    if (beginnings.every(({ wordStart }) => wordStart)) this.wordLengths[ending] = beginnings[0]?.length ?? 0;
    for (const [part, distance] of [0, further].entries()) {
      const words = this.bits
        .subarray(wordsPerEnding * ending + 4 * part, wordsPerEnding * ending + 4 * part + 4)
        .fill(0);
      for (const { masks, length } of beginnings) {
        const place = length + distance;
        for (let unit = 0; unit < 128; unit++) {
          if (place >= maskedPlaces || ((masks[unit]! >>> place) & 1) === 1) words[unit >> 5]! |= 1 << (unit & 31);
        }
      }
    }
  }

  /** @param end behind the anchor. @returns whether a match may have begun with it. */
  passes(ending: number, text: string, end: number): boolean {
    const { bits } = this;
    const next = text.charCodeAt(end);
    // Behind the end there is no character, and nothing to be told by it.
    if (next < 128 && ((bits[wordsPerEnding * ending + (next >> 5)]! >>> (next & 31)) & 1) === 0) return false;
    const later = text.charCodeAt(end + further);
    if (later < 128 && ((bits[wordsPerEnding * ending + 4 + (later >> 5)]! >>> (later & 31)) & 1) === 0) return false;
    const length = this.wordLengths[ending]!;
    return length === 0 || isWordStart(text, end - length);
  }
}
