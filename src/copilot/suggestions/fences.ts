/**
 * Fenced code blocks in an answer's text.
 * @see https://spec.commonmark.org/0.31.2/#fenced-code-blocks
 */
import type { FoundBlock } from "../suggestions.ts";

const OPENING = /^ {0,3}(`{3,}|~{3,})[ \t]*([^\n]*)$/;
/** A word that is a path: it has a directory or a file name with an extension. */
const PATH = /^[\w.@+~-]*(?:\/[\w.@+~()[\]-]+)+$|^[\w.@+-]+\.[A-Za-z][\w]{0,9}$/;
/** A first line that names the file: `// filepath: src/a.ts`, `# src/a.py`. */
const PATH_COMMENT = /^\s*(?:\/\/|#|--|;|<!--|\/\*)\s*(?:file(?:path|name)?:\s*)?(\S+?)\s*(?:-->|\*\/)?\s*$/i;

const asPath = (word: string): string | null => {
  const bare = word.replace(/^[`*"'([]+|[`*"'\]):,;.]+$/g, "");
  return PATH.test(bare) && !/^[a-z]+:\/\//i.test(bare) ? bare : null;
};

/** `ts src/a.ts`, `ts:src/a.ts`, `python title="src/a.py"`. */
function pathInInfo(info: string): string | null {
  for (const word of info.split(/\s+/)) {
    const value =
      /^(?:title|file|filename|filepath|path)=(.+)$/i.exec(word)?.[1] ?? /^[\w+#-]+:(.+)$/.exec(word)?.[1] ?? word;
    const path = asPath(value);
    if (path !== null) return path;
  }
  return null;
}

/** The line before the block names exactly one path, and little else. */
function pathInLine(line: string): string | null {
  const words = line.trim().split(/\s+/);
  const paths = words.map(asPath).filter((path) => path !== null);
  return paths.length === 1 && words.length <= 6 ? (paths[0] ?? null) : null;
}

export function findFences(text: string): readonly FoundBlock[] {
  const blocks: FoundBlock[] = [];
  const lines = text.split(/\r?\n/);
  let before = "";
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const opening = OPENING.exec(line);
    const fence = opening?.[1];
    const info = opening?.[2] ?? "";
    if (fence === undefined || (fence.startsWith("`") && info.includes("`"))) {
      if (line.trim() !== "") before = line;
      continue;
    }
    const closing = new RegExp(`^ {0,3}${fence[0]}{${fence.length},}[ \\t]*$`);
    let end = at + 1;
    while (end < lines.length && !closing.test(lines[end] ?? "")) end += 1;
    blocks.push(blockOf(info, before, lines.slice(at + 1, end)));
    before = "";
    at = end;
  }
  return blocks;
}

function blockOf(info: string, before: string, content: readonly string[]): FoundBlock {
  const comment = asPath(PATH_COMMENT.exec(content[0] ?? "")?.[1] ?? "");
  const path = pathInInfo(info) ?? comment ?? pathInLine(before);
  if (/^(?:diff|patch)\b/.test(info)) {
    const added = content.filter((line) => line.startsWith("+") && !line.startsWith("+++"));
    return { path, kind: "fence", lines: added.map((line) => line.slice(1)), echo: [] };
  }
  return { path, kind: "fence", lines: content, echo: [] };
}
