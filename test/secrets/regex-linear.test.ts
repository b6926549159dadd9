/** The engine for patterns that V8 could be stalled by, held against V8 where that one is not. */
import { expect, test } from "vitest";
import { LinearRegex } from "../../src/secrets/regex-linear.ts";
import { encodeRegex } from "../../src/secrets/regex-source.ts";
import { parseRegex, type RegexNode } from "../../src/secrets/regex-syntax.ts";

const PATTERNS = [
  "(a|ab)(c|bcd)?",
  "(a*)*b",
  "(?:a|b){0,5}?(ab?)(?:b|$)",
  "(a{1,3}){1,2}(b?)",
  "\\b(ab+)\\b",
  "(?:(a)|(b)|c)+",
  "^a(b|)c?$",
  "(a+)+$",
];
const LETTERS = "abcd ";

function parsed(pattern: string): RegexNode {
  const result = parseRegex(pattern);
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

/** Every text of these letters of this length or shorter. */
const textsUpTo = (length: number): string[] =>
  length === 0
    ? [""]
    : ["", ...textsUpTo(length - 1).flatMap((rest) => LETTERS.split("").map((letter) => letter + rest))];

test.each(PATTERNS)("%s matches what V8 matches, at every place", (pattern) => {
  const node = parsed(pattern);
  const linear = new LinearRegex(node);
  const sticky = new RegExp(encodeRegex(node), "y");
  const different: unknown[] = [];
  let matches = 0;
  for (const text of textsUpTo(5)) {
    for (let at = 0; at <= text.length; at++) {
      sticky.lastIndex = at;
      const expected = sticky.exec(text)?.[0] ?? null;
      const offsets = linear.exec(text, at, text.length, true);
      const found = offsets === null ? null : text.slice(offsets[0], offsets[1]);
      if (expected !== null) matches++;
      if (found !== expected) different.push({ text, at, found, expected });
    }
  }
  expect(different).toEqual([]);
  expect(matches).toBeGreaterThan(0);
});

test("a long text is read by the other half of the engine with the same outcome", () => {
  const linear = new LinearRegex(parsed("(x+)(y{1,40})z"));
  const text = `${"-".repeat(100_000)}${"x".repeat(1_000)}${"y".repeat(7)}z`;
  const expected = [100_000, text.length, 100_000, 101_000, 101_000, 101_007];
  expect(linear.exec(text, 0, text.length, false)).toEqual(expected);
  expect(linear.exec(text, 100_000, text.length, true)).toEqual(expected);
});

test("a pattern that would take a backtracking engine for ever is told to match nothing", () => {
  const linear = new LinearRegex(parsed("(?:a|a|aa)+(?:a|a)+b"));
  expect(linear.exec("a".repeat(3_000), 0, 3_000, true)).toBeNull();
});
