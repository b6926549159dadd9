/**
 * Masks a unified diff, as `git diff` prints it. The signs in front of its lines would hide a secret of several lines, and what is one in
 * certain files only: each side of a hunk is looked through by itself, as a part of its file.
 */
import type { Scanner } from "../../secrets/scanner.ts";

/** Both counts are 1 where they are left out. */
const HUNK = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/;
const FILE_NAME = /^(?:---|\+\+\+) (?:"?)[ab]\/(.*?)"?$/;
/** A line of a key whose beginning stands too far away to be part of the hunk. */
const KEY_LINE = /^\s*[A-Za-z0-9+/]{32,}={0,2}\s*$/;
const HIDDEN = "⟦key-line:hidden⟧";

/** @param hasFinding whether something was found in the file at this path: then lines that look like a key's are hidden */
export function maskDiff(diff: string, scanner: Scanner, hasFinding: (path: string) => boolean): string {
  const lines = diff.split("\n");
  const masked: string[] = [];
  let path = "";
  for (let at = 0; at < lines.length;) {
    const line = lines[at]!;
    const hunk = HUNK.exec(line);
    if (hunk === null) {
      // Of a file that is gone the old name is all there is.
      path = FILE_NAME.exec(line)?.[1] ?? path;
      masked.push(scanner.maskName(line));
      at++;
      continue;
    }
    masked.push(scanner.maskName(line));
    const body = hunkBody(lines, at + 1, Number(hunk[1] ?? 1), Number(hunk[2] ?? 1));
    masked.push(...maskHunk(body, (text) => maskSide(text, path, scanner, hasFinding(path))));
    at += 1 + body.length;
  }
  return masked.join("\n");
}

/** As many lines as the hunk says that it has: what stands in them is the pusher's, and may look like anything. */
function hunkBody(lines: readonly string[], from: number, old: number, added: number): readonly string[] {
  let [oldLeft, newLeft] = [old, added];
  let end = from;
  for (; end < lines.length; end++) {
    const sign = lines[end]!.charAt(0);
    // "\ No newline at end of file" counts for neither side.
    if (sign === "\\") continue;
    if (oldLeft <= 0 && newLeft <= 0) break;
    if (sign !== "+") oldLeft--;
    if (sign !== "-") newLeft--;
  }
  // The text's own end is no line.
  if (end === lines.length && lines.at(-1) === "") end--;
  return lines.slice(from, end);
}

function maskHunk(body: readonly string[], maskSide: (text: string) => readonly string[]): readonly string[] {
  const masked = [...body];
  for (const other of ["+", "-"]) {
    const own = [...body.keys()].filter((at) => body[at]!.charAt(0) !== other && body[at]!.charAt(0) !== "\\");
    const side = maskSide(own.map((at) => body[at]!.slice(1)).join("\n"));
    for (const [index, at] of own.entries()) {
      const text = side[index] ?? HIDDEN;
      // A line of both sides is masked as it is in either.
      if (text !== body[at]!.slice(1)) masked[at] = body[at]!.charAt(0) + text;
    }
  }
  return masked;
}

function maskSide(text: string, path: string, scanner: Scanner, hasFinding: boolean): readonly string[] {
  const lines = scanner.maskLines(text, path === "" ? undefined : path).split("\n");
  return hasFinding ? lines.map((line) => (KEY_LINE.test(line) ? HIDDEN : line)) : lines;
}
