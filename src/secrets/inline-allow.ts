/** Comments that allow a secret: `// sallyport:allow test key of the sandbox`, `# gitleaks:allow`. */
import type { InlineAllow } from "../model/finding.ts";

const comment = /\b(sallyport:allow|gitleaks:allow)\b[ \t:=]*([^\n]*)/;
/** Closes the comment, and is not part of the reason. */
const commentEnd = /(?:\*\/|-->|--%>|\*\)|\}\})?\s*$/;
/** What is read of a reason. It is masked before it is cut to what is told: half of a secret would not be recognised. */
const longestReason = 4096;

/** Most texts hold none: asked once for all of a text's secrets. */
export const hasInlineAllow = (text: string): boolean => text.includes(":allow");

/** @returns the comment on one of the lines that the secret stands on. */
export function findInlineAllow(text: string, start: number, end: number): InlineAllow | null {
  const from = text.lastIndexOf("\n", start - 1) + 1;
  const to = text.indexOf("\n", end);
  const lines = text.slice(from, to < 0 ? undefined : to);
  const found = hasInlineAllow(lines) ? comment.exec(lines) : null;
  if (found === null) return null;
  const reason = found[2]!.slice(0, longestReason).replace(commentEnd, "").trim();
  return { by: found[1] === "gitleaks:allow" ? "gitleaks:allow" : "sallyport:allow", reason };
}
