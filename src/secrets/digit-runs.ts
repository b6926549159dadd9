/** Runs of base64 or hexadecimal digits that read as text. */
import type { EncodedText } from "./encoded-text.ts";

/** Shorter runs hold no secret worth the name, and too many words are as long. */
const shortestRun = 24;
/** A longer stretch is read in pieces, which overlap by this. */
export const longestPiece = 65_536;
const overlap = 4096;
/** As `AnchorSieve.runs` has them. */
const stretchLength = 16;

export class DigitRunFinder {
  /** In a text that comes in parts: up to where it has been read, and whether that lies in a run that says nothing. */
  private readTo = 0;
  private inRun = false;
  /** In a whole text. */
  private lastPlace = -Infinity;

  forget(): void {
    this.readTo = 0;
    this.inRun = false;
    this.lastPlace = -Infinity;
  }

  /** Of a whole text. @param places as `AnchorSieve.runs` has them, behind those of the call before */
  readAt(text: string, places: readonly number[], context: number, found: EncodedText[]): void {
    for (const place of places) {
      let at = place - stretchLength;
      // The stretch before was one as well: the run goes on, and has been judged by its beginning.
      const isSame = at <= this.lastPlace;
      this.lastPlace = place;
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
  }

  /**
   * Reads on in a text that comes in parts.
   * @param origin of the part at hand
   * @param found gets what is read, its offsets in `text`
   * @returns where a run begins that more text could make longer, in the whole text
   */
  find(text: string, origin: number, final: boolean, found: EncodedText[]): number {
    this.readTo = origin + this.findFrom(text, this.readTo - origin, final, found);
    return this.readTo;
  }

  private findFrom(text: string, from: number, final: boolean, found: EncodedText[]): number {
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
export const isTexty = (byte: number): boolean =>
  (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13;

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
