import { expect, test } from "vitest";
import { hashToken, isGatewayToken, mintSessionValue, mintToken } from "../../src/identity/tokens.ts";

test("a token has the prefix that clients expect and 256 random bits", () => {
  expect(mintToken(new Uint8Array(32))).toMatch(/^gho_0{43}[0-9A-Za-z]{6}$/);
  expect(mintToken(new Uint8Array(32).fill(255))).toMatch(/^gho_[0-9A-Za-z]{49}$/);
  const many = new Set(Array.from({ length: 100 }, () => mintToken()));
  expect(many.size).toBe(100);
  // All of the randomness counts: one bit more is another token.
  expect(mintToken(new Uint8Array(32).fill(255, 31))).not.toBe(mintToken(new Uint8Array(32)));
  expect(mintToken(new Uint8Array(32).fill(128, 0, 1))).not.toBe(mintToken(new Uint8Array(32)));
});

test("a token knows its own form: one wrong character is seen without asking anybody", () => {
  const token = mintToken();
  expect(isGatewayToken(token)).toBe(true);
  for (let at = 4; at < token.length; at += 1) {
    const wrong = token.slice(0, at) + (token[at] === "a" ? "b" : "a") + token.slice(at + 1);
    expect(isGatewayToken(wrong), `digit ${at}`).toBe(false);
  }
  for (const other of ["", "gho_", `${token} `, `${token}\n`, token.slice(0, -1), token.replace("gho_", "ghp_")])
    expect(isGatewayToken(other)).toBe(false);
});

test("what is stored is SHA-256", () => {
  expect(hashToken("abc").toString("hex")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(mintSessionValue()).toMatch(/^[\w-]{43}$/);
});
