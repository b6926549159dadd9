/**
 * A unified diff as git prints it, taken apart for display.
 *
 * Inside a hunk every line is read by the counts of its `@@` header, never by how it looks: a deleted line `-- a/x` appears as
 * `--- a/x`, and whoever took that for a file header would hide the deletion from the approver.
 */

export interface DiffLine {
  readonly kind: "add" | "del" | "context" | "meta";
  readonly oldLine: number | null;
  readonly newLine: number | null;
  /** Without its sign. */
  readonly text: string;
}

export interface DiffHunk {
  /** The `@@ … @@` line. */
  readonly header: string;
  readonly lines: readonly DiffLine[];
}

export interface DiffFile {
  /** From the `diff --git` line, as git quotes it: `a/old b/new`. */
  readonly title: string;
  /** Modes, renames, "Binary files differ": what stands between the title and the first hunk. */
  readonly meta: readonly string[];
  readonly hunks: readonly DiffHunk[];
  readonly added: number;
  readonly removed: number;
}

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

interface OpenFile {
  title: string;
  meta: string[];
  hunks: { header: string; lines: DiffLine[] }[];
  added: number;
  removed: number;
}

/** @param diff possibly cut off at its end; a hunk that is shorter than it says is shown as far as it goes */
export function parseDiff(diff: string): readonly DiffFile[] {
  const files: OpenFile[] = [];
  const lines = diff.split("\n");
  if (lines.at(-1) === "") lines.pop();
  let left = { old: 0, new: 0 };
  let at = { old: 0, new: 0 };

  const open = (title: string): OpenFile => {
    const file = { title, meta: [], hunks: [], added: 0, removed: 0 };
    files.push(file);
    left = { old: 0, new: 0 };
    return file;
  };

  for (const line of lines) {
    const file = files.at(-1);
    const hunk = file?.hunks.at(-1);
    if (file !== undefined && hunk !== undefined && (left.old > 0 || left.new > 0)) {
      const sign = line[0];
      const text = line.slice(1);
      if (sign === "+") {
        hunk.lines.push({ kind: "add", oldLine: null, newLine: at.new, text });
        file.added += 1;
        left.new -= 1;
        at.new += 1;
        continue;
      }
      if (sign === "-") {
        hunk.lines.push({ kind: "del", oldLine: at.old, newLine: null, text });
        file.removed += 1;
        left.old -= 1;
        at.old += 1;
        continue;
      }
      // Some tools drop the blank of an empty context line.
      if (sign === " " || sign === undefined) {
        hunk.lines.push({ kind: "context", oldLine: at.old, newLine: at.new, text });
        left = { old: left.old - 1, new: left.new - 1 };
        at = { old: at.old + 1, new: at.new + 1 };
        continue;
      }
    }
    const header = HUNK.exec(line);
    if (line.startsWith("\\") && hunk !== undefined) {
      hunk.lines.push({ kind: "meta", oldLine: null, newLine: null, text: line });
    } else if (line.startsWith("diff --")) {
      open(line.replace(/^diff --(git )?/, ""));
    } else if (header !== null) {
      const [, oldStart = "0", oldCount = "1", newStart = "0", newCount = "1"] = header;
      left = { old: Number(oldCount), new: Number(newCount) };
      at = { old: Number(oldStart), new: Number(newStart) };
      (file ?? open("")).hunks.push({ header: line, lines: [] });
    } else {
      (file ?? open("")).meta.push(line);
    }
  }
  return files;
}
