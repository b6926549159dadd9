/**
 * Finds what is written in another way than it is read: base64, hexadecimal, percent signs, escapes of JSON, YAML and JavaScript, UTF-16;
 * and reads it. Ordinary text is passed over nearly unread: every run of letters is looked at in one or two places.
 */
import { hiddenTokenAt, longestWord, mayBecomeEscape, placesInWord, readEscapedWord, signsIn } from "./escaped-word.ts";

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
}

/** Shorter runs hold no secret worth the name, and too many words are as long. */
const shortestRun = 24;
/** What a person's word, sixteen bits a character, must have to be taken for one. */
const shortestPairs = 8;
/** A longer stretch is read in pieces, which overlap by this. */
const longestPiece = 65_536;
const overlap = 4096;
/** How much of a line is read with what is encoded in it: a secret may begin before its first escape. */
export const contextReach = 64;

/** As `AnchorSieve.runs` has them. */
const stretchLength = 16;

/** What a whole text is known to hold, beside runs of digits. */
export interface SeenInText {
  /** Whether any of `escapeSigns` stands in it, and whether U+0000 does. */
  readonly hasSigns: boolean;
  readonly hasZeros: boolean;
}

/** Looks through one text, whole or in parts. All offsets but those of what it finds count from the beginning of the whole text. */
export class EncodedTextFinder {
  /** Up to where each kind has been looked for. */
  private runsTo = 0;
  private wordsTo = 0;
  private wideTo = 0;
  /** Whether `runsTo` lies in a run that says nothing. */
  private inRun = false;
  /** What `noteRuns` has found, and the last place that it has been given. */
  private readonly noted: EncodedText[] = [];
  private lastNoted = -Infinity;
  private readonly context: number;

  /** @param context what ends within so much of the beginning is not told of */
  constructor(context: number) {
    this.context = context;
  }

  /** Of a whole text, to be called before `find`. @param places as `AnchorSieve.runs` has them, in the whole text, in order */
  noteRuns(text: string, places: readonly number[]): void {
    this.lastNoted = readRuns(text, places, this.lastNoted, this.context, this.noted);
  }

  /**
   * @param text the part at hand; what came before may be in it.
   * @param origin offset of its first character.
   * @param told what begins before is not looked at any more.
   * @param final whether nothing will be added.
   * @param seen what another reading of the text, if it is whole, has told already; with `noteRuns`.
   * @returns what was found, its offsets in `text`, and from where on more text could make something encoded of what is there.
   */
  find(text: string, origin: number, told: number, final: boolean, seen: SeenInText | null = null) {
    const found = seen === null ? [] : this.noted;
    if (seen !== null) {
      if (seen.hasSigns) this.findWords(text, wordAt(text, this.context), true, found);
      if (seen.hasZeros) findWide(text, 0, true, found);
      return { found, open: text.length };
    }
    this.runsTo = origin + this.findRuns(text, this.runsTo - origin, final, found);
    const wordsOpen = this.findWords(text, this.wordsTo - origin, final, found);
    this.wideTo = origin + findWide(text, Math.max(this.wideTo, told) - origin, final, found);
    return { found, open: Math.min(this.runsTo, origin + wordsOpen, this.wideTo) };
  }

  /** Runs of base64 or hexadecimal digits. @returns where one begins that more text could make longer */
  private findRuns(text: string, from: number, final: boolean, found: EncodedText[]): number {
    let at = Math.max(0, from);
    if (this.inRun) {
      while (at < text.length && isDigit64[text.charCodeAt(at)] === 1) at++;
      this.inRun = at === text.length;
    }
    while (at + shortestRun <= text.length) {
      // One digit in every stretch of the shortest length: without it there is no run across.
      let back = at + shortestRun - 1;
      if (isDigit64[text.charCodeAt(back)] === 0) {
        at = back + 1;
        continue;
      }
      do back--;
      while (back >= at && isDigit64[text.charCodeAt(back)] === 1);
      if (back >= at) {
        at = back + 1;
        continue;
      }
      let end = at + shortestRun;
      while (end < text.length && isDigit64[text.charCodeAt(end)] === 1) end++;
      const start = behindEscape(text, at);
      const encoding = readsAs(text, start, end);
      if (encoding === "base64") while (end < text.length && text.charCodeAt(end) === 0x3d) end++;
      const isWhole = final || end < text.length;
      if (encoding !== null) {
        const next = addPieces(text, start, end, isWhole, encoding, found);
        if (!isWhole) return next;
      } else if (!isWhole) {
        this.inRun = true;
        return end;
      }
      at = end;
    }
    if (final) return text.length;
    // A run that is still too short: it is open as long as it reads like text.
    let start = text.length;
    while (start > at && isDigit64[text.charCodeAt(start - 1)] === 1) start--;
    start = behindEscape(text, start);
    if (start >= text.length || readsAs(text, start, text.length) !== null) return Math.min(start, text.length);
    this.inRun = true;
    return text.length;
  }

  /** Words with an escape in them. @returns as `findRuns` */
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
      addWord(text, start, end, found);
      done = end;
      this.wordsTo = origin + done;
    }
    return !final && text.endsWith("\\") ? text.length - 1 - contextReach : text.length;
  }
}

