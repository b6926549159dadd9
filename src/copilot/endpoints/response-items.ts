/**
 * The items of OpenAI Responses, in `input` and in `output`: messages, calls of the client's tools, and those of tools that run upstream.
 * Every item is one message here, as the wire treats them: a client re-sends them one by one.
 * @see https://platform.openai.com/docs/api-reference/responses/object
 */
import type { Message, Part } from "../../model/exchange.ts";
import { asArray, asObject, asText, describeJson, type JsonObject, textOrNull, without } from "../json-value.ts";
import { canonicalJson, opaquePart, textPart } from "./message-parts.ts";

const ROLES = ["system", "developer", "user", "assistant"] as const;

const contentParts = (content: unknown): readonly Part[] =>
  typeof content === "string"
    ? textPart(content)
    : asArray(content).flatMap((piece) => {
        const { text, refusal, transcript } = asObject(piece);
        const said = textOrNull(text) ?? textOrNull(refusal) ?? textOrNull(transcript);
        return said === null ? [opaquePart(piece, "content")] : textPart(said);
      });

const outputText = (output: unknown): string => {
  if (typeof output === "string") return output;
  if (!Array.isArray(output)) return output === undefined || output === null ? "" : describeJson(output);
  return output.map((piece) => textOrNull(asObject(piece)["text"]) ?? describeJson(piece)).join("\n");
};

const call = (id: string, name: string, args: string): Part => ({ type: "tool_call", id, name, arguments: args });

/** A tool that ran upstream: its call, and what it gave back where the item tells. */
const ranUpstream = (id: string, name: string, args: unknown, output: unknown): Message => {
  const result = output === undefined || output === null ? [] : [{ type: "tool_result", id, text: outputText(output) }];
  return {
    role: "assistant",
    parts: [call(id, name, typeof args === "string" ? canonicalJson(args) : describeJson(args)), ...(result as Part[])],
  };
};

/** One item as a message; null for what carries nothing to keep (reasoning without a summary is ciphertext alone). */
export function parseItem(value: unknown): Message | null {
  const item = asObject(value);
  const type = asText(item["type"]) || "message";
  const id = asText(item["call_id"]) || asText(item["id"]);
  switch (type) {
    case "message": {
      const role = ROLES.find((known) => known === item["role"]) ?? "user";
      const parts = contentParts(item["content"]);
      return parts.length === 0 ? null : { role, parts };
    }
    case "function_call":
      return {
        role: "assistant",
        parts: [call(asText(item["call_id"]), asText(item["name"]), canonicalJson(asText(item["arguments"])))],
      };
    case "custom_tool_call":
      return {
        role: "assistant",
        parts: [call(asText(item["call_id"]), asText(item["name"]), asText(item["input"]))],
      };
    case "reasoning": {
      const pieces = [...asArray(item["summary"]), ...asArray(item["content"])];
      const text = pieces.map((piece) => asText(asObject(piece)["text"])).join("\n");
      return text === "" ? null : { role: "assistant", parts: [{ type: "reasoning", text }] };
    }
    case "local_shell_call":
    case "shell_call":
      return { role: "assistant", parts: [call(id, type.replace("_call", ""), describeJson(item["action"] ?? {}))] };
    case "apply_patch_call":
      return { role: "assistant", parts: [call(id, "apply_patch", describeJson(item["operation"] ?? {}))] };
    case "mcp_call":
      return ranUpstream(
        id,
        `mcp__${asText(item["server_label"])}__${asText(item["name"])}`,
        asText(item["arguments"]),
        item["output"] ?? item["error"],
      );
    case "web_search_call":
      return ranUpstream(id, "web_search", item["action"] ?? {}, undefined);
    case "file_search_call":
      return ranUpstream(id, "file_search", { queries: item["queries"] ?? [] }, item["results"]);
    case "code_interpreter_call":
      return ranUpstream(id, "code_interpreter", { code: item["code"] ?? "" }, item["outputs"]);
    case "computer_call":
      return ranUpstream(id, "computer", item["action"] ?? {}, undefined);
    // Encrypted for the upstream alone; it changes with every answer.
    case "compaction":
    case "compaction_summary":
      return null;
    default:
      // The results of the client's own tools: `function_call_output`, `shell_call_output`, `apply_patch_call_output`, …
      if (type.endsWith("_output")) {
        return { role: "tool", parts: [{ type: "tool_result", id, text: outputText(item["output"]) }] };
      }
      return { role: "assistant", parts: [opaquePart(without(item, OWN_FIELDS), "item")] };
  }
}

/** What the upstream writes on an item, and clients leave out when they send it again. */
const OWN_FIELDS = ["id", "status"];

export const parseItems = (items: readonly unknown[]): readonly Message[] =>
  items.map(parseItem).filter((message) => message !== null);

/** An item of a stream, as far as its deltas have come. */
export interface OpenItem {
  readonly start: JsonObject;
  text: string;
}

/** What the text of an unfinished item means, by the item's type. */
export function unfinishedItem({ start, text }: OpenItem): JsonObject {
  switch (start["type"]) {
    case "function_call":
    case "mcp_call":
      return { ...start, arguments: text };
    case "custom_tool_call":
      return { ...start, input: text };
    case "code_interpreter_call":
      return { ...start, code: text };
    case "apply_patch_call":
      return { ...start, operation: { ...asObject(start["operation"]), diff: text } };
    case "reasoning":
      return { ...start, summary: [{ type: "summary_text", text }] };
    case "message":
      return { ...start, content: [{ type: "output_text", text }] };
    default:
      return start;
  }
}

/** The deltas that are text of an item. Others (audio, partial images) are not kept. */
export const TEXT_DELTAS: ReadonlySet<string> = new Set([
  "response.output_text.delta",
  "response.refusal.delta",
  "response.function_call_arguments.delta",
  "response.custom_tool_call_input.delta",
  "response.mcp_call_arguments.delta",
  "response.code_interpreter_call_code.delta",
  "response.apply_patch_call_operation_diff.delta",
  "response.reasoning_summary_text.delta",
  "response.reasoning_text.delta",
]);
