import * as fc from "fast-check";
import { expect, test } from "vitest";
import { EscapedWord, hiddenTokenAt } from "../../src/secrets/escaped-word.ts";

const anyEscape =
  /%([0-9A-Fa-f]{2})|\\(?:u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})|([abefnrtv0"'\\/]))/g;
const plain: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  e: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "0": "\0",
};

/** The plain way, which is slow. @returns what the word says, and where each character of it stands */
function readPlainly(word: string): { readonly decoded: string; readonly places: readonly number[] } {
  let decoded = "";
  const places: number[] = [];
  const keep = (from: number, text: string, isOne: boolean): void => {
    for (let i = 0; i < text.length; i++) places.push(isOne ? from : from + i);
    decoded += text;
  };
  let last = 0;
  for (const match of word.matchAll(anyEscape)) {
    keep(last, word.slice(last, match.index), false);
    last = match.index + match[0].length;
    const hex = match[1] ?? match[2] ?? match[3] ?? match[4];
    const code = Number.parseInt(hex ?? "0", 16);
    const said =
      hex === undefined ? (plain[match[5]!] ?? match[5]!) : code > 0x10ffff ? "" : String.fromCodePoint(code);
    keep(match.index, said, true);
  }
  keep(last, word.slice(last), false);
  return { decoded, places };
}

const pieces = '% \\ u x { } 4 41 0041 1f600 110000 000041 g n " é 語 \\u{ \\x4 %4'.split(" ");
const piece = fc.constantFrom(...pieces);
const words = fc.array(piece, { maxLength: 24 }).map((own) => own.join(""));

test("a word with escapes says what it says read plainly, each character at its place", () => {
  fc.assert(
    fc.property(words, words, (before, word) => {
      const text = `${before} ${word} %41`;
      const start = before.length + 1;
      const end = start + word.length;
      const expected = readPlainly(word);
      const own = new EscapedWord(text, start, end);
      expect(own.decoded).toBe(expected.decoded);
      expect(own.encoding).toBe(/%[0-9A-Fa-f]{2}/.test(word) ? "percent" : "escapes");
      const places = expected.places.map((place) => start + place);
      expect(own.decoded.split("").map((_, offset) => own.sourceOf(offset))).toEqual(places);
      expect(own.sourceOf(own.decoded.length)).toBe(end);
    }),
    { numRuns: 2000 },
  );
});

test("of a word with escapes it is told from each place on where it does not stand in the text as it is", () => {
  fc.assert(
    fc.property(words, (rest) => {
      const word = `%41${rest}`;
      const own = new EscapedWord(word, 0, word.length);
      const { length } = own.decoded;
      const changed = Array.from({ length }, (_, at) => own.sourceOf(at + 1) - own.sourceOf(at) !== 1);
      expect(own.changedFrom(0)).toBe(0);
      for (let at = 1; at < length; at++) {
        const next = changed.indexOf(true, at);
        const told = own.changedFrom(at);
        expect(told).toBeGreaterThanOrEqual(at);
        if (next >= 0) expect(told).toBe(next);
      }
    }),
    { numRuns: 500 },
  );
});

test.each([
  ["%41", 3],
  ["%20", 0],
  ["%4", -1],
  ["%4g", -1],
  ["\\x41", 4],
  ["\\x4", -1],
  ["\\u0041", 6],
  ["\\u{41}", 6],
  ["\\u{000041}", 10],
  ["\\u{0000041}", -1],
  ["\\u{}", -1],
  ["\\u{41", -1],
  ["\\u004", -1],
  ["\\u{110000}", 0],
  ["\\n", -1],
])("of %s it is told where an escape ends that a secret may be written with: %d", (text, end) => {
  expect(hiddenTokenAt(text, 0)).toBe(end);
});
