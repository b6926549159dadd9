import { expect, test } from "vitest";
import { createDetector } from "../../src/secrets/detector.ts";
import { parseRules } from "../../src/secrets/rules.ts";

const valid = `rules:
  - id: acme-token
    description: Acme token
    severity: block
    reference: https://acme.example/docs
    keywords: [ACME_]
    regex: acme_[a-z0-9]{12}
    examples:
      match: ["acme_¦abc123def456"]
`;

const mistakesIn = (text: string): string[] => {
  const parsed = parseRules(text);
  return parsed.ok ? [] : parsed.error.map(({ line, rule, message }) => `${line} ${rule ?? "-"} ${message}`);
};

test("a rule is read with its defaults, keywords folded and examples put together", () => {
  expect(parseRules(valid)).toMatchObject({
    ok: true,
    value: [
      {
        id: "acme-token",
        keywords: ["acme_"],
        secretGroup: null,
        wordStart: false,
        entropy: 0,
        until: null,
        path: null,
        allow: [],
        examples: { match: ["acme_abc123def456"], noMatch: [], path: null },
        line: 2,
      },
    ],
  });
});

test("rules are plain data and survive the way to a worker thread", () => {
  const parsed = parseRules(valid);
  if (!parsed.ok) throw new Error("not parsed");
  expect(structuredClone(parsed.value)).toEqual(parsed.value);
});

test("all mistakes are told at once, each with its line", () => {
  const text = `rules:
  - id: Not An Id
    description: a
    severity: fatal
    reference: http://acme.example
    keywords: [ab]
    regex: ab
    colour: red
    examples: { match: [a] }
  - id: b
    description: b
    severity: warn
    reference: https://acme.example
    keywords: [abc]
    regex: (abc)\\1
    secretGroup: 3
    allow:
      - regexes:
          - ok
          - (?=x)
    examples: { match: [abc] }
  - id: b
    description: again
    severity: warn
    reference: https://acme.example
    keywords: [abc]
    regex: xabc
    path: \\.env$
    examples: { match: [abc] }
`;
  expect(mistakesIn(text)).toEqual([
    expect.stringMatching(/^2 Not An Id `id`:/),
    expect.stringMatching(/^4 Not An Id `severity`:/),
    expect.stringMatching(/^5 Not An Id `reference`:/),
    expect.stringMatching(/^6 Not An Id `keywords.0`:/),
    "8 Not An Id unknown key `colour`",
    expect.stringMatching(/^15 b the pattern `\\1` refers back to a group/),
    expect.stringMatching(/^20 b the pattern `\(\?=` looks around/),
    "22 b the id stands in line 10 already",
    "29 b the rule has a `path`; give the examples one that it matches",
  ]);
});

test("a group that is not there is a mistake", () => {
  expect(mistakesIn(valid.replace("    examples", "    secretGroup: 1\n    examples"))).toEqual([
    "8 acme-token the pattern has 0 groups, none has this number",
  ]);
});

test.each([
  ["rules: [", 1],
  ["rules:\n  - id: a\n    id: b\n", 3],
  ["", 1],
  ["rule: []", 1],
])("%j is not a rule file", (text, line) => {
  const mistakes = mistakesIn(text);
  expect(mistakes.length).toBeGreaterThan(0);
  expect(mistakes[0]).toMatch(new RegExp(`^${line} `));
});

test("a file that multiplies itself by aliases is refused", () => {
  const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(", ")}]`);
  expect(mistakesIn(`l0: &l0 [a]\n${levels.join("\n")}\n`)).toHaveLength(1);
});

test("a detector refuses a rule whose pattern is not usable", () => {
  const parsed = parseRules(valid);
  if (!parsed.ok) throw new Error("not parsed");
  const detector = createDetector([{ ...parsed.value[0]!, regex: "acme_(?!x)" }]);
  expect(() => detector.detect("acme_abc123def456")).toThrow(/secret rule acme-token/);
});
