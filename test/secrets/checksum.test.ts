/** What checksums say of tokens: of those in the vendors' own documentation and tests, and of made-up ones. */
import { expect, test } from "vitest";
import { hasValidChecksum, type ChecksumName } from "../../src/secrets/checksum.ts";
import { marvin32 } from "../../src/secrets/marvin32.ts";
import { builtin } from "./builtin-rules.ts";

// Put together here so that no secret scanner takes this file for a leak.
const joined = (...parts: string[]): string => parts.join("");
const azureKey = joined("lcwq2QCoizwtrEVghKcpfYHXReIQ6DvpI3Jb4tB0FAC0nBW8sNvk", "JQQJ99BGACMlQzFoQdiB7MTxAZDO");

test.each<[ChecksumName, string]>([
  // Of Grafana's tests, and of Zuplo's documentation.
  ["grafana-crc32", joined("gl", "sa_yscW25imSKJIuav8zF37RZmnbiDvB05G_fcaaf58a")],
  ["hex-crc32", joined("zp", "ka_d67b7e241bb948758f415b79aa8ec822_2efb7009")],
  ["hex-crc32", joined("AT", "BB4hCie4gDfQesCFwQrOKEXbgVA0CC2AFE")],
  ["hex-crc32", joined("cf", "ut_lhw6LMiMhXsqPbgYwEjllcf0GGbG7U62QiAveV1I727c15c9")],
  ["base62-crc32", joined("vc", "p_NqVwYS81VP7Hb1DX8pPd5khxE3pyIgKpaUnArl63XykWZeiNNC35pSyc")],
  ["gitlab-crc32", joined("gl", "pat-a2zHjOlP8lnWuSevOdCKPXAkC7svW447Vt4e.01.2c0o71xgv")],
  [
    "github-sha256",
    joined("github", "_pat_11NBXU0SF9D2IZEBK1OUEH_EURpG6D75bXrcrSpltlx0dn8H4ugwKU3XeFQpf2v1iVO5A6QH7WEVeUmCN7"),
  ],
  ["azure-marvin32", joined(azureKey, "4u58")],
])("%s: %s is valid, and not with another checksum", (checksum, token) => {
  expect(hasValidChecksum(checksum, token)).toBe(true);
  const place = checksum === "github-sha256" ? 80 : token.length - 1;
  const other = token[place] === "7" ? "6" : "7";
  expect(hasValidChecksum(checksum, token.slice(0, place) + other + token.slice(place + 1))).toBe(false);
});

test("a GitLab token that is not routable has no checksum", () => {
  expect(hasValidChecksum("gitlab-crc32", joined("gl", "pat-a2zHjOlP8lnWuSevOdCK"))).toBe(true);
});

test("an annotated key's checksum may stand there in base 62, and must be whole", () => {
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(marvin32(Buffer.from(azureKey, "base64"), { high: 0x44656661, low: 0x756c7430 }));
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  let base62 = "";
  for (let rest = sum.readUInt32BE(); rest > 0; rest = Math.floor(rest / 62)) base62 = digits[rest % 62]! + base62;
  expect(hasValidChecksum("azure-marvin32", azureKey + base62.slice(0, 4))).toBe(true);
  expect(hasValidChecksum("azure-marvin32", azureKey + base62.slice(0, 3))).toBe(false);
  expect(hasValidChecksum("azure-marvin32", azureKey)).toBe(false);
});

test.each([0, 1, 2, 3, 4, 5])("Marvin32 of %i bytes hangs on each of them, and on the seed", (length) => {
  const bytes = Uint8Array.from({ length }, (_, i) => i + 200);
  const seed = { high: 1, low: 2 };
  const sums = new Set([marvin32(bytes, seed), marvin32(bytes, { high: 2, low: 2 })]);
  for (let i = 0; i < length; i++) sums.add(marvin32(bytes.with(i, 1), seed));
  expect(sums.size).toBe(length + 2);
});

test.each([
  ["vercel-token", joined("vc", "p_NqVwYS81VP7Hb1DX8pPd5khxE3pyIgKpaUnArl63XykWZeiNNC35pSy")],
  ["gitlab-token", joined("gl", "pat-a2zHjOlP8lnWuSevOdCKPXAkC7svW447Vt4e.01.2c0o71xg")],
  ["bitbucket-app-password", joined("AT", "BB4hCie4gDfQesCFwQrOKEXbgVA0CC2AF")],
  ["azure-annotated-key", joined(azureKey, "4u5")],
])("%s: a token whose checksum is wrong only warns", (rule, start) => {
  const severities = Array.from("0123456789abcdef")
    .flatMap((last) => builtin.detect(`the token is ${start}${last} of old`))
    .filter((found) => found.rule === rule)
    .map(({ severity }) => severity);
  expect(severities.filter((severity) => severity === "block").length).toBeLessThanOrEqual(1);
  expect(severities).toContain("warn");
});
