/** What the wire formats share: the parts of a message that stand beside the conversation itself. */
import type { Message, Part } from "../../model/exchange.ts";
import { describeJson, isObject, type JsonObject, without } from "../json-value.ts";

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

/** A part that this gateway has no word for. */
export const opaquePart = (value: unknown, fallback: string): Part => ({
  type: "opaque",
  kind: isObject(value) && typeof value["type"] === "string" ? value["type"].slice(0, 60) : fallback,
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
