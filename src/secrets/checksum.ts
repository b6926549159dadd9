/**
 * Checksums that a vendor has put into its tokens, so that a scanner can tell a token from a look-alike. A new one is a
 * function and a line in `algorithms`.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { marvin32 } from "./marvin32.ts";

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

/**
 * The last eight digits are the CRC-32 of what stands before them, in hexadecimal: of all of it, with the equals sign, in the tokens of
 * Atlassian and Bitbucket; of what follows the prefix in those of Cloudflare and Zuplo, whose last `_` does not count. Source:
 * https://developers.cloudflare.com/fundamentals/api/get-started/token-formats/,
 * https://zuplo.com/docs/articles/api-key-leak-detection, and tokens that have been published.
 */
function hasHexCrc32(secret: string): boolean {
  const sum = secret.slice(-8).toLowerCase();
  const before = secret.slice(0, -8);
  const body = before.slice(before.indexOf("_") + 1);
  return [before, body.replace(/_$/, "")].some((text) => hexCrc32(text) === sum);
}

const hexCrc32 = (text: string): string => encodeNumber(crc32(text), "0123456789abcdef", 8);

/**
 * Behind the last `_` stands the CRC-32 of what stands before it, its lowest byte first.
 * Source: https://github.com/grafana/grafana (`pkg/components/satokengen`)
 */
function hasGrafanaCrc32(secret: string): boolean {
  const at = secret.lastIndexOf("_");
  const bytes = hexCrc32(secret.slice(0, at)).match(/../g)!;
  return bytes.toReversed().join("") === secret.slice(at + 1).toLowerCase();
}

/**
 * Routable tokens, which have a point in them, end with the CRC-32 of all that stands before it, in seven digits of base 36; the others
 * have no checksum. Source: https://handbook.gitlab.com/handbook/engineering/architecture/design-documents/cells/routable_tokens/
 */
function hasGitlabCrc32(secret: string): boolean {
  if (!secret.includes(".")) return true;
  return encodeNumber(crc32(secret.slice(0, -7)), base62Digits.slice(0, 36).toLowerCase(), 7) === secret.slice(-7);
}

const base32Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** Characters before the checksum, the prefix too. */
const fineGrainedBody = 77;

/**
 * In a fine-grained token of GitHub, what stands before the last sixteen characters is followed by the first eight digits of its SHA-256
 * in base 32. Source: tokens that have been published.
 */
function hasGithubSha256(secret: string): boolean {
  const hash = createHash("sha256").update(secret.slice(0, fineGrainedBody)).digest().readBigUInt64BE();
  let digits = "";
  for (let i = 0n; i < 8n; i++) digits += base32Digits[Number((hash >> (59n - 5n * i)) & 31n)]!;
  return digits === secret.slice(fineGrainedBody, fineGrainedBody + 8);
}

/** "Default0", from its end. */
const annotatedSeed = { high: 0x44656661, low: 0x756c7430 };

/**
 * Behind the first eighty characters of a key in Microsoft's annotated format, which are base64, stands their checksum: in base64, or,
 * in newer keys, in base 62. Source: https://github.com/microsoft/security-utilities (`TryValidateCommonAnnotatedKey`)
 */
function hasAnnotatedChecksum(secret: string): boolean {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(marvin32(Buffer.from(secret.slice(0, 80), "base64"), annotatedSeed));
  const told = secret.slice(80, 84);
  const base62 = encodeNumber(sum.readUInt32BE(), base62Digits, 1).padEnd(6, "0");
  return told.length === 4 && (sum.toString("base64").startsWith(told) || base62.startsWith(told));
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
  "hex-crc32": hasHexCrc32,
  "grafana-crc32": hasGrafanaCrc32,
  "gitlab-crc32": hasGitlabCrc32,
  "github-sha256": hasGithubSha256,
  "azure-marvin32": hasAnnotatedChecksum,
  jwt: hasJoseHeader,
} as const satisfies Readonly<Record<string, (secret: string) => boolean>>;

export type ChecksumName = keyof typeof algorithms;
export const checksumNames = Object.keys(algorithms) as ChecksumName[];

export const hasValidChecksum = (checksum: ChecksumName, secret: string): boolean => algorithms[checksum](secret);
