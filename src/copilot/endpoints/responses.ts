/**
 * OpenAI Responses: `POST /responses`. A stream ends with `response.completed`, `response.incomplete` or `response.failed`.
 * Every item of `input` and of `output` is one message here, as the wire treats them: a client re-sends them one by one.
 * @see https://platform.openai.com/docs/api-reference/responses/create and …/responses-streaming
 */
import { err, ok } from "../../errors.ts";
import type { Message, Part } from "../../model/exchange.ts";
import {
  asArray,
  asObject,
  asText,
  countOrNull,
  describeJson,
  isObject,
  type JsonObject,
  parseObject,
  textOrNull,
} from "../json-value.ts";
import type { AnswerAssembler, AssembledAnswer, Endpoint } from "./endpoint.ts";
import { canonicalJson, opaquePart, parametersMessage, toolsMessage } from "./message-parts.ts";

const PATHS = ["/responses", "/v1/responses"];
const ROLES = ["system", "developer", "user", "assistant"] as const;
/** Fields that point at state which the upstream keeps under the credential. */
const REFERENCES = ["previous_response_id", "conversation", "prompt"];

const textPart = (text: string): readonly Part[] => (text === "" ? [] : [{ type: "text", text }]);

const contentParts = (content: unknown): readonly Part[] =>
  typeof content === "string"
    ? textPart(content)
    : asArray(content).flatMap((piece) => {
        const { text, refusal } = asObject(piece);
        if (typeof text === "string") return textPart(text);
        return typeof refusal === "string" ? textPart(refusal) : [opaquePart(piece, "content")];
      });

const outputText = (output: unknown): string =>
  typeof output === "string"
    ? output
    : asArray(output)
        .map((piece) => textOrNull(asObject(piece)["text"]) ?? describeJson(piece))
        .join("\n");

/** One item as a message; null for what carries nothing to keep (reasoning without a summary is ciphertext alone). */
function parseItem(value: unknown): Message | null {
  const item = asObject(value);
  const id = asText(item["call_id"]);
  switch (item["type"] ?? "message") {
    case "message": {
      const role = ROLES.find((known) => known === item["role"]) ?? "user";
      const parts = contentParts(item["content"]);
      return parts.length === 0 ? null : { role, parts };
    }
    case "function_call":
      return {
        role: "assistant",
        parts: [
          { type: "tool_call", id, name: asText(item["name"]), arguments: canonicalJson(asText(item["arguments"])) },
        ],
      };
    case "custom_tool_call":
      return {
        role: "assistant",
        parts: [{ type: "tool_call", id, name: asText(item["name"]), arguments: asText(item["input"]) }],
      };
    case "function_call_output":
    case "custom_tool_call_output":
      return { role: "tool", parts: [{ type: "tool_result", id, text: outputText(item["output"]) }] };
    case "reasoning": {
      const pieces = [...asArray(item["summary"]), ...asArray(item["content"])];
      const text = pieces.map((piece) => asText(asObject(piece)["text"])).join("\n");
      return text === "" ? null : { role: "assistant", parts: [{ type: "reasoning", text }] };
    }
    default:
      return { role: "assistant", parts: [opaquePart(value, "item")] };
  }
}

const parseItems = (items: readonly unknown[]): readonly Message[] =>
  items.map(parseItem).filter((message) => message !== null);

function referenceIn(request: JsonObject): string | null {
  const field = REFERENCES.find((name) => request[name] !== undefined && request[name] !== null);
  if (field !== undefined) return field;
  return asArray(request["input"]).some((item) => asObject(item)["type"] === "item_reference")
    ? "item_reference"
    : null;
}

/** An item of a stream, as far as its deltas have come. */
interface OpenItem {
  readonly start: JsonObject;
  text: string;
}

