import { describe, expect, it } from "vitest";
import { LFS_POINTER_BYTES, parseLfsPointer } from "../../../src/git/lfs/pointer.ts";

const OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
const VERSION = "version https://git-lfs.github.com/spec/v1\n";
const PLAIN = `${VERSION}oid sha256:${OID}\nsize 12345\n`;
const EXTENSION = `ext-0-foo sha256:${OID}\n`;

const parse = (text: string) => parseLfsPointer(Buffer.from(text));

describe("what some client takes for a pointer", () => {
  it.each([
    ["as git-lfs writes it", PLAIN],
    ["from before git-lfs was called that", PLAIN.replace("git-lfs.github", "hawser.github")],
    ["from the alpha version", PLAIN.replace("https://git-lfs.github.com/spec/v1", "http://git-media.io/v/2")],
    ["with carriage returns", PLAIN.replaceAll("\n", "\r\n")],
    ["without a last line feed", PLAIN.trimEnd()],
    ["with white space in front", `\n\n  ${PLAIN}`],
    ["with white space of Unicode around", `\u00a0\u0085${PLAIN}\u2003`],
    ["with a byte order mark", `\ufeff${PLAIN}`],
    ["with blank lines", PLAIN.replaceAll("\n", "\n\n")],
    ["with a space behind the size", PLAIN.replace("12345", "12345 ")],
    ["with a sign", PLAIN.replace("12345", "+12345")],
    ["with zeros", PLAIN.replace("12345", "00012345")],
    ["in capitals", PLAIN.replace(OID, OID.toUpperCase())],
    ["with a comment, as JGit allows", `# stored elsewhere\n${PLAIN}`],
    ["in another order", `${VERSION}size 12345\noid sha256:${OID}\n`],
    ["with an extension", PLAIN.replace("oid", `${EXTENSION}oid`)],
    ["with an extension before all", EXTENSION + PLAIN],
    ["with an extension in between", PLAIN.replace("size", `${EXTENSION}size`)],
    ["of exactly the bytes that are read", PLAIN.padEnd(LFS_POINTER_BYTES, "\n")],
    ["with anything behind the bytes that are read", `${PLAIN.padEnd(LFS_POINTER_BYTES, "\n")}int main(void) {}\n`],
  ])("%s", (_, text) => {
    expect(parse(text)).toEqual({ oid: OID, bytes: 12_345 });
  });

  it("is cut where git-lfs stops reading, also inside the size", () => {
    const tail = `oid sha256:${OID}\nsize 12`;
    const text = `${VERSION}${"\n".repeat(LFS_POINTER_BYTES - VERSION.length - tail.length)}${tail}345\n`;
    expect(parse(text)).toEqual({ oid: OID, bytes: 12 });
  });
});

describe("what none takes for a pointer", () => {
  it.each([
    ["nothing", ""],
    ["a source file", "int main(void) { return 0; }\n"],
    ["another version", PLAIN.replace("spec/v1", "spec/v9")],
    ["no version", PLAIN.slice(VERSION.length)],
    ["another hash", PLAIN.replace("sha256:", "sha512:")],
    ["a short object id", PLAIN.replace(OID, OID.slice(1))],
    ["a long object id", PLAIN.replace(OID, `${OID}0`)],
    ["a negative size", PLAIN.replace("12345", "-1")],
    ["no size", PLAIN.replace("size 12345\n", "")],
    ["a size that is no number", PLAIN.replace("12345", "1_2345")],
    ["two object ids", PLAIN.replace("oid", `oid sha256:${OID}\noid`)],
    ["another line", `${PLAIN}see also the README\n`],
    ["a text that shows one", `A pointer looks like this:\n\n${PLAIN}`],
  ])("%s", (_, text) => {
    expect(parse(text)).toBeNull();
  });
});
