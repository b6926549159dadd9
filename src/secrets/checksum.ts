/**
 * Checksums that a vendor has put into its tokens, so that a scanner can tell a token from a look-alike. A new one is a
 * function and a line in `algorithms`.
 */
import { crc32 } from "node:zlib";

const base62Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function encodeNumber(value: number, digits: string, length: number): string {
  let text = "";
  for (let rest = value; rest > 0; rest = Math.floor(rest / digits.length)) text = digits[rest % digits.length]! + text;
  return text.padStart(length, digits[0]);
}

/**
 * The last six characters are the CRC-32 of what stands between the prefix's last `_` and them, in base 62 (digits, capitals,
 * small letters), padded with zeros: GitHub's classic tokens, npm's.
 * Source: https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
 */
function hasBase62Crc32(secret: string): boolean {
  const body = secret.slice(secret.lastIndexOf("_") + 1);
  return encodeNumber(crc32(body.slice(0, -6)), base62Digits, 6) === body.slice(-6);
}

/** The first part is base64url of a JSON object that names an algorithm. Source: https://www.rfc-editor.org/rfc/rfc7519#section-5 */
function hasJoseHeader(secret: string): boolean {
  try {
    const header: unknown = JSON.parse(Buffer.from(secret.split(".", 1)[0]!, "base64url").toString("utf8"));
    return typeof header === "object" && header !== null && ("alg" in header || "enc" in header);
  } catch {
    return false;
  }
}

const algorithms = {
  "base62-crc32": hasBase62Crc32,
  jwt: hasJoseHeader,
} as const satisfies Readonly<Record<string, (secret: string) => boolean>>;

export type ChecksumName = keyof typeof algorithms;
export const checksumNames = Object.keys(algorithms) as ChecksumName[];

export const hasValidChecksum = (checksum: ChecksumName, secret: string): boolean => algorithms[checksum](secret);
