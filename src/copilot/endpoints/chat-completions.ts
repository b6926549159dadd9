/**
 * OpenAI Chat Completions: `POST /chat/completions`. A stream ends with `data: [DONE]`.
 * @see https://platform.openai.com/docs/api-reference/chat/create and …/chat-streaming
 */
import { err, ok } from "../../errors.ts";
import type { Message, Part } from "../../model/exchange.ts";
import {
  asArray,
  asObject,
  asText,
  countOrNull,
  isObject,
  type JsonObject,
  parseObject,
  textOrNull,
} from "../json-value.ts";
import type { AnswerAssembler, AssembledAnswer, Endpoint } from "./endpoint.ts";
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

const PATHS = ["/chat/completions", "/v1/chat/completions"];
const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;

const roleOf = (role: unknown): Message["role"] =>
  role === "function" ? "tool" : (ROLES.find((known) => known === role) ?? "user");

/** Not in OpenAI's documentation: what Copilot and several compatible servers call the model's thinking. */
export const THINKING = [
  "reasoning_text",
  "reasoning_content",
  "reasoning",
  "cot_summary",
  "cot_text",
  "thinking",
] as const;

/** The first that says something: some servers send the same under two names, or as text and in parts (`reasoning_details`). */
function thinkingOf(message: JsonObject): string {
  // Asked of every event of a stream.
  for (const name of THINKING) {
    const text = asText(message[name]);
    if (text !== "") return text;
  }
  const { reasoning_details: details, content } = message;
  return (Array.isArray(details) ? thinkingIn(details) : "") || (Array.isArray(content) ? thoughtIn(content) : "");
}

/** OpenRouter's parts have `text` or `summary`, Mistral's a list of texts. What is sealed in them (`data`) says nothing. */
const thinkingIn = (parts: readonly unknown[]): string =>
  parts
    .map(asObject)
    .map((part) => asText(part["text"]) + asText(part["summary"]) + thoughtOf(part))
    .join("");

function thoughtOf({ thinking }: JsonObject): string {
  return Array.isArray(thinking) ? thinkingIn(thinking) : asText(thinking);
}

/** Of a message's content, the parts that are thinking. */
const thoughtIn = (content: readonly unknown[]): string => content.map((part) => thoughtOf(asObject(part))).join("");

const reasoningPart = (message: JsonObject): readonly Part[] => {
  const text = thinkingOf(message);
  return text === "" ? [] : [{ type: "reasoning", text }];
};

const contentParts = (content: unknown): readonly Part[] =>
  typeof content === "string"
    ? textPart(content)
    : asArray(content).flatMap((piece) =>
        typeof asObject(piece)["text"] === "string"
          ? textPart(asText(asObject(piece)["text"]))
          : thoughtOf(asObject(piece)) !== ""
            ? []
            : [opaquePart(piece, "content")],
      );

/** Of an event of a stream, where content comes in parts from some servers. */
const contentText = (content: unknown): string =>
  typeof content === "string"
    ? content
    : asArray(content)
        .map((piece) => asText(asObject(piece)["text"]))
        .join("");

const callParts = (calls: unknown): readonly Part[] =>
  asArray(calls).map((value) => {
    const call = asObject(value);
    const body = asObject(call["function"] ?? call["custom"]);
    return {
      type: "tool_call",
      id: asText(call["id"]),
      name: asText(body["name"]),
      arguments: call["type"] === "custom" ? asText(body["input"]) : canonicalJson(asText(body["arguments"])),
    };
  });

function parseMessage(value: unknown): Message {
  if (!isObject(value)) return { role: "user", parts: [opaquePart(value, "message")] };
  const role = roleOf(value["role"]);
  const content = contentParts(value["content"]);
  if (role === "tool") {
    const text = content.map((part) => ("text" in part ? part.text : "")).join("\n");
    return { role, parts: [{ type: "tool_result", id: asText(value["tool_call_id"]), text }] };
  }
  const said = textPart(asText(value["refusal"]) + asText(asObject(value["audio"])["transcript"]));
  const calls = [...callParts(value["tool_calls"]), ...legacyCall(value["function_call"])];
  return { role, parts: [...reasoningPart(value), ...content, ...said, ...calls] };
}

/** `function_call`, before `tool_calls` were there: one call, without an id. */
const legacyCall = (call: unknown): readonly Part[] =>
  isObject(call) ? callParts([{ type: "function", id: "", function: call }]) : [];

interface Choice {
  text: string;
  reasoning: string;
  readonly calls: Map<number, { id: string; name: string; text: string; custom: boolean }>;
  finish: string | null;
}

