/**
 * What a request says in places that its codec does not read: a field that no documentation names, a text beside another one, an object where
 * a text is expected. An upstream may hear it all the same, so it is on record as well, by its place. Pure.
 */
import type { Message, Part } from "../../model/exchange.ts";
import { describeJson } from "../json-value.ts";

/** Names, kinds and ids, which stand in every message and change when it is sent again. Only where what stands there looks like one. */
const MARKS: ReadonlySet<string> = new Set([
  "id",
  "call_id",
  "tool_call_id",
  "tool_use_id",
  "user_id",
  "item_id",
  "role",
  "type",
  "status",
  "phase",
  "ttl",
  "detail",
  "media_type",
  "format",
  "jsonrpc",
  "method",
]);
const MARK = /^[\w.:/@+=-]{0,256}$/;
/** Sealed by the upstream: nobody else can read it, and it is another one in every answer. */
const SEALED: ReadonlySet<string> = new Set([
  "signature",
  "encrypted_content",
  "thoughtSignature",
  "reasoning_opaque",
  "data",
]);
const SEALED_TEXT = /^[A-Za-z0-9+/_=-]+$/;
/** A property's name is no text, unless it reads like one. */
const PLAIN_NAME = /^[\w.:/@+$~-]{0,64}$/;
/** So many texts are looked for in all that was read; of more, each that is not found at once is taken for unread. */
const MOST_MISSED = 200;
const DEEPEST = 200;

const textsOf = (part: Part): readonly string[] =>
  part.type === "tool_call" ? [part.id, part.name, part.arguments] : [part.text];

/** @returns what was not read, as a message of its own, or nothing; it stands with the parameters, apart from what was said */
export function unreadMessage(request: unknown, messages: readonly Message[]): readonly Message[] {
  const read = messages.flatMap(({ parts }) => parts.flatMap(textsOf));
  const whole = new Set(read);
  const all = read.join("\0");
  const unread: [string, string][] = [];
  let cursor = 0;
  let missed = 0;

  function isRead(text: string): boolean {
    if (whole.has(text)) return true;
    if (missed >= MOST_MISSED) return false;
    // As it stands, or as it is written within JSON: with escapes, or a picture by its hash.
    for (const form of new Set([text, describeJson(text).slice(1, -1)])) {
      // Requests are read in their order: what comes next is mostly found further on.
      const next = all.indexOf(form, cursor);
      if (next !== -1) {
        cursor = next;
        return true;
      }
      if (all.includes(form)) return true;
    }
    const inside = compact(text);
    if (inside !== null && (whole.has(inside) || all.includes(inside))) return true;
    missed += 1;
    return false;
  }

  function visit(value: unknown, name: string, place: string, depth: number): void {
    if (typeof value === "string") {
      if (value === "" || (MARKS.has(name) && MARK.test(value)) || (SEALED.has(name) && SEALED_TEXT.test(value)))
        return;
      if (!isRead(value)) unread.push([place, value]);
      return;
    }
    if (typeof value !== "object" || value === null || depth > DEEPEST) return;
    for (const [key, inner] of Object.entries(value) as [string, unknown][]) {
      const at = Array.isArray(value) ? `${place}[${key}]` : `${place}.${key}`;
      if (!PLAIN_NAME.test(key) && !isRead(key)) unread.push([place, key]);
      visit(inner, Array.isArray(value) ? name : key, at, depth + 1);
    }
  }

  visit(request, "", "", 0);
  return unread.length === 0
    ? []
    : [{ role: "system", parts: [{ type: "opaque", kind: "unread", text: describeJson(unread) }] }];
}

/** JSON within a text, in the one spelling in which arguments are kept. */
function compact(text: string): string | null {
  if (!/^\s*[[{"]/.test(text)) return null;
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return null;
  }
}
