/** Words with escapes of URLs, JSON, YAML and JavaScript in them. A hostile text is made of little else: each is read once, and quickly. */

import type { EncodedText, Encoding } from "./encoded-text.ts";

/** Of each escape that is read, one stands in its beginning. */
export const escapeSigns = ["\\u", "\\x", "%2", "%3", "%4", "%5", "%6", "%7"];
export const longestEscape = 10;
/** A word with an escape in it is read from there on, as far as this. */
export const longestWord = 4096;

const escapeBeginning = /^(?:%[0-9A-Fa-f]?|\\(?:[ux][0-9A-Fa-f{]*)?)$/;

/** @returns whether all that is there from a place on is the beginning of an escape, or may be */
export const mayBecomeEscape = (text: string, at: number): boolean =>
  text.length - at < longestEscape && escapeBeginning.test(text.slice(at));

const percent = 0x25;
const backslash = 0x5c;

const hexValue = new Int8Array(128).fill(-1);
for (const [value, digits] of [
  "0",
  "1",
  "2",
  "3",
  "4",
  "5",
  "6",
  "7",
  "8",
  "9",
  "aA",
  "bB",
  "cC",
  "dD",
  "eE",
  "fF",
].entries())
  for (const digit of digits) hexValue[digit.charCodeAt(0)] = value;

/** @returns the number that so many digits say, or -1 where others stand */
function hexAt(text: string, at: number, end: number): number {
  let value = 0;
  for (let i = at; i < end; i++) {
    const digit = hexValue[text.charCodeAt(i)] ?? -1;
    if (digit < 0) return -1;
    value = 16 * value + digit;
  }
  return value;
}

/** Scratch: the offset behind the last escape that was read. */
let behind = 0;

/** @returns the character that the escape at a place stands for, by its number; -1 if there is none */
function escapeAt(text: string, at: number, end: number): number {
  let from = at + 1;
  if (text.charCodeAt(at) === percent) behind = at + 3;
  else {
    const kind = text[at + 1];
    from++;
    if (kind === "x") behind = at + 4;
    else if (kind !== "u") return -1;
    else if (text[from] !== "{") behind = at + 6;
    else {
      const close = from + 1 + text.slice(from + 1, from + 8).indexOf("}");
      behind = close + 1;
      return close > from + 1 && behind <= end ? hexAt(text, from + 1, close) : -1;
    }
  }
  return behind <= end ? hexAt(text, from, behind) : -1;
}

/** Whether characters that secrets are made of, by their number, nobody writes with escapes without a reason. */
const isTokenUnit = new Uint8Array(128);
for (const sign of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=:.@%\\")
  isTokenUnit[sign.charCodeAt(0)] = 1;

/** @returns the offset behind an escape that stands for such a character; 0 for another escape, -1 for none */
export function hiddenTokenAt(text: string, at: number): number {
  const code = escapeAt(text, at, text.length);
  if (code < 0) return -1;
  return isTokenUnit[code] === 1 ? behind : 0;
}

const plainEscapes = new Map(
  Object.entries({ a: "\x07", b: "\b", e: "\x1b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "0": "\0" }).map(
    ([letter, sign]) => [letter.charCodeAt(0), sign.charCodeAt(0)],
  ),
);
for (const sign of "\"'\\/") plainEscapes.set(sign.charCodeAt(0), sign.charCodeAt(0));

/** Scratch: what a word says, the lower bytes of that, and where each of its characters stands. */
const said = new Uint16Array(longestWord);
const saidBytes = Buffer.alloc(longestWord);
const places = new Int32Array(longestWord);
/** Scratch: all bits of what a word says, whether an escape of a URL stands in it, and the last character that any escape says. */
let saidBits = 0;
let hasPercent = false;
let lastSaid = 0;

/** @returns how many characters the word says */
function read(text: string, start: number, end: number): number {
  let count = 0;
  let bits = 0;
  hasPercent = false;
  lastSaid = 0;
  for (let at = start; at < end;) {
    const unit = text.charCodeAt(at);
    places[count] = at;
    if (unit === percent || unit === backslash) {
      const code = escapeAt(text, at, end);
      if (code >= 0) {
        at = behind;
        hasPercent ||= unit === percent;
        lastSaid = count;
        if (code > 0xffff) {
          // What is no character says nothing.
          if (code > 0x10ffff) continue;
          places[count + 1] = places[count]!;
          bits = 0xffff;
          lastSaid = count + 1;
          said[count++] = 0xd800 + ((code - 0x10000) >> 10);
          said[count++] = 0xdc00 + ((code - 0x10000) & 0x3ff);
        } else {
          bits |= code;
          saidBytes[count] = code;
          said[count++] = code;
        }
        continue;
      }
      const plain = unit === backslash && at + 1 < end ? plainEscapes.get(text.charCodeAt(at + 1)) : undefined;
      if (plain !== undefined) {
        lastSaid = count;
        saidBytes[count] = plain;
        said[count++] = plain;
        at += 2;
        continue;
      }
    }
    bits |= unit;
    saidBytes[count] = unit;
    said[count++] = unit;
    at++;
  }
  saidBits = bits;
  return count;
}

/** A word and what it says. A hostile text is full of them, and nearly none is asked where its characters stand. */
export class EscapedWord implements EncodedText {
  readonly start: number;
  readonly end: number;
  readonly encoding: Encoding;
  readonly decoded: string;
  readonly lastChanged: number;
  private readonly text: string;
  /** Read again only where something is found in it, and then once for all of that. */
  private places: Int32Array | null = null;
  /** By character, the first from there on that an escape says. */
  private changes: Int32Array | null = null;

  /** @param end at most `longestWord` behind `start` */
  constructor(text: string, start: number, end: number) {
    const count = read(text, start, end);
    this.text = text;
    this.start = start;
    this.end = end;
    this.decoded =
      saidBits < 256
        ? saidBytes.toString("latin1", 0, count)
        : String.fromCharCode.apply(null, said.subarray(0, count) as unknown as number[]);
    this.encoding = hasPercent ? "percent" : "escapes";
    this.lastChanged = lastSaid;
  }

  sourceOf(offset: number): number {
    this.places ??= places.slice(0, read(this.text, this.start, this.end));
    return this.places[offset] ?? this.end;
  }

  changedFrom(offset: number): number {
    if (offset <= 0) return 0;
    if (offset > this.lastChanged) return Infinity;
    return (this.changes ??= this.findChanges())[offset]!;
  }

  private findChanges(): Int32Array {
    const changes = new Int32Array(this.lastChanged + 1);
    let next = this.lastChanged;
    for (let offset = next; offset >= 0; offset--) {
      if (this.sourceOf(offset + 1) - this.sourceOf(offset) !== 1) next = offset;
      changes[offset] = next;
    }
    return changes;
  }
}

const signs = ["%", "\\u", "\\x"];

/** @returns a function from ascending places to the next sign there or behind, or -1. */
export function signsIn(text: string): (from: number) => number {
  // Each is looked for again only when it has been passed: most texts lack one of them.
  const next = signs.map(() => -1);
  return (from) => {
    let nearest = -1;
    for (let i = 0; i < signs.length; i++) {
      if (next[i]! < from) {
        const place = text.indexOf(signs[i]!, from);
        next[i] = place < 0 ? Infinity : place;
      }
      if (next[i]! < Infinity && (nearest < 0 || next[i]! < nearest)) nearest = next[i]!;
    }
    return nearest;
  };
}
