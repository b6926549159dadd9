import * as fc from "fast-check";
import { expect, test } from "vitest";
import { AnchorFinder } from "../../src/secrets/anchor-finder.ts";
import { beginningMasks } from "../../src/secrets/regex-filter.ts";
import { parseRegex } from "../../src/secrets/regex-syntax.ts";
import { isWordStart } from "../../src/secrets/word-start.ts";

const letters = (maxLength: number) => fc.string({ unit: fc.constantFrom("a", "b", "A", "B", "-", "é"), maxLength });
const ascii = fc.string({ unit: fc.constantFrom("a", "b", "A", "B", "-"), minLength: 1, maxLength: 4 });

/** Every occurrence by its place, found the slow way. */
function occurrences(words: readonly string[], text: string): string[] {
  const folded = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return words
    .flatMap((word, index) => {
      const places: string[] = [];
      const sought = word.toLowerCase();
      for (let at = folded.indexOf(sought); at >= 0; at = folded.indexOf(sought, at + 1)) places.push(`${index}@${at}`);
      return places;
    })
    .sort();
}

function readAll(finder: AnchorFinder, words: readonly string[], text: string, from = 0): string[] {
  const found: string[] = [];
  for (let at = from; at < text.length;) {
    at = finder.find(text, at);
    for (let i = 0; i < finder.hitCount; i++) {
      for (const word of finder.endings[finder.hits[2 * i + 1]!]!) {
        found.push(`${word}@${finder.hits[2 * i]! - words[word]!.length}`);
      }
    }
  }
  return found;
}

test("finds every occurrence of every anchor, in parts as well, and knows what may still become one", () => {
  fc.assert(
    fc.property(fc.array(ascii, { minLength: 1, maxLength: 6 }), letters(40), fc.nat(40), (words, text, cut) => {
      const finder = new AnchorFinder(words);
      const first = text.slice(0, cut);
      const begun = readAll(finder, words, first);
      const folded = first.toLowerCase();
      const beginnings = words.flatMap((word) => word.split("").map((_, i) => word.toLowerCase().slice(0, i + 1)));
      const pending = Math.max(0, ...beginnings.filter((b) => folded.endsWith(b)).map((b) => b.length));
      expect(finder.pendingLength(first)).toBe(pending);
      const rest = readAll(finder, words, text, first.length);
      expect([...begun, ...rest].sort()).toEqual(occurrences(words, text));
    }),
    { numRuns: 500 },
  );
});

test("anchors of every length, at every place, also across the border of a block and beside letters that are none of ASCII", () => {
  const words = Array.from({ length: 14 }, (_, n) => "k-9_+/.:zq%\\=x".slice(0, n + 1));
  const around = ["é", "\u0161", "K", " ", "\n", "K"];
  const pieces = words.flatMap((word, at) => [word, around[at % around.length]!, word.toUpperCase(), "ů"]);
  for (const shift of Array.from({ length: 20 }, (_, n) => n)) {
    const text = `${"\u0161".repeat(32_768 - 200 + 16 * shift + (shift % 16))}${pieces.join("")}${"é".repeat(shift)}`;
    expect(readAll(new AnchorFinder(words), words, text).sort()).toEqual(occurrences(words, text));
  }
});

test("a text longer than a block, full of anchors", () => {
  const words = ["ab", "b"];
  const text = "xxab".repeat(20_000);
  expect(readAll(new AnchorFinder(words), words, text).sort()).toEqual(occurrences(words, text));
});

const beginnings = [
  { pattern: "ab", least: 0, most: 0, wordStart: true },
  { pattern: "ab[ab]{2}-", least: 0, most: 0, wordStart: true },
  { pattern: "ab[^a]{1,3}a", least: 0, most: 0, wordStart: false },
  { pattern: "-{1,2}ab[aé\u0161]{2}-", least: 1, most: 2, wordStart: false },
  { pattern: "[a-]{23}ab-", least: 23, most: 23, wordStart: false },
];

