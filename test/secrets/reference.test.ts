/** The detector finds what the pattern, tried at every place one after the other, finds: no anchor, mask or filter leaves anything out. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createDetector } from "../../src/secrets/detector.ts";
import { encodeRegex } from "../../src/secrets/regex-source.ts";
import { parseRegex } from "../../src/secrets/regex-syntax.ts";
import { parseRules } from "../../src/secrets/rules.ts";

const patterns = [
  "key-[a-c]{3,5}",
  "(?i)key[-_]?(?:a|bb)+=?",
  "[a-c]{2,4}-key",
  "\\bkey[a-c]+\\b",
  "(?:key|a-b|cc-)[a-c]{2}",
  "(?:^|[^a-c])key(?:[^a-c]|$)",
  "key(?:a*b){2,}c",
  "(?:a|ab|abc)*key",
  "key-(?:[a-c]+-)+key",
  "k(?:e|ey)(?:y|-)?[a-c]",
  "key[^k]{0,6}?-",
  "(?m)^key.*$",
  "key(?:aa|a)(?:ab|b)",
  "[a-c-]{3}y[a-c]",
  "key[a-c]{2,60}-",
  "é?key\\n?a",
];

/** Every match of the pattern, none overlapping the one before. */
function reference(pattern: string, text: string): string[] {
  const parsed = parseRegex(pattern);
  if (!parsed.ok) throw new Error(parsed.error);
  const regex = new RegExp(encodeRegex(parsed.value), "y");
  const found: string[] = [];
  for (let at = 0; at < text.length;) {
    regex.lastIndex = at;
    if (regex.test(text) && regex.lastIndex > at) {
      found.push(`${at}-${regex.lastIndex}`);
      at = regex.lastIndex;
    } else at++;
  }
  return found;
}

const unit = fc.constantFrom("a", "b", "c", "-", "=", " ", "\n", "é", "A", "B");
const piece = fc.oneof(unit, unit, fc.constantFrom("key", "KEY", "key-", "-key", "ke", "abc"));
const text = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""));

test.each(patterns)("%s", (pattern) => {
  const rule = {
    id: "r",
    description: "r",
    severity: "warn",
    reference: "https://vendor.example/",
    regex: pattern,
    secretGroup: 0,
    examples: { match: ["unused"] },
  };
  const parsed = parseRules(JSON.stringify({ rules: [rule] }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  const detector = createDetector(parsed.value);
  fc.assert(
    fc.property(text, (sample) => {
      expect(detector.detect(sample).map(({ start, end }) => `${start}-${end}`)).toEqual(reference(pattern, sample));
    }),
    { numRuns: 300 },
  );
});

test("a text of several blocks, its matches at their borders", () => {
  const rule = {
    id: "r",
    description: "r",
    severity: "warn",
    reference: "https://vendor.example/",
    regex: "[a-c]{2,4}-key",
    secretGroup: 0,
    examples: { match: ["unused"] },
  };
  const parsed = parseRules(JSON.stringify({ rules: [rule] }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  const detector = createDetector(parsed.value);
  for (let shift = 0; shift < 24; shift++) {
    const sample = `${"x".repeat(shift)}${`abc-key ${"y".repeat(13)} `.repeat(2000)}`;
    expect(detector.detect(sample).map(({ start, end }) => `${start}-${end}`)).toEqual(
      reference("[a-c]{2,4}-key", sample),
    );
  }
});
