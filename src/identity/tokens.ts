/**
 * Gateway tokens: `gho_`, 43 base62 digits (256 random bits), 6 base62 digits (CRC-32 of what stands before them). The prefix
 * is what Copilot clients expect of a sign-in; the checksum tells a mistyped or made-up token from a real one without asking the
 * database, and lets the secrets detector know the gateway's own tokens for certain.
 */
import { createHash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const PREFIX = "gho_";
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** 62^43 > 2^256, 62^6 > 2^32. */
const RANDOM_DIGITS = 43;
const CHECK_DIGITS = 6;
const SHAPE = new RegExp(`^${PREFIX}[0-9A-Za-z]{${RANDOM_DIGITS + CHECK_DIGITS}}$`);

/** @param random 32 bytes, for tests; otherwise the system's randomness */
export function mintToken(random: Uint8Array = randomBytes(32)): string {
  const body = PREFIX + toBase62(BigInt(`0x${Buffer.from(random).toString("hex")}`), RANDOM_DIGITS);
  return body + checksum(body);
}

/** Whether a text has the form of a gateway token, checksum included. It may still be unknown. */
export const isGatewayToken = (text: string): boolean =>
  SHAPE.test(text) && checksum(text.slice(0, -CHECK_DIGITS)) === text.slice(-CHECK_DIGITS);

/**
 * A short-lived token in the form that Copilot clients take from GitHub: fields that they read, a colon, and what proves it. Here that
 * is a gateway token of its own; when it expires, the store says.
 */
export const encodeCopilotToken = (token: string, id: string, expiresAt: Date): string =>
  `tid=${id};exp=${Math.floor(expiresAt.getTime() / 1_000)};sku=copilot_enterprise_seat;chat=1;cit=1;8kp=1:${token}`;

/** The gateway token in such a text; every other text as it is. */
export const unwrapCopilotToken = (text: string): string => /^tid=[^:]*:(gho_[0-9A-Za-z]+)$/.exec(text)?.[1] ?? text;

/** What is stored of a token, and of a browser session's cookie: SHA-256 (they are random, so a slow hash adds nothing). */
export const hashToken = (token: string): Buffer => createHash("sha256").update(token, "utf8").digest();

/** The value of a browser session's cookie: 256 random bits, base64url. */
export const mintSessionValue = (): string => randomBytes(32).toString("base64url");

const checksum = (body: string): string => toBase62(BigInt(crc32(body)), CHECK_DIGITS);

function toBase62(value: bigint, length: number): string {
  let digits = "";
  for (let rest = value; digits.length < length; rest /= 62n) digits = DIGITS.charAt(Number(rest % 62n)) + digits;
  return digits;
}
