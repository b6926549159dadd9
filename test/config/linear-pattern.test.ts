import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileLinearPattern } from "../../src/config/linear-pattern.ts";
import { isFound, type LinearPattern } from "../../src/policy/linear-pattern.ts";

function compile(pattern: string): LinearPattern {
  const compiled = compileLinearPattern(pattern);
  if (!compiled.ok) throw new Error(compiled.error);
  return compiled.value;
}

describe("a linear pattern", () => {
  it.each([
    ["a", "xay", true],
    ["a", "", false],
    ["", "", true],
    ["^a", "ba", false],
    ["a$", "a\n", false],
    ["(?m)a$", "a\n", true],
    ["(?m)^b", "a\nb", true],
    ["^b", "a\nb", false],
    ["a.b", "a\nb", false],
    ["(?s)a.b", "a\nb", true],
    ["(?i)AbC", "xaBcx", true],
    ["a{2,3}b", "ab", false],
    ["^a{2,3}b", "aaaab", false],
    ["^a{2,}b", "aaaab", true],
    ["(a*)*b", "aaab", true],
    ["(|a)+$", "aaa", true],
    ["\\bwip\\b", "no wip.", true],
    ["\\bwip\\b", "wipe", false],
    ["a\\Bb", "ab", true],
    ["\\Aab?\\z", "ab", true],
    ["[^a-c]", "abc", false],
    ["é", "café", true],
    ["^(?:x|yz)+$", "xyzx", true],
    ["^(?:x|yz)+$", "xyx", false],
    ["^.+$", "x".repeat(5_000), true],
  ])("%s in %j: %s", (pattern, text, found) => {
    expect(isFound(compile(pattern), text)).toBe(found);
  });

  it("says of every pattern and text what V8 says", () => {
    /** A pattern in RE2's syntax, and the same in V8's. */
    type Both = readonly [re2: string, v8: string];
    const atom = fc.constantFrom<Both[]>(
      ...["a", "b", "[ab]", "[^a]", "\\n", "\\b", "\\B", "^", "$", "\\w"].map((same): Both => [same, same]),
      [".", "[^\\n]"],
      ["(?s:.)", "[^]"],
      ["(?m:^)", "(?<![^\\n])"],
      ["(?m:$)", "(?![^\\n])"],
    );
    const { pattern } = fc.letrec<{ pattern: Both }>((tie) => {
      const pair = fc.tuple(tie("pattern"), tie("pattern"));
      const times = fc.constantFrom("*", "+", "?", "{2}", "{0,2}", "{1,}");
      return {
        pattern: fc.oneof(
          { depthSize: "small", withCrossShrink: true },
          atom,
          pair.map(([a, b]): Both => [a[0] + b[0], a[1] + b[1]]),
          pair.map(([a, b]): Both => [`(?:${a[0]}|${b[0]})`, `(?:${a[1]}|${b[1]})`]),
          fc.tuple(tie("pattern"), times).map(([a, n]): Both => [`(?:${a[0]})${n}`, `(?:${a[1]})${n}`]),
        ),
      };
    });
    const text = fc.string({ unit: fc.constantFrom("a", "b", "\n", " ", "é"), maxLength: 12 });
    fc.assert(
      fc.property(pattern, text, ([re2, v8], subject) => {
        expect(isFound(compile(re2), subject)).toBe(new RegExp(v8).test(subject));
      }),
      { numRuns: 500 },
    );
  });

  it("walks a text made to stall it, and forgets states that no other text needs", () => {
    // Takes a backtracking engine 2^30 steps, and a deterministic automaton 2^12 states.
    const text = "ab".repeat(20_000);
    expect(isFound(compile("(?:(?:a|b|ab)*)*c"), text)).toBe(false);
    let seed = 1;
    const noise = Array.from({ length: 20_000 }, () => ((seed = (seed * 48_271) % 2_147_483_647) & 8 ? "a" : "b")).join(
      "",
    );
    const wide = compile("(?:a|b)*a(?:a|b){12}c");
    expect(isFound(wide, noise)).toBe(false);
    expect(isFound(wide, `${noise}a${"b".repeat(12)}c`)).toBe(true);
  });
});
