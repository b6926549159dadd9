/**
 * The pointer that stands in a commit in place of a Git LFS object.
 *
 *     version https://git-lfs.github.com/spec/v1
 *     oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
 *     size 12345
 *
 * git-lfs, docs/spec.md, “The Pointer”. What its programs take for a pointer is more than what the specification allows,
 * and a pointer that only the reader's client recognises is one whose object nobody has looked at. So this takes whatever
 * any of them takes (git-lfs 3.3 measured, git-lfs 1.x and JGit by their sources): lines in any order, blank ones and
 * comments, carriage returns, white space around, signs and zeros in the size, hexadecimal digits of either case.
 *
 * The bound of 1024 bytes is one of reading, not of files: git-lfs decodes the first 1024 bytes of what it smudges, and
 * when these are a pointer and white space, it puts the object there whatever follows.
 */

export interface LfsPointer {
  /** SHA-256 of the object's content, lower-case hexadecimal. */
  readonly oid: string;
  /** Its size in bytes, as the pointer says. Beyond 2^53 not exact: no object is that large. */
  readonly bytes: number;
}

/** How much of a file decides whether it is a pointer. */
export const LFS_POINTER_BYTES = 1024;

const VERSIONS: ReadonlySet<string> = new Set([
  "https://git-lfs.github.com/spec/v1",
  "https://hawser.github.com/spec/v1",
  "http://git-media.io/v/2",
]);

const OID = /^sha256:(?<hex>[0-9a-f]{64})$/i;
const SIZE = /^\+?\d{1,19}$/;
const EXTENSION = /^ext-\d-\w/;

/** @param content the file, or at least its first {@link LFS_POINTER_BYTES}; what is behind them does not count */
export function parseLfsPointer(content: Buffer): LfsPointer | null {
  const values = new Map<string, string>();
  for (const raw of content.toString("utf8", 0, LFS_POINTER_BYTES).split("\n")) {
    const line = trimSpace(raw);
    if (line === "" || line.startsWith("#")) continue;
    const space = line.indexOf(" ");
    const key = space === -1 ? line : line.slice(0, space);
    if (EXTENSION.test(key)) continue;
    // A file that says something twice, or anything else, is a pointer to none of them.
    if ((key !== "version" && key !== "oid" && key !== "size") || values.has(key)) return null;
    values.set(key, trimSpace(line.slice(key.length)));
  }
  const oid = OID.exec(values.get("oid") ?? "")?.groups?.["hex"];
  const size = values.get("size") ?? "";
  if (oid === undefined || !SIZE.test(size) || !VERSIONS.has(values.get("version") ?? "")) return null;
  return { oid: oid.toLowerCase(), bytes: Number(size) };
}

/** White space for Go (which counts U+0085) and for JavaScript (which counts the byte order mark). */
const trimSpace = (text: string): string => text.replace(/^[\s\u0085]+|[\s\u0085]+$/g, "");
