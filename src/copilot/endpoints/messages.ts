/**
 * Anthropic Messages: `POST /v1/messages`. A stream ends with the event `message_stop`.
 * @see https://docs.anthropic.com/en/api/messages and https://docs.anthropic.com/en/docs/build-with-claude/streaming
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

const PATHS = ["/v1/messages", "/messages"];

const resultText = (content: unknown): string =>
  typeof content === "string"
    ? content
    : asArray(content)
        .map((block) => textOrNull(asObject(block)["text"]) ?? describeJson(block))
        .join("\n");

/** One content block; `cache_control` (it moves from block to block) and signatures are left out: a re-sent block hashes alike. */
function parseBlock(value: unknown): readonly Part[] {
  const block = asObject(value);
  switch (block["type"]) {
    case "text":
      return block["text"] === "" ? [] : [{ type: "text", text: asText(block["text"]) }];
    case "thinking":
      return block["thinking"] === "" ? [] : [{ type: "reasoning", text: asText(block["thinking"]) }];
    case "redacted_thinking":
      return [];
    case "tool_use":
    case "server_tool_use":
      return [
        {
          type: "tool_call",
          id: asText(block["id"]),
          name: asText(block["name"]),
          arguments: JSON.stringify(block["input"] ?? {}),
        },
      ];
    case "tool_result":
      return [{ type: "tool_result", id: asText(block["tool_use_id"]), text: resultText(block["content"]) }];
    default:
      return [opaquePart(value, "block")];
  }
}

const parseContent = (content: unknown): readonly Part[] =>
  typeof content === "string"
    ? content === ""
      ? []
      : [{ type: "text", text: content }]
    : asArray(content).flatMap(parseBlock);

function parseMessage(value: unknown): Message {
  if (!isObject(value)) return { role: "user", parts: [opaquePart(value, "message")] };
  const role = value["role"] === "assistant" || value["role"] === "system" ? value["role"] : "user";
  return { role, parts: parseContent(value["content"]) };
}

/** A content block of a stream: its start, and its deltas joined. */
interface OpenBlock {
  readonly start: JsonObject;
  text: string;
}

function closedBlock({ start, text }: OpenBlock): readonly Part[] {
  switch (start["type"]) {
    case "text":
      return parseBlock({ type: "text", text: asText(start["text"]) + text });
    case "thinking":
      return parseBlock({ type: "thinking", thinking: asText(start["thinking"]) + text });
    case "tool_use":
    case "server_tool_use":
      return [
        {
          type: "tool_call",
          id: asText(start["id"]),
          name: asText(start["name"]),
          arguments: text === "" ? JSON.stringify(start["input"] ?? {}) : canonicalJson(text),
        },
      ];
    default:
      return parseBlock(start);
  }
}

function createAssembler(): AnswerAssembler {
  const blocks = new Map<number, OpenBlock>();
  let whole: readonly Part[] = [];
  let message: JsonObject = {};
  let usage: JsonObject = {};
  let outcome: AssembledAnswer["outcome"] = "unfinished";
  let error: string | null = null;
  let length = 0;

  function takeDelta(json: JsonObject): void {
    const block = blocks.get(countOrNull(json["index"]) ?? 0);
    const delta = asObject(json["delta"]);
    if (block !== undefined) {
      const text = asText(delta["text"]) + asText(delta["partial_json"]) + asText(delta["thinking"]);
      block.text += text;
      length += text.length;
    }
  }

  return {
    takeEvent(event) {
      const json = parseObject(event.data);
      switch (textOrNull(json["type"]) ?? event.type) {
        case "message_start":
          message = asObject(json["message"]);
          usage = asObject(message["usage"]);
          return false;
        case "content_block_start":
          blocks.set(countOrNull(json["index"]) ?? 0, { start: asObject(json["content_block"]), text: "" });
          return false;
        case "content_block_delta":
          takeDelta(json);
          return false;
        case "message_delta":
          usage = { ...usage, ...asObject(json["usage"]) };
          return false;
        case "message_stop":
          outcome = "finished";
          return true;
        case "error":
          outcome = "failed";
          error = asText(asObject(json["error"])["message"]) || "the upstream sent an error event";
          return true;
        default:
          return false;
      }
    },
    takeBody(json) {
      message = asObject(json);
      usage = asObject(message["usage"]);
      whole = parseContent(message["content"]);
      if (message["type"] === "message") outcome = "finished";
    },
    length: () => length,
    result() {
      const parts = [
        ...whole,
        ...[...blocks.entries()].sort(([a], [b]) => a - b).flatMap(([, one]) => closedBlock(one)),
      ];
      return {
        messages: parts.length === 0 ? [] : [{ role: "assistant", parts }],
        model: textOrNull(message["model"]),
        inputTokens: countOrNull(usage["input_tokens"]),
        outputTokens: countOrNull(usage["output_tokens"]),
        outcome,
        error,
      };
    },
  };
}

export const messages: Endpoint = {
  format: "messages",
  matches: (method, path) => method === "POST" && PATHS.includes(path),
  conversation: {
    parseRequest(json) {
      if (!isObject(json) || !Array.isArray(json["messages"])) return err("`messages` is not a list");
      const system = parseContent(json["system"]);
      return ok({
        model: textOrNull(json["model"]),
        streamed: json["stream"] === true,
        messages: [
          parametersMessage(json, ["system", "messages", "tools"]),
          ...(system.length === 0 ? [] : [{ role: "system", parts: system } as const]),
          ...toolsMessage(json["tools"]),
          ...json["messages"].map(parseMessage),
        ],
        upstreamReference: json["container"] === undefined || json["container"] === null ? null : "container",
      });
    },
    assembleAnswer: createAssembler,
  },
};
