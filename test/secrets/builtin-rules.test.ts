import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createDetector } from "../../src/secrets/detector.ts";
import { checkExamples } from "../../src/secrets/rule-examples.ts";
import { parseRules } from "../../src/secrets/rules.ts";
import { cpuTimeMs } from "../harness/cpu-time.ts";
import { builtin, builtinExamples, builtinFiles, pem, secrets } from "./builtin-rules.ts";

const rulesIn = (text: string): string[] => builtin.detect(text).map((found) => `${found.rule} ${found.severity}`);

test("every rule finds its examples and passes over its counter-examples", () => {
  expect(checkExamples(builtin.rules)).toEqual([]);
});

test("an id stands in one file only", () => {
  const ids = builtin.rules.map(({ id }) => id);
  expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
});

test("an example that the rule does not find is told with its line", () => {
  const { text } = builtinFiles.find(({ name }) => name.endsWith("/source-hosts.yaml"))!;
  const parsed = parseRules(
    text.replace(/(id: gitlab-token\n[^]*?noMatch:\n {8}- ).*/, "$1glpat-¦aB3dE6gH9jK2mN5pQ8sT"),
  );
  expect(parsed.ok && checkExamples(parsed.value)).toEqual([
    {
      rule: "gitlab-token",
      line: expect.any(Number) as number,
      message: "example 1 of `noMatch` is found by the rule",
    },
  ]);
});

test("an example is found by its own rule also when all rules are on, or by one that takes precedence", () => {
  for (const [id, text] of builtinExamples) {
    expect(builtin.detect(text).length, id).toBeGreaterThan(0);
  }
});

test("neither the rule files nor these tests hold anything that our own push check would find", () => {
  for (const { name, text } of builtinFiles) expect(builtin.detect(text), name).toEqual([]);
  const folder = new URL(".", import.meta.url);
  for (const name of readdirSync(folder)) {
    const blocking = builtin.detect(readFileSync(new URL(name, folder), "utf8")).filter((f) => f.severity === "block");
    expect(blocking, name).toEqual([]);
  }
});

test("every rule names the vendor's description over https", () => {
  for (const rule of builtin.rules) expect(rule.reference, rule.id).toMatch(/^https:\/\/[a-z0-9.-]+\//);
});

test.each([
  [secrets.awsKey, "aws-access-key block"],
  [secrets.githubValid, "github-token block"],
  [secrets.githubInvalid, "github-token warn"],
  [secrets.npm, "npm-token block"],
  [secrets.sallyport, "sallyport-token block"],
  [secrets.slack, "slack-token block"],
  [secrets.jwt, "json-web-token warn"],
  [pem(), "private-key block"],
])("%#: rule and severity", (text, expected) => {
  expect(rulesIn(`before ${text} after`)).toEqual([expected]);
});

test("GitHub's checksum is the CRC-32 of the body in base 62, as in a token that was published when it had expired", () => {
  expect(rulesIn(["gh", "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"].join(""))).toEqual(["github-token block"]);
});

test("a gateway token blocks even where it stands in a URL, which by itself only warns", () => {
  const url = `https://me:${secrets.sallyport}@127.0.0.1:8080/git/code/a.git`;
  expect(rulesIn(url)).toEqual(["sallyport-token block"]);
});

test("an AWS secret key is found near its name only", () => {
  expect(rulesIn(`aws_secret_access_key = ${secrets.awsSecret}`)).toEqual(["aws-secret-key block"]);
  expect(rulesIn(`sha = ${secrets.awsSecret}`)).toEqual([]);
});

test("a private key is one secret from its header to its end, also escaped twice or behind diff marks", () => {
  const key = pem(4);
  const once = JSON.stringify({ key });
  const twice = JSON.stringify({ arguments: once });
  const marked = key.replace(/^/gm, "+ # ");
  for (const text of [key, once, twice, marked, `const key = "${key.replaceAll("\n", '\\n" +\n  "')}";`]) {
    const found = builtin.detect(text);
    expect(found.map((f) => f.rule)).toEqual(["private-key"]);
    expect(text.slice(found[0]!.start, found[0]!.end)).toMatch(/^-----BEGIN RSA[^]*-----END RSA PRIVATE KEY-----$/);
  }
});

test("a private key without an end is found, to the end of the text", () => {
  const text = `${pem(4).split("-----END")[0]!} and what follows`;
  expect(builtin.detect(text)).toMatchObject([{ rule: "private-key", start: 0, end: text.length }]);
});

test.each(["”", "’", "\u00ff", "\ufffd", " ", ""])("an assigned key ends before “%s”", (after) => {
  const key = ["K6Xw2lZ9AB", "y8fU3qT7nR5mVd"].join("");
  expect(rulesIn(`“ACME_KEY=${key}${after}`)).toEqual(["generic-key warn"]);
});

test.each(["password", "db_passwd", "PASSPHRASE"])("an assigned %s warns, a placeholder does not", (name) => {
  expect(rulesIn(`${name} = "hunter2-and-3-more"`)).toEqual(["generic-password warn"]);
  for (const value of ["changeme", "${PASSWORD_1}", "your-password-1", "getPassword1()", "********"]) {
    expect(rulesIn(`${name} = "${value}"`), value).toEqual([]);
  }
});

/** Ordinary parts of the rule's own matches, over and over: beginnings that never get to a match, and matches on end. */
function* hostileTexts(keywords: readonly string[], examples: readonly string[]): Generator<string> {
  const word = keywords[0] ?? examples[0]!.slice(0, 8);
  yield* [word, `-${word}-`, `${word} = "`, `${word}${"aB3+/_-".repeat(40)} `];
  for (const text of examples.slice(0, 2))
    yield* [text.slice(0, Math.ceil(text.length * 0.7)), `${text.slice(0, -1)}-`, text];
}

// Not a measurement: a rule that backtracks without bound takes minutes here.
const hangGuardMs = 30_000;
test.each(builtin.rules.map((rule) => [rule.id, rule] as const))("%s: no text stalls it", (_, rule) => {
  const alone = createDetector([rule]);
  const before = cpuTimeMs();
  const parts = [...hostileTexts(rule.keywords, rule.examples.match)];
  for (const part of parts) {
    const text = part.repeat(Math.ceil(2 ** 18 / parts.length / part.length));
    const found = alone.detect(text);
    const inOrder = found.every(({ start, end }, i) => end > start && start >= (found[i - 1]?.end ?? 0));
    expect(inOrder && (found.at(-1)?.end ?? 0) <= text.length).toBe(true);
  }
  expect(cpuTimeMs() - before).toBeLessThan(hangGuardMs);
});
