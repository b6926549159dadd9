import { expect, test } from "vitest";
import { seal, unseal } from "../../src/identity/seal.ts";
import { mintSessionValue } from "../../src/identity/tokens.ts";

const VALUE = mintSessionValue();

test("opens under its own value alone, and only whole", () => {
  const sealed = seal(VALUE, "an ID token");
  expect(sealed.toString("latin1")).not.toContain("an ID token");
  expect(unseal(VALUE, sealed)).toBe("an ID token");
  expect(unseal(mintSessionValue(), sealed)).toBeNull();
  for (let at = 0; at < sealed.length; at += 1) {
    const damaged = Buffer.from(sealed);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    expect(unseal(VALUE, damaged)).toBeNull();
    expect(unseal(VALUE, sealed.subarray(0, at))).toBeNull();
  }
});

test("never looks the same twice", () => {
  expect(seal(VALUE, "x").equals(seal(VALUE, "x"))).toBe(false);
});
