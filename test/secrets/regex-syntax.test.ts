import { expect, test } from "vitest";
import { encodeRegex } from "../../src/secrets/regex-source.ts";
import { parseRegex } from "../../src/secrets/regex-syntax.ts";
import { leadingLiterals, longestMatch, worstSteps } from "../../src/secrets/regex-bounds.ts";

const tree = (pattern: string) => {
  const parsed = parseRegex(pattern);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};
const compiled = (pattern: string): RegExp => new RegExp(`^(?:${encodeRegex(tree(pattern))})$`);

// What RE2 says, where V8 says otherwise or nothing.
test.each([
  ["\\s", " ", true],
  ["\\s", "\v", false],
  ["\\s", "\u00a0", false],
  ["[[:space:]]", "\v", true],
  ["[[:alnum:]]", "a", true],
  ["[[:^alnum:]]", "a", false],
  ["[[:alnum:]]", ":", false],
  [".", "\r", true],
  [".", "\u2028", true],
  [".", "\n", false],
  ["(?s).", "\n", true],
  ["(?s:.)|x", "\n", true],
  ["a(?i)b|c", "aB", true],
  ["a(?i)b|c", "C", true],
  ["a(?i)b|c", "Ab", false],
  ["(?i:a)b", "Ab", true],
  ["(?i:a)b", "AB", false],
  ["(?i)[^a]", "A", false],
  ["(?i)k", "\u212a", false],
  ["(?i-i)a", "A", false],
  ["\\Qa.b\\E+", "a.bb", true],
  ["\\Qa.b\\E", "axb", false],
  ["\\x41\\x{42}\\101", "", null],
  ["a{,3}", "a{,3}", true],
  ["[]a]", "]", true],
  ["[^]a]", "]", false],
  ["[a\\-z]", "-", true],
  ["[a-]", "-", true],
  ["(?P<name>a)(?<other>b)", "ab", true],
  ["\\pL", "", null],
] as const)("%s on %j: %s", (pattern, text, expected) => {
  if (expected === null) expect(parseRegex(pattern).ok).toBe(false);
  else expect(compiled(pattern).test(text)).toBe(expected);
});

test.each([
  ["(?=a)", "looks around"],
  ["(?<!a)", "looks around"],
  ["(?>a)", "atomic"],
  ["(a)\\1", "refers back"],
  ["\\k<a>", "refers back"],
  ["a**", "repeats a repetition"],
  ["a{1001}", "beyond 1000"],
  ["a{3,2}", "wrong order"],
  ["*a", "nothing before it"],
  ["(a", "never closed"],
  ["a)", "unmatched"],
  ["[a", "never closed"],
  ["[z-a]", "wrong order"],
  ["a\\", "lone backslash"],
  ["[[:nope:]]", "not a class"],
  ["(?x)a", "not RE2"],
  ["[😀]", "Multilingual"],
  ["(".repeat(200), "deeper"],
])("%s is refused: %s", (pattern, reason) => {
  expect(parseRegex(pattern)).toEqual({ ok: false, error: expect.stringContaining(reason) as string });
});

test("bounds", () => {
  expect(longestMatch(tree("a(?:bc|def){2,3}g?"))).toBe(11);
  expect(longestMatch(tree("a+"))).toBe(2048);
  expect(worstSteps(tree("a[b-d]{0,500}e"))).toBeLessThan(2000);
  expect(worstSteps(tree("a[b-d]{0,500}[a-z]{0,500}!"))).toBeGreaterThan(100_000);
  expect(worstSteps(tree("(?:a+)+b"))).toBeGreaterThan(1e9);
  const starts = (pattern: string): string[] => leadingLiterals(tree(pattern)).map((lead) => lead.text);
  expect(new Set(starts("(?i)gh[pu]_.+"))).toEqual(new Set(["ghp_", "ghu_"]));
  expect(new Set(starts("\\b(?:ab?c|d{2,3}e)"))).toEqual(new Set(["abc", "ac", "dd"]));
});
