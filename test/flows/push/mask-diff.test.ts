import { expect, test } from "vitest";
import { maskDiff } from "../../../src/flows/push/mask-diff.ts";
import { createScanner } from "../../../src/secrets/scanner.ts";
import { builtin, pem, secrets } from "../../secrets/builtin-rules.ts";

const scanner = createScanner(builtin, new Uint8Array(32).fill(7));
const mask = (diff: string, hasFinding = false) => maskDiff(diff, scanner, () => hasFinding);
const header = (path: string) => `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n`;

test("a key whose lines have signs in front is masked, and the diff keeps its lines", () => {
  const key = pem(3).split("\n");
  const diff = `${header("a.txt")}@@ -1,2 +1,6 @@ top\n before\n${key.map((line) => `+${line}`).join("\n")}\n-gone\n`;
  const masked = mask(diff).split("\n");
  expect(masked).toHaveLength(diff.split("\n").length);
  expect(masked.slice(0, 5)).toEqual(diff.split("\n").slice(0, 5));
  for (const line of masked.slice(5, 10)) expect(line).toMatch(/^\+⟦private-key:[0-9a-f]{8}⟧$/);
  expect(masked.slice(10)).toEqual(["-gone", ""]);
});

test("each side is looked through as a part of its file", () => {
  const line = "db.acme.dev:5432:app:app:Lv8bPeNm7y1PyZMQc8";
  expect(mask(`${header("x/.pgpass")}@@ -1 +1 @@\n-${line}\n+nothing\n`)).toMatch(
    /\n-db\S+:app:⟦pgpass-password:\w{8}⟧\n\+nothing\n$/,
  );
  // A file that is gone has its old name alone.
  const gone = `diff --git a/.pgpass b/.pgpass\n--- a/.pgpass\n+++ /dev/null\n@@ -1 +0,0 @@\n-${line}\n`;
  expect(mask(gone)).toContain("-db.acme.dev:5432:app:app:⟦pgpass-password:");
});

test("lines that look like the diff's own are lines of the file", () => {
  const diff = `${header("a.txt")}@@ -1,1 +1,3 @@\n--- a/x\n+++ b/.pgpass\n+@@ -1 +1 @@ ${secrets.awsKey}\n+end\n${header("b.txt")}@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+${secrets.npm}\n`;
  const masked = mask(diff);
  expect(masked).not.toContain(secrets.awsKey);
  expect(masked).not.toContain(secrets.npm);
  expect(masked.split("\n")).toHaveLength(diff.split("\n").length);
});

test("the middle of a key, whose beginning stands outside of the hunk, is hidden where something was found in the file", () => {
  const line = "BI9hhAG2BR3NxXYul6C5AG8UpYagwqpWp1Zw09PtXkBleZesLvDjHvtl0oW44pm7";
  const diff = `${header("key.pem")}@@ -5,2 +5,2 @@\n ${line}\n-${line.toLowerCase()}\n+${line.toUpperCase()}\n`;
  expect(mask(diff, true)).toMatch(/\n ⟦key-line:hidden⟧\n-⟦key-line:hidden⟧\n\+⟦key-line:hidden⟧\n$/);
  expect(mask(diff, false)).toBe(diff);
});

test("names of files are masked", () => {
  expect(mask(header(`${secrets.awsKey}.txt`))).not.toContain(secrets.awsKey);
});
