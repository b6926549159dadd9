import { afterEach, describe, expect, it, vi } from "vitest";
import { hasAssertion, LineSearch } from "../../src/secrets/line-search.ts";
import { RegexFilter } from "../../src/secrets/regex-filter.ts";
import { parseRegex, type RegexNode } from "../../src/secrets/regex-syntax.ts";
import { boundRegex, createAnySearch, createRegexSearch, type RegexSearch } from "../../src/secrets/rule-regex.ts";

function compiled(pattern: string): { readonly node: RegexNode; readonly search: RegexSearch } {
  const parsed = parseRegex(pattern);
  if (!parsed.ok) throw new RangeError(parsed.error);
  return { node: parsed.value, search: createRegexSearch(boundRegex(parsed.value)) };
}

/** Counts the characters that all filters look at. */
function countReads(): () => number {
  let count = 0;
  // oxlint-disable-next-line typescript/unbound-method
  const read = RegexFilter.prototype.read;
  vi.spyOn(RegexFilter.prototype, "read").mockImplementation(function (this: RegexFilter, ...args) {
    const run = read.apply(this, args);
    count += run.read;
    return run;
  });
  return () => count;
}

afterEach(() => void vi.restoreAllMocks());

const patterns = ["badge\\?t=", "ab{1,3}[^c]{0,60}c", "xx"].map(compiled);
const plain = createAnySearch(patterns);
const signs = ["a", "b", "c", "x", "badge?t=", "-", " "];

describe("LineSearch", () => {
  it("answers of each part of a text as if it were asked of that alone", () => {
    let state = 1;
    const next = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
    const search = new LineSearch(patterns);
    let found = 0;
    for (let number = 0; number < 200; number++) {
      // Some of the texts hold few of what is looked for.
      const few = number % 3 === 0 ? ["a", "-"] : signs;
      let text = "";
      while (text.length < 300) text += few[next(few.length)]!;
      for (let start = 0; start < text.length; start += next(12)) {
        // Now and then one that begins before the last one did.
        const from = next(10) === 0 ? next(start + 1) : start;
        const line = text.slice(from, from + 1 + next(120));
        const answer = search.test(line, { number, start: from });
        expect(answer, `${line} at ${from} of ${text}`).toBe(plain(line));
        if (answer) found++;
      }
    }
    expect(found).toBeGreaterThan(100);
  });

  it("reads what lines have in common once", () => {
    const text = "secret=0123456789 ".repeat(1000);
    const search = new LineSearch(patterns);
    const read = countReads();
    for (let at = 0; at < text.length; at += 18) {
      const start = Math.max(0, at - 512);
      expect(search.test(text.slice(start, at + 512), { number: 7, start })).toBe(false);
    }
    expect(read()).toBeLessThan(1.1 * text.length);
  });
});

describe("hasAssertion", () => {
  it.each([
    ["a^", true],
    ["(?:a|b$){2}", true],
    ["(a(?:b\\b)?)", true],
    ["a(b|c){2}.", false],
  ])("of %s", (pattern, expected) => expect(hasAssertion(compiled(pattern).node)).toBe(expected));
});

describe("createAnySearch", () => {
  it.each([
    ["^ab|c$", "^x"],
    ["^(?:ab|b)", "(?:^x|xy)"],
    ["^a*$", "b+|^$", "\\bx"],
    ["(?m)^a", "^b"],
    ["^a", "^b", "^(?:c|$)"],
  ])("finds what one of %s, %s stands in", (...own) => {
    const any = createAnySearch(own.map(compiled));
    const texts = ["", "\n"].concat(["a", "b", "c", "x", " "].flatMap((one) => [one, `${one}\n`]));
    for (const first of texts) {
      for (const second of texts) {
        for (const third of ["", "a", "xy", "c"]) {
          const text = first + second + third;
          const expected = own.some((pattern) => compiled(pattern).search.test(text));
          expect(any(text), JSON.stringify(text)).toBe(expected);
        }
      }
    }
  });

  it("reads no more than it takes where all must stand at the beginning", () => {
    const any = createAnySearch(["^(?:my|your)_key$|^x+$", "^\\w{1,4}\\("].map(compiled));
    const read = countReads();
    expect(any(`your_token${"-".repeat(1000)}`)).toBe(false);
    expect(read()).toBeLessThan(20);
  });
});
