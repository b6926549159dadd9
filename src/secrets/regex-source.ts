/** A parsed pattern, written for V8 in such a way that it means there what it means in RE2. Needs no flag but `y` or `g`. */
import type { CharSet } from "./char-set.ts";
import type { RegexNode } from "./regex-syntax.ts";

export function encodeRegex(node: RegexNode): string {
  switch (node.kind) {
    case "char":
      return encodeSet(node.set);
    case "sequence":
      return node.nodes.map(encodeRegex).join("");
    case "choice":
      return `(?:${node.nodes.map(encodeRegex).join("|")})`;
    case "group":
      return `${node.capture ? "(" : "(?:"}${encodeRegex(node.node)})`;
    case "repeat": {
      const inner = encodeRegex(node.node);
      const single = node.node.kind === "char" || node.node.kind === "group";
      const count = node.min === node.max ? `{${node.min}}` : `{${node.min},${node.max}}`;
      return `${single ? inner : `(?:${inner})`}${count}${node.lazy ? "?" : ""}`;
    }
    case "assert":
      return encodeAssert(node.what);
  }
}

function encodeAssert(what: Extract<RegexNode, { kind: "assert" }>["what"]): string {
  switch (what) {
    case "word":
      return "\\b";
    case "notWord":
      return "\\B";
    case "textStart":
      return "^";
    case "textEnd":
      return "$";
    case "lineStart":
      return "(?<![^\\n])";
    case "lineEnd":
      return "(?![^\\n])";
  }
}

const encodeUnit = (code: number): string => `\\u${code.toString(16).padStart(4, "0")}`;

function encodeSet(set: CharSet): string {
  const [only] = set;
  if (set.length === 1 && only![0] === only![1]) return encodeUnit(only![0]);
  return `[${set.map(([from, to]) => (from === to ? encodeUnit(from) : `${encodeUnit(from)}-${encodeUnit(to)}`)).join("")}]`;
}
