import { expect, test } from "vitest";
import { createInlineAllows } from "../../src/secrets/inline-allow.ts";
import { createScanner } from "../../src/secrets/scanner.ts";
import { cpuTimeMs } from "../harness/cpu-time.ts";
import { builtin, secrets } from "./builtin-rules.ts";

test.each([
  ["// sallyport:allow key of the sandbox", { by: "sallyport:allow", reason: "key of the sandbox" }],
  ["/* sallyport:allow: expired */", { by: "sallyport:allow", reason: "expired" }],
  ["<!-- gitleaks:allow -->", { by: "gitleaks:allow", reason: "" }],
  ["# gitleaks:allow", { by: "gitleaks:allow", reason: "" }],
  ["# notsallyport:allowed", null],
  ["# allow", null],
])("%s", (comment, expected) => {
  const text = `before\nkey = ${secrets.awsKey} ${comment}\nafter`;
  expect(builtin.detect(text)).toMatchObject([{ rule: "aws-access-key", severity: "block", allowed: expected }]);
});

test("a comment holds for its own line, and for a secret of several lines on any of them", () => {
  const text = "a\nsecret\nsecret\n# sallyport:allow x\n";
  const allowIn = createInlineAllows(text);
  expect(allowIn(2, 8)).toBeNull();
  expect(allowIn(2, text.indexOf("#") + 1)).toEqual({ by: "sallyport:allow", reason: "x" });
  expect(allowIn(text.length, text.length)).toBeNull();
});

test("of two comments the first counts, on the first of the lines that has one", () => {
  const text = "ab # sallyport:allow one # gitleaks:allow two\ncd\nef # gitleaks:allow three\n";
  const allowIn = createInlineAllows(text);
  expect(allowIn(0, 2)).toEqual({ by: "sallyport:allow", reason: "one # gitleaks:allow two" });
  expect(allowIn(text.indexOf("cd"), text.indexOf("cd") + 2)).toBeNull();
  expect(allowIn(text.indexOf("cd"), text.indexOf("ef") + 2)).toEqual({ by: "gitleaks:allow", reason: "three" });
  expect(allowIn(0, text.length)?.by).toBe("sallyport:allow");
});

test("many secrets on one endless line that a comment allows take no longer than as many lines", () => {
  const line = `${'smtp://a:q7ZwmT4x@b" '.repeat(20_000)} sallyport:allow ${" ".repeat(5000)}all of them`;
  const before = cpuTimeMs();
  const found = createScanner(builtin, new Uint8Array(32)).find(line);
  expect(cpuTimeMs() - before).toBeLessThan(5_000);
  expect(found).toHaveLength(20_000);
  expect(found.every(({ allowed }) => allowed?.by === "sallyport:allow")).toBe(true);
});
