import { expect, test } from "vitest";
import { maskText } from "../../src/secrets/mask.ts";
import { maskWords } from "../../src/secrets/mask-words.ts";
import { builtin, fingerprint, secrets } from "./builtin-rules.ts";

const whole = (text: string): string => maskText(text, builtin, fingerprint).text;
const masked = (text: string): string => maskWords(text, whole);

/** Those that are known without what stands around them. */
const alone = Object.values(secrets).filter((secret) => whole(secret) !== secret);

const SHAPES = [
  "git/2.43.0 (X)",
  "Mozilla/5.0 (Linux; X; x64) like Gecko",
  "“X” in the address",
  "refs/heads/feature/X/fix",
  "repository code/X/app does not exist",
  "there is no branch X…",
  "named X. Check it",
  "{ path: `/X`, do: relay }",
  "Ana <X@example.com>",
  "/a?b=X&c=1#d",
];

test.each(SHAPES)("%s", (shape) => {
  for (const secret of alone) {
    const text = masked(shape.replace("X", secret));
    expect(text).not.toContain(secret);
    expect(text).toContain("⟦");
  }
});

test("a name and its value behind percent signs", () => {
  const key = ["3c4832abae8b821c", "fbaabf7387ac76bc136215f7"].join("");
  expect(masked(`named CIRCLECI_TOKEN%3D${key}. Check it`)).not.toContain(key);
  expect(masked("/a%20b%2Fc/%ff")).toBe("/a%20b%2Fc/%ff");
});

test("masks stay as they are, and so does what holds no secret", () => {
  const mask = whole(secrets.awsKey);
  for (const text of [
    `“${mask}” in the address`,
    "a password: token=⟦generic-secret:0a1b2c3d⟧, refs/heads/⟦github-token:12345678⟧/x",
    "refs/heads/feature/2024-11-05-add-retry-to-upload-client-v2 at 3f9a0c1d2e4b5a69c0ffee00deadbeef12345678",
    "Error: x\n    at handle (file:///srv/sallyport/dist/src/web/git.js:120:13)",
  ]) {
    expect(masked(text)).toBe(text);
  }
});
