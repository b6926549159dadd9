import { expect, test } from "vitest";
import { createDetector, type Detector } from "../../src/secrets/detector.ts";
import { parseRules } from "../../src/secrets/rules.ts";
import { builtin, secrets } from "./builtin-rules.ts";

/** Rules of `{id, severity, keywords, regex, …}` given in short. */
function detectorOf(...rules: { id: string; regex: string; [key: string]: unknown }[]): Detector {
  const complete = rules.map((rule) => ({
    description: rule.id,
    severity: "warn",
    reference: "https://vendor.example/",
    examples: { match: ["unused"], path: "unused" },
    ...rule,
  }));
  const parsed = parseRules(JSON.stringify({ rules: complete }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return createDetector(parsed.value);
}

const found = (detector: Detector, text: string, path?: string): string[] =>
  detector.detect(text, path).map(({ rule, start, end }) => `${rule} ${text.slice(start, end)}`);

test("secrets come by place, with their description and the secret's own span", () => {
  const text = `😀 id ${secrets.awsKey}\npassword = "hunter2-and-3-more"\n`;
  expect(builtin.detect(text)).toEqual([
    { rule: "aws-access-key", description: "AWS access key ID", severity: "block", start: 6, end: 26, allowed: null },
    {
      rule: "generic-password",
      description: "Password assigned as a quoted text",
      severity: "warn",
      start: text.indexOf("hunter2"),
      end: text.indexOf('"\n'),
      allowed: null,
    },
  ]);
});

test("of overlapping secrets the blocking one wins, then the longer, then the earlier rule", () => {
  const long = { id: "long", keywords: ["key"], regex: "key[a-z]{1,20}" };
  const short = { id: "short", keywords: ["xyz"], regex: "xyz" };
  expect(found(detectorOf(long, short), "a keyaaxyzbb")).toEqual(["long keyaaxyzbb"]);
  expect(found(detectorOf(long, { ...short, severity: "block" }), "a keyaaxyzbb")).toEqual(["short xyz"]);
  expect(found(detectorOf(long, { ...long, id: "same" }), "keyabc")).toEqual(["long keyabc"]);
});

test("two blocking secrets inside one wide warning are both told", () => {
  const detector = detectorOf(
    { id: "wide", keywords: ["key"], regex: "key=(.{1,40})" },
    { id: "inner", keywords: ["abc"], regex: "abc[0-9]", severity: "block" },
  );
  expect(found(detector, "key= abc1 abc2 ")).toEqual(["inner abc1", "inner abc2"]);
});

test("a keyword within another rule's keyword is seen, and one rule is asked once for each place", () => {
  const detector = detectorOf(
    { id: "outer", keywords: ["abcd", "abc"], regex: "abcde" },
    { id: "inner", keywords: ["bcd"], regex: "bcd!" },
  );
  expect(found(detector, "abcde abcd!")).toEqual(["outer abcde", "inner bcd!"]);
});

test("matches of one rule do not overlap", () => {
  expect(found(detectorOf({ id: "a", keywords: ["aba"], regex: "aba" }), "ababa aba")).toEqual(["a aba", "a aba"]);
});

test("the secret is the numbered group, or the first that took part", () => {
  const regex = "key=(?:'([a-z]+)'|\"([a-z]+)\")";
  expect(found(detectorOf({ id: "r", keywords: ["key"], regex }), `key='one' key="two"`)).toEqual(["r one", "r two"]);
  expect(found(detectorOf({ id: "r", keywords: ["key"], regex, secretGroup: 0 }), "key='one'")).toEqual([
    "r key='one'",
  ]);
});

test("a word start is not inside a word, but may follow an escape", () => {
  const detector = detectorOf({ id: "r", keywords: ["key"], regex: "key[0-9]", wordStart: true });
  const nested = ["%253D", "a%25252F", "%5Cu003d", "%5cn", "%255Cx0A", "\\u00253D", "\\x253D"];
  for (const before of ["", " ", "_", "\\n", "\\u000a", "\\x0A", "%3D", "é", ...nested]) {
    expect(found(detector, `${before}key1`), before).toHaveLength(1);
  }
  for (const before of ["a", "n", "7", "u000a", "3D", "253D", "%2G3D", "5Cu003d"])
    expect(found(detector, `${before}key1`), before).toHaveLength(0);
});

test("a floor of entropy", () => {
  const detector = detectorOf({ id: "r", keywords: ["key"], regex: "key=([a-z]+)", entropy: 2 });
  expect(found(detector, "key=aaaa key=abab key=abcd")).toEqual(["r abcd"]);
});

test("allowlists look at the secret, the match or the line", () => {
  const rule = { id: "r", keywords: ["key"], regex: "key=([a-z]+)" };
  const withAllow = (allow: object): Detector => detectorOf({ ...rule, allow: [allow] });
  expect(found(withAllow({ on: "secret", regexes: ["^te"] }), "key=test key=key")).toEqual(["r key"]);
  expect(found(withAllow({ on: "secret", stopWords: ["EXA"] }), "key=myexample key=other")).toEqual(["r other"]);
  expect(found(withAllow({ on: "match", regexes: ["^key=t"] }), "key=test key=other")).toEqual(["r other"]);
  expect(found(withAllow({ on: "line", stopWords: ["# fake"] }), "key=a # fake\nkey=b\n# fake\n")).toEqual(["r b"]);
  expect(found(withAllow({ on: "line", regexes: ["^#"] }), "# key=a\nkey=b #\n")).toEqual(["r b"]);
});

test("a rule with a path is for files of that path", () => {
  const detector = detectorOf({ id: "r", keywords: ["key"], regex: "key=[a-z]+", path: "(?i)\\.env$" });
  expect(found(detector, "key=abc", "config/.ENV")).toEqual(["r key=abc"]);
  expect(found(detector, "key=abc", "config/.env.md")).toEqual([]);
  expect(found(detector, "key=abc")).toEqual([]);
});

test.each([
  ["(?:a|ab|abc)*abcd$", "xx abcabcd", ["abcabcd"]],
  ["abc(?:[a-z]+)+!", `abc${"d".repeat(60)} abcdef!`, ["abcdef!"]],
  ["abc[a-z]{0,1000}[a-z0-9]{0,1000}!", "abcdef12! abcdef", ["abcdef12!"]],
  ["(?:(?:a?){20}a{20}){3}b(c+)", `${"a".repeat(70)}bcc`, ["cc"]],
])("a pattern that could stall V8 is run in linear time: %s", (regex, text, secrets) => {
  expect(found(detectorOf({ id: "r", regex }), text)).toEqual(secrets.map((secret) => `r ${secret}`));
});

test.each([
  ["an anchor further in", { regex: "[a-z]{3,5}-key-[0-9]{4}" }, "x abcd-key-1234 y", ["abcd-key-1234"]],
  ["an optional prefix", { regex: "[\\w.-]{0,50}?key=([0-9]{4})" }, "my.key=1234", ["1234"]],
  ["a prefix that matters", { regex: "(?:^|[^a-z])key=[0-9]{4}", secretGroup: 0 }, "key=1111 mykey=2222", ["key=1111"]],
  [
    "one anchor for each branch",
    { regex: "(?:[0-9]-foo|bar-[0-9]{2}|[a-c]{2}baz)!" },
    "1-foo! bar-22! abbaz!",
    ["1-foo!", "bar-22!", "abbaz!"],
  ],
  [
    "no anchor, near a keyword",
    { regex: "\\b[0-9a-f]{8}\\b", keywords: ["acme"] },
    "01234567 acme 89abcdef 0011223g",
    ["89abcdef"],
  ],
  ["neither anchor nor keyword", { regex: "\\b[0-9]{4}[a-f]{4}\\b" }, "a 1234abcd b", ["1234abcd"]],
  [
    "anchors and another keyword",
    { regex: "key=[0-9]{4}", keywords: ["acme"] },
    `key=1111 acme ${" ".repeat(200)} key=2222${" ".repeat(200)}key=3333`,
    ["key=2222"],
  ],
])("is found: %s", (_, rule, text, secrets) => {
  const detector = detectorOf({ id: "r", ...rule });
  expect(found(detector, text)).toEqual(secrets.map((secret) => `r ${secret}`));
  const scan = detector.scan();
  const passages = [...text.split("").flatMap((unit) => scan.push(unit)), ...scan.end()];
  expect(passages.flatMap((passage) => (passage.kind === "secret" ? [passage.secret] : []))).toEqual(secrets);
});

test("of an allowlist with the condition `all` every list takes a hit, paths included", () => {
  const allow = [{ on: "secret", condition: "all", regexes: ["^te"], stopWords: ["st"], paths: ["^test/"] }];
  const detector = detectorOf({ id: "r", regex: "key=([a-z]+)", allow });
  expect(found(detector, "key=test key=teal key=stop", "test/a")).toEqual(["r teal", "r stop"]);
  expect(found(detector, "key=test", "src/a")).toEqual(["r test"]);
  expect(found(detector, "key=test")).toEqual(["r test"]);
  const anyPath = detectorOf({ id: "r", regex: "key=([a-z]+)", allow: [{ paths: ["^test/"] }] });
  expect([found(anyPath, "key=test", "test/a"), found(anyPath, "key=test", "a")]).toEqual([[], ["r test"]]);
});

test("words are no secret for a rule that wants random characters", () => {
  const detector = detectorOf({ id: "r", regex: "key=([A-Za-z0-9]+)", random: true });
  expect(found(detector, "key=getAccessTokenForClient key=x7Kq2ZpV9mWt4RbN")).toEqual(["r x7Kq2ZpV9mWt4RbN"]);
});

test("one detector serves many texts at once", () => {
  const first = builtin.scan();
  first.push(secrets.awsKey.slice(0, 10));
  expect(builtin.detect(secrets.slack)).toHaveLength(1);
  expect(first.end(secrets.awsKey.slice(10))).toMatchObject([{ kind: "secret", secret: secrets.awsKey }]);
});

test("a chain of overlaps that never ends is cut, and nothing of it is left out of what is found", () => {
  const detector = detectorOf(
    { id: "a", keywords: ["aaa"], regex: "aaa.{13}" },
    { id: "b", keywords: ["bbb"], regex: "bbb.{13}" },
  );
  const text = "aaa.....bbb.....".repeat(20_000);
  const spans = detector.detect(text);
  expect(spans.length).toBeGreaterThan(19_000);
  for (const [i, span] of spans.entries()) if (i > 0) expect(span.start).toBeGreaterThanOrEqual(spans[i - 1]!.end);
});
