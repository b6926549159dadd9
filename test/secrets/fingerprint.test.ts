import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { createFingerprint } from "../../src/secrets/fingerprint.ts";

const key = new Uint8Array(32).fill(1);

test("the first 16 hex digits of HMAC-SHA-256", () => {
  expect(createFingerprint(key)("sésame")).toBe(createHmac("sha256", key).update("sésame").digest("hex").slice(0, 16));
});

test("another key, another fingerprint", () => {
  expect(createFingerprint(new Uint8Array(32).fill(2))("a")).not.toBe(createFingerprint(key)("a"));
});

test("a short key is refused", () => {
  expect(() => createFingerprint(new Uint8Array(15))).toThrow(/15 bytes/);
});
