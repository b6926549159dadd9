/**
 * Checksums that a vendor has put into its tokens, so that a scanner can tell a token from a look-alike.
 *
 * `base62-crc32`: the last six characters are the CRC-32 of what stands between the prefix's `_` and them, in base 62
 * (digits, capitals, small letters), padded with zeros.
 * Source: https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
 */
import { crc32 } from "node:zlib";

export type Checksum = "base62-crc32";

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const checkLength = 6;

function encodeBase62(value: number): string {
  let text = "";
  for (let rest = value; rest > 0; rest = Math.floor(rest / 62)) text = digits[rest % 62]! + text;
  return text.padStart(checkLength, "0");
}

const algorithms: Readonly<Record<Checksum, (secret: string) => boolean>> = {
  "base62-crc32": (secret) => {
    const body = secret.slice(secret.lastIndexOf("_") + 1);
    return encodeBase62(crc32(body.slice(0, -checkLength))) === body.slice(-checkLength);
  },
};

export const hasValidChecksum = (checksum: Checksum, secret: string): boolean => algorithms[checksum](secret);
