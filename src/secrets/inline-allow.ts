/** Comments that allow a secret: `// sallyport:allow test key of the sandbox`, `# gitleaks:allow`. */
import type { InlineAllow } from "../model/finding.ts";

/** The first on each line, up to its end. */
const comments = /\b(sallyport:allow|gitleaks:allow)\b[ \t:=]*([^\n]*)/g;
/** What closes a comment is not part of the reason. */
const closings = ["*/", "-->", "--%>", "*)", "}}"];
/** What is read of a reason. It is masked before it is cut to what is told: half of a secret would not be recognised. */
const longestReason = 4096;

interface Comment {
  /** Of its line. */
  readonly start: number;
  readonly end: number;
  readonly allow: InlineAllow;
}

/**
 * @returns a function that gives the first comment on the lines that a secret stands on. Both may be many, and on one endless line: the text
 * is read once.
 */
export function createInlineAllows(text: string): (start: number, end: number) => InlineAllow | null {
  // Most texts hold none.
  const found = text.includes(":allow") ? readComments(text) : [];
  return (start, end) => {
    let low = 0;
    let high = found.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (found[middle]!.end < start) low = middle + 1;
      else high = middle;
    }
    const comment = found[low];
    return comment !== undefined && comment.start <= end ? comment.allow : null;
  };
}

function readComments(text: string): Comment[] {
  const found: Comment[] = [];
  for (const { index, 0: whole, 1: name, 2: rest } of text.matchAll(comments)) {
    found.push({
      start: text.lastIndexOf("\n", index) + 1,
      end: index + whole.length,
      allow: { by: name === "gitleaks:allow" ? "gitleaks:allow" : "sallyport:allow", reason: reasonIn(rest!) },
    });
  }
  return found;
}

function reasonIn(rest: string): string {
  const reason = rest.slice(0, longestReason).trim();
  const closing = closings.find((sign) => reason.endsWith(sign));
  return closing === undefined ? reason : reason.slice(0, -closing.length).trim();
}
