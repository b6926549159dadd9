/**
 * Finds what is written in another way than it is read: base64, hexadecimal, percent signs, escapes of JSON, YAML and JavaScript, UTF-16;
 * and reads it. Ordinary text is passed over nearly unread: every run of letters is looked at in one or two places.
 */
import { DigitRunFinder, isTexty, longestPiece } from "./digit-runs.ts";
import { EscapedWord, hiddenTokenAt, longestWord, mayBecomeEscape, signsIn } from "./escaped-word.ts";

export type Encoding = "base64" | "hex" | "percent" | "escapes" | "utf-16";

/** A stretch of a text and what it says. */
export interface EncodedText {
  readonly start: number;
  readonly end: number;
  readonly encoding: Encoding;
  readonly decoded: string;
  /** The character behind it, where the text does not have it as it is. */
  readonly behind?: string;
  /** The place in the text of a place in `decoded`; of an end, behind all digits that a part of it stands in. */
  sourceOf(offset: number, isEnd: boolean): number;
  /** The first place in `decoded`, from one on, that does not stand in the text as it is; Infinity if there is none. Absent where all are such. */
  changedFrom?(offset: number): number;
  /** The last such place. */
  readonly lastChanged?: number;
}

/** What a person's word, sixteen bits a character, must have to be taken for one. */
const shortestPairs = 8;
/** How much of a line is read with what is encoded in it: a secret may begin before its first escape. */
export const contextReach = 64;

/** What a whole text is known to hold, beside runs of digits. */
export interface SeenInText {
  /** Behind the last of the `escapeSigns` in it; 0 if none stands there. */
  readonly signsTo: number;
  /** Whether U+0000 stands in it. */
  readonly hasZeros: boolean;
}

/** Looks through one text, whole or in parts. All offsets but those of what it finds count from the beginning of the whole text. */
export class EncodedTextFinder {
  /** Up to where each kind has been looked for. */
  private wordsTo = 0;
  private wideTo = 0;
  private readonly runs = new DigitRunFinder();
  /** What `noteRuns` has found. */
  private noted: EncodedText[] = [];
  /** What ends within so much of the beginning is not told of. */
  context = 0;

  forget(): void {
    this.wordsTo = 0;
    this.wideTo = 0;
    this.runs.forget();
    if (this.noted.length > 0) this.noted = [];
  }

  /** Of a whole text, to be called before `findInWhole`. @param places as `AnchorSieve.runs` has them, in the whole text, in order */
  noteRuns(text: string, places: readonly number[]): void {
    if (places.length > 0) this.runs.readAt(text, places, this.context, this.noted);
  }

  /** @param seen what another reading of the text has told already; with `noteRuns`. */
  findInWhole(text: string, { signsTo, hasZeros }: SeenInText): readonly EncodedText[] {
    const from = signsTo > this.context ? wordAt(text, this.context) : text.length;
    if (signsTo > from) this.findWords(text, from, true, this.noted);
    if (hasZeros) findWide(text, 0, true, this.noted);
    return this.noted;
  }

  /**
   * @param text the part at hand; what came before may be in it.
   * @param origin offset of its first character.
   * @param told what begins before is not looked at any more.
   * @param final whether nothing will be added.
   * @returns what was found, its offsets in `text`, and from where on more text could make something encoded of what is there.
   */
  find(text: string, origin: number, told: number, final: boolean) {
    const found: EncodedText[] = [];
    const runsOpen = this.runs.find(text, origin, final, found);
    const wordsOpen = this.findWords(text, this.wordsTo - origin, final, found);
    this.wideTo = origin + findWide(text, Math.max(this.wideTo, told) - origin, final, found);
    return { found, open: Math.min(runsOpen, origin + wordsOpen, this.wideTo) };
  }

  /** Words with an escape in them. @returns where one begins that more text could make longer */
  private findWords(text: string, from: number, final: boolean, found: EncodedText[]): number {
    const origin = this.wordsTo - from;
    let done = Math.max(0, from);
    const nextSign = signsIn(text);
    for (let at = nextSign(done); at >= 0; at = nextSign(Math.max(at + 1, done))) {
      const start = at;
      let end = hiddenTokenAt(text, start);
      // `%4` and `\u00` may yet become one.
      if (end < 0 && !final && mayBecomeEscape(text, start)) return start - contextReach;
      if (end <= 0) continue;
      while (end < text.length && end - start < longestWord && !isBlank(text.charCodeAt(end))) end++;
      if (end === text.length && !final && end - start < longestWord) return start - contextReach;
      found.push(new EscapedWord(text, start, end));
      done = end;
      this.wordsTo = origin + done;
    }
    return !final && text.endsWith("\\") ? text.length - 1 - contextReach : text.length;
  }
}

const isBlank = (unit: number): boolean => unit <= 0x20;

/** @returns where the word begins that a place stands in */
function wordAt(text: string, at: number): number {
  let start = at;
  while (start > 0 && !isBlank(text.charCodeAt(start - 1))) start--;
  return start;
}

/** Text in UTF-16 that was read byte by byte: every other character is U+0000. @returns as `findWords` */
function findWide(text: string, from: number, final: boolean, found: EncodedText[]): number {
  let at = text.indexOf("\0", from);
  while (at >= 0) {
    // Little-endian has the letter first.
    const start = at > from && text.charCodeAt(at - 1) !== 0 ? at - 1 : at;
    const zeroAt = at - start;
    let end = start;
    while (
      end + 1 < text.length &&
      end - start < longestPiece &&
      text.charCodeAt(end + zeroAt) === 0 &&
      isTexty(text.charCodeAt(end + 1 - zeroAt))
    ) {
      end += 2;
    }
    if (!final && end + 1 >= text.length && end - start < longestPiece) return start;
    if (end - start >= 2 * shortestPairs) {
      let decoded = "";
      for (let i = start; i < end; i += 2) decoded += text[i + 1 - zeroAt]!;
      const piece = {
        start,
        end,
        encoding: "utf-16",
        decoded,
        sourceOf: (offset: number) => start + 2 * offset,
      } as const;
      // A letter beyond U+00FF ends what stands before it: half of it may look like anything.
      const behind = text.charCodeAt(end + 1 - zeroAt) + 256 * text.charCodeAt(end + zeroAt);
      found.push(behind > 0xff ? { ...piece, behind: String.fromCharCode(behind) } : piece);
    }
    at = text.indexOf("\0", Math.max(end, at + 1));
  }
  // Its first letter comes before the first zero.
  return final ? text.length : Math.max(0, text.length - 1);
}