test.each(beginnings)("told that matches of $pattern are sought, it leaves out none of them", (beginning) => {
  const { pattern, least, most, wordStart } = beginning;
  const node = parseRegex(pattern);
  if (!node.ok) throw new Error(node.error);
  const masks = beginningMasks(node.value);
  const anywhere = new RegExp(pattern, "y");
  const pieces = fc.constantFrom(
    "a",
    "b",
    "ab",
    "-",
    "é",
    "\u0161",
    "\u0161ab",
    "\\nab",
    "zab",
    "--ab",
    "aaaaaaaaaaaa",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), fc.constantFrom(0, 32_740), (parts, before) => {
      const text = `${"-".repeat(before)}${parts.join("")}`;
      const finder = new AnchorFinder(["ab", "ba"]);
      const all = new Set(readAll(finder, ["ab", "ba"], text));
      finder.learn(0, [{ masks, least, most, wordStart }]);
      const left = new Set(readAll(finder, ["ab", "ba"], text));
      for (const hit of left) expect(all).toContain(hit);
      for (let at = before; at < text.length; at++) {
        anywhere.lastIndex = at;
        if (!anywhere.test(text) || (wordStart && !isWordStart(text, at))) continue;
        expect([least, most].some((distance) => left.has(`0@${at + distance}`))).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
});

test("what it is told of an anchor leaves out what cannot be a match", () => {
  const node = parseRegex("ab[0-9]{4}");
  if (!node.ok) throw new Error(node.error);
  const finder = new AnchorFinder(["ab"]);
  finder.learn(0, [{ masks: beginningMasks(node.value), least: 0, most: 0, wordStart: true }]);
  expect(readAll(finder, ["ab"], "ab1234 abcdef zab1234 ab1")).toEqual(["0@0", "0@22"]);
});

test("what one finder knows, another one does not", () => {
  const [one, two] = [["secret"], ["token"]].map((words) => ({ words, finder: new AnchorFinder(words) }));
  for (const { words, finder } of [one!, two!, one!]) {
    expect(readAll(finder, words, "token secret")).toEqual(occurrences(words, "token secret"));
  }
});

test("tells of a text with U+0000, and of no other", () => {
  const finder = new AnchorFinder(["x"]);
  for (const [text, expected] of [
    ["ab", false],
    ["\u0100\u0200", false],
    ["a\0b", true],
    ["\u0161\0", true],
    ["", false],
  ] as const) {
    finder.find(text, 0);
    expect(finder.hasZeros).toBe(expected);
  }
});

test("of anchors longer than what is compared at once, the whole must stand there", () => {
  const words = ["-".repeat(4) + "abcdefghijklmnopqrstuvwxyz", "z"];
  const text = `----abcdefghijklmnopqrstuvwxyz a---abcdefghijklmnopqrstuvwxyz ${words[0]!.toUpperCase()}`;
  expect(readAll(new AnchorFinder(words), words, text).sort()).toEqual(occurrences(words, text));
});

test("no anchors, no hits", () => {
  const finder = new AnchorFinder([]);
  expect(finder.find("abc", 0)).toBe(3);
  expect(finder.hitCount).toBe(0);
});

const digits64 = /[A-Za-z0-9+/_-]+/g;

test("every run of 24 digits of base64 holds a stretch, longer ones side by side", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.stringMatching(/^[A-Za-z0-9+/_-]{0,80}$/), fc.constantFrom(" ", "\n", '"', "é", "=", "\u0141")),
      ),
      (parts) => {
        const text = parts.flat().join("");
        const finder = new AnchorFinder(["x"]);
        finder.find(text, 0);
        const whole = finder.runs.filter((end) => /^[A-Za-z0-9+/_-]{16}$/.test(text.slice(end - 16, end)));
        for (const { index, 0: run } of text.matchAll(digits64)) {
          if (run.length < 24) continue;
          const own = whole.filter((end) => end > index && end <= index + run.length);
          expect(own[0]! - index).toBeLessThan(16 + 16);
          expect(index + run.length - own.at(-1)!).toBeLessThan(16);
          for (const [place, end] of own.slice(1).entries()) expect(end - own[place]!).toBeLessThanOrEqual(16);
        }
      },
    ),
  );
});
