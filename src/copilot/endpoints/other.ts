/**
 * What this gateway has no codec for: `/agents/**`, and whatever else a line of `paths` relays. JSON is kept as JSON and text as text (see
 * `loose-body.ts`), everything else as its size and hash.
 */
import { ok } from "../../errors.ts";
import { asArray, asObject, asText, describeJson, isObject, textOrNull, without } from "../json-value.ts";
import type { Endpoint, UpstreamReference } from "./endpoint.ts";
import { createPlainAssembler } from "./plain-answer.ts";

/** Values that are keys to something: known again by their hash, never kept. */
const TOKENS = ["session_token", "token", "access_token", "refresh_token", "client_secret"];

const issuedBy = (json: unknown): readonly string[] =>
  Object.entries(asObject(json))
    .filter(([name]) => name === "id" || ID_FIELD.test(name))
    .map(([, value]) => idText(value))
    .filter((id) => id !== "");

/** `input_file_id`, `thread_id`, `file_ids`, `jobId`, `fields[file_id]`: by their names, what the request points at. */
const ID_FIELD = /(?:_ids?|[a-z]Ids?)\]?(?:\[\w*\])?$/;
/** Named for what they are. */
const KEPT_THINGS: ReadonlySet<string> = new Set(["conversation", "container"]);
const DEEPEST = 200;

function pointedAt(value: unknown, depth = 0): readonly UpstreamReference[] {
  if (typeof value === "string") return pointedAtInText(value, depth);
  if (typeof value !== "object" || value === null) return [];
  // As if it pointed at something: what is not looked through is nobody's own.
  if (depth > DEEPEST) return [{ field: "nesting", id: "" }];
  if (Array.isArray(value)) return value.flatMap((item) => pointedAt(item, depth + 1));
  const item = asObject(value);
  const own = item["type"] === "item_reference" ? [{ field: "item_reference", id: idText(item["id"]) }] : [];
  return [...own, ...Object.entries(item).flatMap(([field, inner]) => pointedAtBy(field, inner, depth))];
}

function pointedAtBy(field: string, inner: unknown, depth: number): readonly UpstreamReference[] {
  if (inner === null) return [];
  if (ID_FIELD.test(field)) {
    return (Array.isArray(inner) ? asArray(inner) : [inner]).map((id) => ({ field, id: idText(id) }));
  }
  if (KEPT_THINGS.has(field)) {
    const id = idText(isObject(inner) ? inner["id"] : inner);
    if (id !== "") return [{ field, id }];
  }
  return pointedAt(inner, depth + 1);
}

/** A field of a form may be JSON, and a file a list of requests, one a line. */
function pointedAtInText(text: string, depth: number): readonly UpstreamReference[] {
  if (!JSON_LINE.test(text)) return [];
  const lines = text.split("\n", MOST_LINES + 1);
  if (lines.length > MOST_LINES) return [{ field: "lines", id: "" }];
  return (lines.length === 1 ? lines : [text, ...lines]).flatMap((line) => {
    const json = JSON_LINE.test(line) ? parseOrNull(line) : null;
    return typeof json === "object" ? pointedAt(json, depth + 1) : [];
  });
}
/** Within a line: across lines, a text of nothing but them would be looked through from each of them. */
const JSON_LINE = /^[\ufeff\t\r ]*[[{]/m;
const BYTE_ORDER_MARK = /^\ufeff/;
/** As many requests as a batch may have at OpenAI. */
const MOST_LINES = 50_000;

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text.replace(BYTE_ORDER_MARK, ""));
  } catch {
    return null;
  }
}

const idText = (id: unknown): string => (typeof id === "number" ? String(id) : asText(id));

const described = (json: unknown): string => describeJson(isObject(json) ? without(json, TOKENS) : json);

const codec: Endpoint["conversation"] = {
  body: "any",
  parseRequest: (json) =>
    ok({
      model: textOrNull(asObject(json)["model"]),
      streamed: asObject(json)["stream"] === true,
      messages:
        json === undefined ? [] : [{ role: "user", parts: [{ type: "opaque", kind: "body", text: described(json) }] }],
      references: pointedAt(json),
      keepsIds: true,
    }),
  assembleAnswer: () =>
    createPlainAssembler({
      describe: (json) => [{ role: "assistant", parts: [{ type: "opaque", kind: "body", text: described(json) }] }],
      issued: issuedBy,
    }),
};

/** Cloud agents: they act for whoever owns the credential. */
export const agents: Endpoint = {
  format: "agents",
  matches: (_method, path) => path === "/agents" || path.startsWith("/agents/"),
  access: "named",
  grouping: "none",
  conversation: codec,
};

export const other: Endpoint = {
  format: "other",
  matches: () => true,
  access: "named",
  grouping: "none",
  conversation: codec,
};
