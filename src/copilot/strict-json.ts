/**
 * JSON that can be read in one way only. A body that two parsers read differently could show the gateway one prompt and
 * the model another: repeated names (RFC 8259 §4 leaves their meaning open) and bytes that are not UTF-8 (§8.1) are refused.
 */
import { err, ok, type Result } from "../errors.ts";

/** Deeper nesting than any client sends, and far from the depth at which a recursive reader overflows its stack. */
const MAX_DEPTH = 200;

/** @returns the value, or one line that says what is wrong; it never quotes the body. */
export function parseStrictJson(bytes: Uint8Array): Result<unknown, string> {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return err("the body is not UTF-8");
  }
  const problem = checkNames(text);
  if (problem !== null) return err(problem);
  try {
    return ok(JSON.parse(text));
  } catch {
    return err("the body is not valid JSON");
  }
}

/** Walks the text once, keeping the names of every open object. What is not JSON at all is left to `JSON.parse`. */
function checkNames(text: string): string | null {
  const open: (Set<string> | null)[] = [];
  let expectName = false;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charAt(at)) {
      case "{":
        open.push(new Set());
        expectName = true;
        break;
      case "[":
        open.push(null);
        expectName = false;
        break;
      case "}":
      case "]":
        open.pop();
        expectName = false;
        break;
      case ",":
        expectName = open.at(-1) instanceof Set;
        break;
      case '"': {
        const end = endOfString(text, at);
        if (end === -1) return null;
        const names = open.at(-1);
        if (expectName && names instanceof Set) {
          const name = unescapeName(text.slice(at, end + 1));
          if (name === null) return null;
          if (names.has(name)) return "the body repeats a name within one JSON object, which is ambiguous";
          names.add(name);
          expectName = false;
        }
        at = end;
        break;
      }
      default:
    }
    if (open.length > MAX_DEPTH) return `the body nests deeper than ${MAX_DEPTH} levels`;
  }
  return null;
}

/** The index of the closing quote, or -1. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === "\\") backslashes += 1;
    if (backslashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return -1;
}

/** `"\u0061"` and `"a"` are the same name. */
function unescapeName(quoted: string): string | null {
  if (!quoted.includes("\\")) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return null;
  }
}