const isDigit64 = new Uint8Array(65_536);
const isHexDigit = new Uint8Array(65_536);
const value64 = new Uint8Array(128);
const digits64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
for (let value = 0; value < digits64.length; value++) {
  isDigit64[digits64.charCodeAt(value)] = 1;
  value64[digits64.charCodeAt(value)] = value;
}
/** The first digit of text holds the upper bits of a texty byte, or of a zero: few words begin so. */
const mayBegin = new Uint8Array(65_536);
for (const unit of "ACDIJKLMNOPQRSTUVWXYZabcdef0234567") mayBegin[unit.charCodeAt(0)] = 1;
for (const [unit, value] of [
  ["-", 62],
  ["_", 63],
] as const) {
  isDigit64[unit.charCodeAt(0)] = 1;
  value64[unit.charCodeAt(0)] = value;
}
for (const unit of "0123456789abcdefABCDEF") isHexDigit[unit.charCodeAt(0)] = 1;

/** Printable ASCII, tab and line ends. */
const isTexty = (byte: number): boolean => (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13;

/** @returns the last place */
function readRuns(
  text: string,
  places: readonly number[],
  before: number,
  context: number,
  found: EncodedText[],
): number {
  let last = before;
  for (const place of places) {
    let at = place - stretchLength;
    // The stretch before was one as well: the run goes on, and has been judged by its beginning.
    const isSame = at <= last;
    last = place;
    if (isSame) continue;
    while (at > 0 && isDigit64[text.charCodeAt(at - 1)] === 1) at--;
    const start = behindEscape(text, at);
    if (mayBegin[text.charCodeAt(start)] === 0 || readsAs(text, start, place) === null) continue;
    let end = place;
    while (end < text.length && isDigit64[text.charCodeAt(end)] === 1) end++;
    if (end - at < shortestRun || end <= context) continue;
    const encoding = readsAs(text, start, end);
    if (encoding === "base64") while (end < text.length && text.charCodeAt(end) === 0x3d) end++;
    if (encoding !== null) addPieces(text, start, end, true, encoding, found);
  }
  return last;
}

/** The letter of an escape (`\nZGF0YQ`) is not part of what follows. */
const behindEscape = (text: string, at: number): number => (at > 0 && text.charCodeAt(at - 1) === 0x5c ? at + 1 : at);

/** @returns how the beginning of the run reads as text, or null. */
function readsAs(text: string, start: number, end: number): "base64" | "hex" | null {
  if (beginsAsHex(text, start, end)) return "hex";
  return beginsAsBase64(text, start, end) ? "base64" : null;
}

function beginsAsHex(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (isHexDigit[text.charCodeAt(i)] === 0) return false;
  let zeros = 0;
  const checked = Math.min(end, start + 32);
  for (let i = start; i + 1 < checked; i += 2) {
    const byte = Number.parseInt(text.slice(i, i + 2), 16);
    if (byte === 0) zeros++;
    else if (!isTexty(byte)) return false;
  }
  return zeros === 0 || 2 * zeros >= (checked - start) / 2 - 1;
}

function beginsAsBase64(text: string, start: number, end: number): boolean {
  let zeros = 0;
  let bytes = 0;
  const checked = Math.min(end, start + 24);
  let bits = 0;
  let held = 0;
  for (let i = start; i < checked; i++) {
    held = ((held << 6) | value64[text.charCodeAt(i)]!) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    const byte = (held >> bits) & 0xff;
    bytes++;
    if (byte === 0) zeros++;
    else if (!isTexty(byte)) return false;
  }
  return zeros === 0 || 2 * zeros >= bytes - 1;
}

/** @returns where the last piece begins if it is not whole yet, else the end. */
function addPieces(
  text: string,
  start: number,
  end: number,
  isWhole: boolean,
  encoding: "base64" | "hex",
  found: EncodedText[],
): number {
  let at = start;
  for (; end - at > longestPiece; at += longestPiece - overlap) add(text, at, at + longestPiece, encoding, found);
  if (!isWhole) return at;
  add(text, at, end, encoding, found);
  return end;
}

function add(text: string, start: number, end: number, encoding: "base64" | "hex", found: EncodedText[]): void {
  const decoded = Buffer.from(text.slice(start, end), encoding).toString("latin1");
  // Three bytes stand in four digits, one byte in two.
  const sourceOf =
    encoding === "hex"
      ? (offset: number) => start + 2 * offset
      : (offset: number, isEnd: boolean) =>
          Math.min(end, start + 4 * (isEnd ? Math.ceil(offset / 3) : Math.floor(offset / 3)));
  found.push({ start, end, encoding, decoded, sourceOf });
}

const isBlank = (unit: number): boolean => unit <= 0x20;

/** @returns where the word begins that a place stands in */
function wordAt(text: string, at: number): number {
  let start = at;
  while (start > 0 && !isBlank(text.charCodeAt(start - 1))) start--;
  return start;
}

function addWord(text: string, start: number, end: number, found: EncodedText[]): void {
  const { decoded, hasPercent } = readEscapedWord(text, start, end);
  // Read again only where something is found in it, and then once for all of that.
  let places: Int32Array | null = null;
  const sourceOf = (offset: number) => (places ??= placesInWord(text, start, end))[offset] ?? end;
  found.push({ start, end, encoding: hasPercent ? "percent" : "escapes", decoded, sourceOf });
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
