import { expect, test } from "vitest";
import { findInlineAllow } from "../../src/secrets/inline-allow.ts";
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
  expect(findInlineAllow(text, 2, 8)).toBeNull();
  expect(findInlineAllow(text, 2, text.indexOf("#") + 1)).toEqual({ by: "sallyport:allow", reason: "x" });
});