/** What the text of an unfinished item means, by the item's type. */
function unfinishedItem({ start, text }: OpenItem): JsonObject {
  switch (start["type"]) {
    case "function_call":
      return { ...start, arguments: text };
    case "custom_tool_call":
      return { ...start, input: text };
    case "reasoning":
      return { ...start, summary: [{ type: "summary_text", text }] };
    default:
      return { ...start, content: [{ type: "output_text", text }] };
  }
}

const TEXT_DELTAS = new Set([
  "response.output_text.delta",
  "response.refusal.delta",
  "response.function_call_arguments.delta",
  "response.custom_tool_call_input.delta",
  "response.reasoning_summary_text.delta",
  "response.reasoning_text.delta",
]);

function createAssembler(): AnswerAssembler {
  const open = new Map<number, OpenItem>();
  const done = new Map<number, JsonObject>();
  let response: JsonObject = {};
  let outcome: AssembledAnswer["outcome"] = "unfinished";
  let error: string | null = null;
  let length = 0;

  function end(final: JsonObject): void {
    response = final;
    outcome = final["status"] === "failed" ? "failed" : "finished";
    if (outcome === "failed") error = asText(asObject(final["error"])["message"]) || "the upstream said that it failed";
  }

  function takeItemEvent(type: string, json: JsonObject): void {
    const index = countOrNull(json["output_index"]) ?? 0;
    if (type === "response.output_item.added") open.set(index, { start: asObject(json["item"]), text: "" });
    if (type === "response.output_item.done") done.set(index, asObject(json["item"]));
    const item = open.get(index);
    if (item !== undefined && TEXT_DELTAS.has(type)) {
      const text = asText(json["delta"]);
      item.text += text;
      length += text.length;
    }
  }

  return {
    takeEvent(event) {
      const json = parseObject(event.data);
      const type = textOrNull(json["type"]) ?? event.type;
      switch (type) {
        case "response.created":
          response = asObject(json["response"]);
          return false;
        case "response.completed":
        case "response.incomplete":
        case "response.failed":
          end(asObject(json["response"]));
          return true;
        case "error":
          outcome = "failed";
          error =
            asText(json["message"]) || asText(asObject(json["error"])["message"]) || "the upstream sent an error event";
          return true;
        default:
          takeItemEvent(type, json);
          return false;
      }
    },
    takeBody(json) {
      const body = asObject(json);
      if (Array.isArray(body["output"])) end(body);
    },
    length: () => length,
    result() {
      const indexes = [...new Set([...open.keys(), ...done.keys()])].sort((a, b) => a - b);
      const streamed = indexes.map(
        (index) => done.get(index) ?? unfinishedItem(open.get(index) ?? { start: {}, text: "" }),
      );
      const usage = asObject(response["usage"]);
      return {
        // The items that were streamed are what the client acted upon; the final event's list is the fallback (and the body's).
        messages: parseItems(streamed.length > 0 ? streamed : asArray(response["output"])),
        model: textOrNull(response["model"]),
        inputTokens: countOrNull(usage["input_tokens"]),
        outputTokens: countOrNull(usage["output_tokens"]),
        outcome,
        error,
      };
    },
  };
}

export const responses: Endpoint = {
  format: "responses",
  matches: (method, path) => method === "POST" && PATHS.includes(path),
  conversation: {
    parseRequest(json) {
      if (!isObject(json)) return err("the body is not a JSON object");
      const { instructions, input } = json;
      if (typeof input !== "string" && !Array.isArray(input)) return err("`input` is neither a text nor a list");
      const items = typeof input === "string" ? [{ role: "user", content: input }] : (input as unknown[]);
      return ok({
        model: textOrNull(json["model"]),
        streamed: json["stream"] === true,
        messages: [
          parametersMessage(json, ["instructions", "input", "tools"]),
          ...(typeof instructions === "string" && instructions !== ""
            ? [{ role: "system", parts: [{ type: "text", text: instructions }] } as const]
            : []),
          ...toolsMessage(json["tools"]),
          ...parseItems(items),
        ],
        upstreamReference: referenceIn(json),
      });
    },
    assembleAnswer: createAssembler,
  },
};
