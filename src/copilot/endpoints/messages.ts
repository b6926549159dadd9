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
  textsUnder,
  without,
} from "../json-value.ts";
import { typeOfEvent } from "../streams/sse.ts";
import type { AnswerAssembler, AssembledAnswer, Endpoint, UpstreamReference } from "./endpoint.ts";
import {
  canonicalJson,
  fileReferences,
  opaquePart,
  parametersMessage,
  referenceTo,
  stopNote,
  textPart,
  toolsMessage,
} from "./message-parts.ts";

const PATHS = ["/v1/messages", "/messages"];
/** The last event of a stream is one of these. */
const LAST: ReadonlySet<string> = new Set(["message_stop", "error"]);

const resultText = (content: unknown): string => {
  if (typeof content === "string") return content;
  // Results of tools that run upstream are one object, or a list of them.
  if (!Array.isArray(content)) return content === undefined || content === null ? "" : describeJson(content);
  return content.map((block) => textOrNull(asObject(block)["text"]) ?? describeJson(block)).join("\n");
};

/** One content block; `cache_control` (it moves from block to block) and signatures are left out: a re-sent block hashes alike. */
function parseBlock(value: unknown): readonly Part[] {
  const block = asObject(value);
  const type = asText(block["type"]);
  switch (type) {
    case "text":
      return textPart(asText(block["text"]));
    case "thinking":
      return block["thinking"] === "" ? [] : [{ type: "reasoning", text: asText(block["thinking"]) }];
    case "redacted_thinking":
      return [];
    case "tool_use":
    case "server_tool_use":
    case "mcp_tool_use":
      return [callPart(block, JSON.stringify(block["input"] ?? {}))];
    default:
      // `tool_result`, and those of tools that run upstream: `web_search_tool_result`, `code_execution_tool_result`, …
      if (type.endsWith("tool_result")) {
        return [{ type: "tool_result", id: asText(block["tool_use_id"]), text: resultText(block["content"]) }];
      }
      return [opaquePart("cache_control" in block ? without(block, ["cache_control"]) : value, "block")];
  }
}

const TOOL_USES = new Set(["tool_use", "server_tool_use", "mcp_tool_use"]);

/** A tool of an MCP server that the upstream calls is named with its server. */
const callPart = (block: JsonObject, args: string): Part => ({
  type: "tool_call",
  id: asText(block["id"]),
  name:
    block["type"] === "mcp_tool_use"
      ? `mcp__${asText(block["server_name"])}__${asText(block["name"])}`
      : asText(block["name"]),
  arguments: args,
});

const parseContent = (content: unknown): readonly Part[] =>
  typeof content === "string" ? textPart(content) : asArray(content).flatMap(parseBlock);

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
    default:
      return TOOL_USES.has(asText(start["type"])) && text !== ""
        ? [callPart(start, canonicalJson(text))]
        : parseBlock(start);
  }
}

function createAssembler(): AnswerAssembler {
  const blocks = new Map<number, OpenBlock>();
  let whole: readonly Part[] = [];
  let message: JsonObject = {};
  let usage: JsonObject = {};
  let stop: string | null = null;
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
      switch (typeOfEvent(event, json)) {
        case "message_start":
          message = asObject(json["message"]);
          usage = asObject(message["usage"]);
          return;
        case "content_block_start":
          blocks.set(countOrNull(json["index"]) ?? 0, { start: asObject(json["content_block"]), text: "" });
          return;
        case "content_block_delta":
          takeDelta(json);
          return;
        case "message_delta":
          usage = { ...usage, ...asObject(json["usage"]) };
          stop = textOrNull(asObject(json["delta"])["stop_reason"]) ?? stop;
          if (isObject(asObject(json["delta"])["container"])) {
            message = { ...message, container: asObject(json["delta"])["container"] };
          }
          return;
        case "message_stop":
          outcome = "finished";
          return;
        case "error":
          outcome = "failed";
          error = asText(asObject(json["error"])["message"]) || "the upstream sent an error event";
          return;
      }
    },
    takeBody(json) {
      message = asObject(json);
      usage = asObject(message["usage"]);
      whole = parseContent(message["content"]);
      stop = textOrNull(message["stop_reason"]);
      if (message["type"] === "message") outcome = "finished";
    },
    length: () => length,
    result() {
      const parts = [
        ...whole,
        ...[...blocks.entries()].sort(([a], [b]) => a - b).flatMap(([, one]) => closedBlock(one)),
      ];
      return {
        messages: [...(parts.length === 0 ? [] : [{ role: "assistant", parts } as const]), ...stopNote(stop)],
        model: textOrNull(message["model"]),
        inputTokens: allInput(usage),
        outputTokens: countOrNull(usage["output_tokens"]),
        cachedTokens: countOrNull(usage["cache_read_input_tokens"]),
        issuedIds: [
          ...referenceTo("container", message["container"]).map(({ id }) => id),
          ...textsUnder([message["content"], [...blocks.values()].map(({ start }) => start)], FILE_ID),
        ],
        outcome,
        error,
      };
    },
  };
}

const FILE_ID = new Set(["file_id"]);

/** `input_tokens` leaves out what was read from the cache or written to it. */
function allInput(usage: JsonObject): number | null {
  const plain = countOrNull(usage["input_tokens"]);
  if (plain === null) return null;
  const read = countOrNull(usage["cache_read_input_tokens"]) ?? 0;
  return plain + read + (countOrNull(usage["cache_creation_input_tokens"]) ?? 0);
}

/** Its own id, and the skills in it that somebody has uploaded. With nothing but the vendor's own skills it is a new one. */
function containerReferences(container: unknown): readonly UpstreamReference[] {
  const { skills, ...others } = asObject(container);
  const uploaded = asArray(skills).filter((skill) => asObject(skill)["type"] !== "anthropic");
  const isNew = Array.isArray(skills) && (others["id"] === undefined || others["id"] === null);
  return [
    ...(isNew ? [] : referenceTo("container", container)),
    ...uploaded.map((skill) => ({ field: "skill_id", id: asText(asObject(skill)["skill_id"]) })),
  ];
}

/** What a client's own tool is given is for that tool: an id in it points at nothing upstream. */
const withoutToolInputs = (sent: unknown): readonly unknown[] =>
  asArray(sent).map((message) => {
    const content = asObject(message)["content"];
    if (!Array.isArray(content)) return message;
    const blocks = content.map((block: unknown) =>
      asObject(block)["type"] === "tool_use" ? without(asObject(block), ["input"]) : block,
    );
    return { ...asObject(message), content: blocks };
  });

export const messages: Endpoint = {
  format: "messages",
  matches: (method, path) => method === "POST" && PATHS.includes(path),
  access: "inference",
  grouping: "history",
  conversation: {
    parseRequest(json) {
      if (!isObject(json) || !Array.isArray(json["messages"])) return err("`messages` is not a list");
      const system = parseContent(json["system"]);
      return ok({
        model: textOrNull(json["model"]),
        streamed: json["stream"] === true,
        messages: [
          parametersMessage(json, ["system", "messages", "tools", "metadata"]),
          ...(system.length === 0 ? [] : [{ role: "system", parts: system } as const]),
          ...toolsMessage(json["tools"]),
          ...json["messages"].map(parseMessage),
        ],
        references: [...containerReferences(json["container"]), ...fileReferences(withoutToolInputs(json["messages"]))],
        keepsIds: true,
      });
    },
    assembleAnswer: createAssembler,
    endsStream: (event) => LAST.has(typeOfEvent(event, parseObject(event.data))),
  },
};