function createAssembler(): AnswerAssembler {
  const choices = new Map<number, Choice>();
  const whole: Message[] = [];
  const stops: (string | null)[] = [];
  let id: string | null = null;
  let model: string | null = null;
  let usage: Readonly<Record<string, unknown>> = {};
  let done = false;
  let error: string | null = null;
  let length = 0;

  function takeDelta(value: unknown): void {
    const choice = asObject(value);
    const index = countOrNull(choice["index"]) ?? 0;
    const known = choices.get(index) ?? { text: "", reasoning: "", calls: new Map(), finish: null };
    choices.set(index, known);
    const delta = asObject(choice["delta"]);
    const text =
      contentText(delta["content"]) + asText(delta["refusal"]) + asText(asObject(delta["audio"])["transcript"]);
    const reasoning = thinkingOf(delta);
    known.text += text;
    known.reasoning += reasoning;
    length += text.length + reasoning.length;
    const legacy = isObject(delta["function_call"]) ? [{ index: 0, function: delta["function_call"] }] : [];
    for (const piece of [...asArray(delta["tool_calls"]), ...legacy].map(asObject)) {
      const at = countOrNull(piece["index"]) ?? known.calls.size;
      const call = known.calls.get(at) ?? { id: "", name: "", text: "", custom: isObject(piece["custom"]) };
      known.calls.set(at, call);
      const body = asObject(piece["function"] ?? piece["custom"]);
      call.id ||= asText(piece["id"]);
      call.name += asText(body["name"]);
      const args = asText(body["arguments"]) + asText(body["input"]);
      call.text += args;
      length += args.length;
    }
    known.finish ??= textOrNull(choice["finish_reason"]);
  }

  const assembled = (choice: Choice): Message => ({
    role: "assistant",
    parts: [
      ...(choice.reasoning === "" ? [] : [{ type: "reasoning", text: choice.reasoning } as const]),
      ...textPart(choice.text),
      ...[...choice.calls.values()].map((call): Part => ({
        type: "tool_call",
        id: call.id,
        name: call.name,
        arguments: call.custom ? call.text : canonicalJson(call.text),
      })),
    ],
  });

  return {
    takeEvent(event) {
      if (event.data === "[DONE]") {
        done = true;
        return;
      }
      const json = parseObject(event.data);
      id ??= textOrNull(json["id"]);
      model ??= textOrNull(json["model"]);
      if (isObject(json["usage"])) usage = json["usage"];
      if (isObject(json["error"])) error = asText(json["error"]["message"]) || "the upstream sent an error event";
      for (const choice of asArray(json["choices"])) takeDelta(choice);
    },
    takeBody(json) {
      const body = asObject(json);
      id = textOrNull(body["id"]);
      model = textOrNull(body["model"]);
      usage = asObject(body["usage"]);
      for (const choice of asArray(body["choices"]).map(asObject)) {
        whole.push(parseMessage(choice["message"]));
        stops.push(textOrNull(choice["finish_reason"]));
      }
      done = whole.length > 0;
    },
    length: () => length,
    result(): AssembledAnswer {
      const streamed = [...choices.entries()].sort(([a], [b]) => a - b).map(([, choice]) => choice);
      const messages = [...whole, ...streamed.map(assembled)].filter((one) => one.parts.length > 0);
      // A stream without its [DONE] is whole when every choice has said why it ended.
      const finished = done || (choices.size > 0 && streamed.every((choice) => choice.finish !== null));
      return {
        messages: [...messages, ...[...stops, ...streamed.map((choice) => choice.finish)].flatMap(stopNote)],
        model,
        inputTokens: countOrNull(usage["prompt_tokens"]),
        outputTokens: countOrNull(usage["completion_tokens"]),
        cachedTokens: countOrNull(asObject(usage["prompt_tokens_details"])["cached_tokens"]),
        issuedIds: id === null || id === "" ? [] : [id],
        outcome: error !== null ? "failed" : finished ? "finished" : "unfinished",
        error,
      };
    },
  };
}

export const chatCompletions: Endpoint = {
  format: "chat-completions",
  matches: (method, path) => method === "POST" && PATHS.includes(path),
  access: "inference",
  grouping: "history",
  conversation: {
    parseRequest(json) {
      if (!isObject(json) || !Array.isArray(json["messages"])) return err("`messages` is not a list");
      return ok({
        model: textOrNull(json["model"]),
        streamed: json["stream"] === true,
        messages: [
          parametersMessage(json, ["messages", "tools"]),
          ...toolsMessage(json["tools"]),
          ...json["messages"].map(parseMessage),
        ],
        references: [
          ...fileReferences(json["messages"]),
          ...json["messages"].flatMap((message) => referenceTo("audio", asObject(message)["audio"])),
        ],
        keepsIds: json["store"] === true,
      });
    },
    assembleAnswer: createAssembler,
    endsStream: ({ data }) => data === "[DONE]",
  },
};
