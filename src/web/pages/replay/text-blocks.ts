/** What a model or a person wrote, in pieces that are shown differently. Pure, and linear in the text's length: anybody can write any of it. */

export type TextBlock =
  | { readonly kind: "prose"; readonly text: string }
  /** `info`: what stands behind the opening fence, e.g. `ts src/app.ts`. */
  | { readonly kind: "code"; readonly info: string; readonly text: string };

const OPENING = /^ {0,3}(`{3,}|~{3,})[ \t]*([^\n]{0,200})$/;

/** Fenced code apart from the rest (CommonMark §4.5). A fence that is never closed reaches to the end: so a cut answer stays readable. */
export function splitFences(text: string): readonly TextBlock[] {
  const blocks: TextBlock[] = [];
  const lines = text.split("\n");
  let prose: string[] = [];
  const flush = (): void => {
    const joined = prose.join("\n").replace(/^\n+|\s+$/g, "");
    if (joined !== "") blocks.push({ kind: "prose", text: joined });
    prose = [];
  };
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const [, fence, info = ""] = OPENING.exec(line) ?? [];
    if (fence === undefined || (fence.startsWith("`") && info.includes("`"))) {
      prose.push(line);
      continue;
    }
    flush();
    const code: string[] = [];
    for (at += 1; at < lines.length && !isClosing(lines[at] ?? "", fence); at += 1) code.push(lines[at] ?? "");
    blocks.push({ kind: "code", info: info.trim(), text: code.join("\n") });
  }
  flush();
  return blocks;
}

function isClosing(line: string, fence: string): boolean {
  const mark = line.trim();
  return (
    mark.length >= fence.length &&
    !line.startsWith("    ") &&
    mark === (fence[0] ?? "").repeat(Math.min(mark.length, 200))
  );
}
