/**
 * What this gateway has no codec for: `/agents/**`, and whatever else a line of `paths` relays. JSON is kept as JSON, everything else as its
 * size and hash.
 */
import { ok } from "../../errors.ts";
import { asArray, asObject, asText, describeJson, isObject, textOrNull, without } from "../json-value.ts";
import type { Endpoint, UpstreamReference } from "./endpoint.ts";
import { createPlainAssembler } from "./plain-answer.ts";

/** Values that are keys to something: known again by their hash, never kept. */
const TOKENS = ["session_token", "token", "access_token", "refresh_token", "client_secret"];

const issuedBy = (json: unknown): readonly string[] =>
  Object.entries(asObject(json))
    .filter(([name]) => name === "id" || name.endsWith("_id"))
    .map(([, value]) => idText(value))
    .filter((id) => id !== "");

/** `input_file_id`, `thread_id`, `file_ids`: by their names, what the request points at. */
function pointedAt(value: unknown, depth = 0): readonly UpstreamReference[] {
  if (typeof value !== "object" || value === null || depth > 20) return [];
  if (Array.isArray(value)) return value.flatMap((item) => pointedAt(item, depth + 1));
  return Object.entries(value).flatMap(([field, inner]: [string, unknown]) =>
    /_ids?$/.test(field) && inner !== null
      ? asArray(Array.isArray(inner) ? inner : [inner]).map((id) => ({ field, id: idText(id) }))
      : pointedAt(inner, depth + 1),
  );
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
