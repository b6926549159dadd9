/** What the wire formats share: the parts of a message that stand beside the conversation itself. */
import type { Message, Part } from "../../model/exchange.ts";
import { asObject, describeJson, isObject, type JsonObject, textsUnder, without } from "../json-value.ts";
import type { UpstreamReference } from "./endpoint.ts";

/** A word of the wire, or another one where it is longer than any: it is masked later, and half of a secret would not be recognised. */
const wholeOr = (word: string, max: number, other: string): string => (word.length <= max ? word : other);

/** Everything in the request that is not the conversation (temperature, limits, …): kept, so that nothing said goes unrecorded. */
export const parametersMessage = (request: JsonObject, conversation: readonly string[]): Message => ({
  role: "system",
  parts: [{ type: "opaque", kind: "parameters", text: describeJson(without(request, conversation)) }],
});

/** The tool list as a message of its own, so that it is stored once a session. */
export const toolsMessage = (tools: unknown): readonly Message[] =>
  Array.isArray(tools) && tools.length > 0
    ? [{ role: "system", parts: [{ type: "tools", text: describeJson(tools) }] }]
    : [];

/** Why an answer stopped where that says something of its own. A message by itself: a client that sends the answer again leaves it out. */
export const stopNote = (reason: string | null): readonly Message[] =>
  reason === null || ORDINARY_STOPS.has(reason)
    ? []
    : [{ role: "assistant", parts: [{ type: "opaque", kind: "stop", text: wholeOr(reason, 100, "unknown") }] }];
const ORDINARY_STOPS = new Set(["stop", "end_turn", "tool_use", "tool_calls", "function_call", "stop_sequence"]);

export const textPart = (text: string): readonly Part[] => (text === "" ? [] : [{ type: "text", text }]);

const FILE_IDS = new Set(["file_id"]);
/** Files that the upstream keeps, wherever in a request they are named. */
export const fileReferences = (value: unknown): readonly UpstreamReference[] =>
  textsUnder(value, FILE_IDS).map((id) => ({ field: "file_id", id }));

const SKILL_IDS = new Set(["skill_id"]);
/** Skills that somebody has uploaded. */
export const skillReferences = (value: unknown): readonly UpstreamReference[] =>
  textsUnder(value, SKILL_IDS).map((id) => ({ field: "skill_id", id }));

/** An id stands as text, or as an object with an `id`. */
export function referenceTo(field: string, value: unknown): readonly UpstreamReference[] {
  if (value === undefined || value === null) return [];
  const id = typeof value === "string" ? value : asObject(value)["id"];
  // What is no id that could have been given out is nobody's.
  return [{ field, id: typeof id === "string" ? id : "" }];
}

/** A part that this gateway has no word for. */
export const opaquePart = (value: unknown, fallback: string): Part => ({
  type: "opaque",
  kind: isObject(value) && typeof value["type"] === "string" ? wholeOr(value["type"], 60, fallback) : fallback,
  text: describeJson(value),
});

/** Arguments that arrive as a JSON value or as its text, in one spelling: a re-sent call has to hash like the call. */
export const canonicalJson = (text: string): string => {
  if (text.trim() === "") return "{}";
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
};
