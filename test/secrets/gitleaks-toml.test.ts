import { expect, test } from "vitest";
import { createDetector } from "../../src/secrets/detector.ts";
import { findExtendedPath, parseGitleaks, type GitleaksRules } from "../../src/secrets/gitleaks-toml.ts";

function rulesOf(text: string, base: GitleaksRules | null = null): GitleaksRules {
  const parsed = parseGitleaks(text, base);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value;
}
const mistakesIn = (text: string): string[] => {
  const parsed = parseGitleaks(text, null);
  return parsed.ok ? [] : parsed.error.map(({ line, rule, message }) => `${line} ${rule ?? "-"} ${message}`);
};
const notesOf = ({ notes }: GitleaksRules): string[] =>
  notes.map(({ line, rule, message }) => `${line} ${rule ?? "-"} ${message}`);
const found = ({ rules }: GitleaksRules, text: string, path?: string): string[] =>
  createDetector(rules)
    .detect(text, path)
    .map(({ rule, severity, start, end }) => `${rule} ${severity} ${text.slice(start, end)}`);

const acme = `title = "ours"

[[rules]]
id = "1-Acme_token"
description = "Acme"
regex = '''(?i)[\\w.-]{0,50}?acme[\\w.-]{0,20}[\\s'"]{0,3}(?:=|:)[\\s'"]{0,5}([a-z0-9]{12})(?:['"\\s;]|$)'''
entropy = 3.0
keywords = ["ACME"]
tags = ["team-a"]

  [[rules.allowlists]]
  condition = "AND"
  regexTarget = "line"
  regexes = ['''# fake''']
  paths = ['''^test/''']

[[rules]]
id = "generic-thing"
regex = '''thing-(?P<kind>[a-z]+)-([0-9]{6})'''
secretGroup = 2
path = '''\\.conf$'''
[rules.allowlist]
stopwords = ["123456"]
`;

test("rules, their groups, entropy, paths and allowlists of both forms", () => {
  const rules = rulesOf(acme);
  expect(notesOf(rules)).toEqual([]);
  expect(rules.rules[0]).toMatchObject({ keywords: ["acme"], tags: ["team-a"], line: 3, severity: "block" });
  expect(found(rules, 'my.acme_key = "a1b2c3d4e5f6"')).toEqual(["1-Acme_token block a1b2c3d4e5f6"]);
  expect(found(rules, 'acme_key = "aaaaaaaaaaaa"')).toEqual([]);
  expect(found(rules, 'acme_key = "a1b2c3d4e5f6" # fake', "src/a")).toHaveLength(1);
  expect(found(rules, 'acme_key = "a1b2c3d4e5f6" # fake', "test/a")).toEqual([]);
  expect(found(rules, "thing-abc-654321 thing-abc-123456", "a.conf")).toEqual(["generic-thing warn 654321"]);
  expect(found(rules, "thing-abc-654321", "a.txt")).toEqual([]);
});

test("allowlists of the whole file, old, new and for certain rules", () => {
  const two = `
[[rules]]
id = "a"
regex = '''aaa-[0-9]{4}'''
[[rules]]
id = "b"
regex = '''bbb-[0-9]{4}'''
`;
  const text = "aaa-1111 bbb-1111 aaa-2222 bbb-2222";
  expect(found(rulesOf(`[allowlist]\nregexes = ['''1111$''']\n${two}`), text)).toHaveLength(2);
  const targeted = `[[allowlists]]\ntargetRules = ["b"]\nstopwords = ["1111"]\n${two}`;
  expect(found(rulesOf(targeted), text).map((line) => line.slice(-8))).toEqual(["aaa-1111", "aaa-2222", "bbb-2222"]);
  expect(found(rulesOf(`[[allowlists]]\npaths = ["^vendor/"]\n${two}`), text, "vendor/x")).toEqual([]);
});

test("a file is extended: rules merged by id, disabled ones left out", () => {
  const base = rulesOf(acme);
  const text = `[extend]
path = "base.toml"
disabledRules = ["generic-thing", "nowhere"]

[[rules]]
id = "1-Acme_token"
entropy = 0.5
tags = ["warn"]
`;
  expect(findExtendedPath(text)).toBe("base.toml");
  const rules = rulesOf(text, base);
  expect(notesOf(rules)).toEqual(["3 nowhere `disabledRules` names this rule, which is not there"]);
  expect(rules.rules.map(({ id }) => id)).toEqual(["1-Acme_token"]);
  expect(found(rules, 'acme_key = "aaaabbbbcccc"')).toEqual(["1-Acme_token warn aaaabbbbcccc"]);
});

test("a required rule must find something near", () => {
  const rules = rulesOf(`
[[rules]]
id = "id"
regex = '''id-[0-9]{4}'''
[[rules]]
id = "key"
regex = '''key-[0-9]{4}'''
[[rules.required]]
id = "id"
withinLines = 1
`);
  expect(found(rules, "id-1111\nkey-2222\n")).toEqual(["id block id-1111", "key block key-2222"]);
  expect(found(rules, "id-1111\n\n\nkey-2222\n")).toEqual(["id block id-1111"]);
  expect(found(rules, "key-2222\n")).toEqual([]);
});

test("what is not supported is told with its line", () => {
  const text = `minVersion = "v8.25.0"
colour = "red"
[extend]
useDefault = true

[[rules]]
id = "pkcs12"
path = '''\\.p12$'''

[[rules]]
id = "a"
regex = '''aaaa'''
verify = "https"
[[rules.allowlists]]
commits = ["0123456"]
stopwords = ["x"]
`;
  expect(notesOf(rulesOf(text))).toEqual([
    "2 - `colour` is not supported",
    expect.stringMatching(/^4 - `extend.useDefault`: gitleaks's own rules are not part/),
    expect.stringMatching(/^6 pkcs12 a rule without `regex`/),
    "13 a `verify` is not supported",
    expect.stringMatching(/^15 a `commits` of an allowlist is not supported/),
  ]);
});

test("mistakes are told with their line", () => {
  expect(mistakesIn("title = \n")).toEqual([expect.stringMatching(/^1 - not TOML/)]);
  expect(
    mistakesIn(`[[rules]]
regex = "x"
[[rules]]
id = "a"
regex = '''(?=x)'''
[[rules]]
id = "b"
regex = "b"
entropy = "high"
[[rules.allowlists]]
condition = "XOR"
regexTarget = "commit"
paths = ["("]
`),
  ).toEqual([
    expect.stringMatching(/^1 - expected an `id`/),
    expect.stringMatching(/^5 a the pattern `\(\?=` looks around/),
    "9 b `entropy` is a number",
    "11 b `condition` is AND or OR",
    "12 b `regexTarget` is match or line",
    expect.stringMatching(/^13 b a pattern of `paths` a `\(` is never closed/),
  ]);
});

test("stop words look at the secret also where patterns look at more", () => {
  const text = (condition: string): string => `[[rules]]
id = "acme"
regex = 'lookerToken = "([a-z0-9]{12})"'
[[rules.allowlists]]
condition = "${condition}"
regexTarget = "match"
regexes = ['nothing']
stopwords = ["look"]
`;
  const either = parseGitleaks(text("OR"), null);
  if (!either.ok) throw new Error("not parsed");
  const detector = createDetector(either.value.rules);
  expect(detector.detect('lookerToken = "a1b2c3d4e5f6"')).toHaveLength(1);
  expect(detector.detect('lookerToken = "a1look3d4e5f"')).toEqual([]);
  const both = parseGitleaks(text("AND"), null);
  expect(both).toMatchObject({ ok: true, value: { notes: [{ rule: "acme" }], rules: [{ allow: [] }] } });
});
