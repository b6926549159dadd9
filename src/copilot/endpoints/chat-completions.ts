/**
 * OpenAI Chat Completions: `POST /chat/completions`. A stream ends with `data: [DONE]`.
 * @see https://platform.openai.com/docs/api-reference/chat/create and …/chat-streaming
 */
import { err, ok } from "../../errors.ts";
import type { Message, Part } from "../../model/exchange.ts";
import { asArray, asObject, asText, countOrNull, isObject, parseObject, textOrNull } from "../json-value.ts";
import type { AnswerAssembler, AssembledAnswer, Endpoint } from "./endpoint.ts";
import { canonicalJson, opaquePart, parametersMessage, toolsMessage } from "./message-parts.ts";

const PATHS = ["/chat/completions", "/v1/chat/completions"];
const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;

const roleOf = (role: unknown): Message["role"] =>
  role === "function" ? "tool" : (ROLES.find((known) => known === role) ?? "user");

const textPart = (text: string): readonly Part[] => (text === "" ? [] : [{ type: "text", text }]);
/** Not in OpenAI's documentation: what Copilot and several compatible servers send for the model's thinking. */
const reasoningPart = (message: Readonly<Record<string, unknown>>): readonly Part[] => {
  const text = asText(message["reasoning_text"]) || asText(message["reasoning_content"]);
  return text === "" ? [] : [{ type: "reasoning", text }];
};

const contentParts = (content: unknown): readonly Part[] =>
  typeof content === "string"
    ? textPart(content)
    : asArray(content).flatMap((piece) =>
        typeof asObject(piece)["text"] === "string"
          ? textPart(asText(asObject(piece)["text"]))
          : [opaquePart(piece, "content")],
      );

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
  const refusal = textPart(asText(value["refusal"]));
  return { role, parts: [...reasoningPart(value), ...content, ...refusal, ...callParts(value["tool_calls"])] };
}

interface Choice {
  text: string;
  reasoning: string;
  readonly calls: Map<number, { id: string; name: string; arguments: string }>;
  finished: boolean;
}

function createAssembler(): AnswerAssembler {
  const choices = new Map<number, Choice>();
  const whole: Message[] = [];
  let model: string | null = null;
  let usage: Readonly<Record<string, unknown>> = {};
  let done = false;
  let error: string | null = null;
  let length = 0;

  function takeDelta(value: unknown): void {
    const choice = asObject(value);
    const index = countOrNull(choice["index"]) ?? 0;
    const known = choices.get(index) ?? { text: "", reasoning: "", calls: new Map(), finished: false };
    choices.set(index, known);
    const delta = asObject(choice["delta"]);
    const text = asText(delta["content"]) + asText(delta["refusal"]);
    const reasoning = asText(delta["reasoning_text"]) || asText(delta["reasoning_content"]);
    known.text += text;
    known.reasoning += reasoning;
    length += text.length + reasoning.length;
    for (const piece of asArray(delta["tool_calls"]).map(asObject)) {
      const at = countOrNull(piece["index"]) ?? known.calls.size;
      const call = known.calls.get(at) ?? { id: "", name: "", arguments: "" };
      known.calls.set(at, call);
      const body = asObject(piece["function"]);
      call.id ||= asText(piece["id"]);
      call.name += asText(body["name"]);
      const text = asText(body["arguments"]);
      call.arguments += text;
      length += text.length;
    }
    if (typeof choice["finish_reason"] === "string") known.finished = true;
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
        arguments: canonicalJson(call.arguments),
      })),
    ],
  });

  return {
    takeEvent(event) {
      if (event.data === "[DONE]") {
        done = true;
        return true;
      }
      const json = parseObject(event.data);
      model ??= textOrNull(json["model"]);
      if (isObject(json["usage"])) usage = json["usage"];
      if (isObject(json["error"])) error = asText(json["error"]["message"]) || "the upstream sent an error event";
      for (const choice of asArray(json["choices"])) takeDelta(choice);
      return false;
    },
    takeBody(json) {
      const body = asObject(json);
      model = textOrNull(body["model"]);
      usage = asObject(body["usage"]);
      for (const choice of asArray(body["choices"])) whole.push(parseMessage(asObject(choice)["message"]));
      done = whole.length > 0;
    },
    length: () => length,
    result(): AssembledAnswer {
      const messages = [...whole, ...[...choices.values()].map(assembled)].filter((one) => one.parts.length > 0);
      // A stream without its [DONE] is whole when every choice has said why it ended.
      const finished = done || (choices.size > 0 && [...choices.values()].every((choice) => choice.finished));
      return {
        messages,
        model,
        inputTokens: countOrNull(usage["prompt_tokens"]),
        outputTokens: countOrNull(usage["completion_tokens"]),
        outcome: error !== null ? "failed" : finished ? "finished" : "unfinished",
        error,
      };
    },
  };
}

export const chatCompletions: Endpoint = {
  format: "chat-completions",
  matches: (method, path) => method === "POST" && PATHS.includes(path),
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
        upstreamReference: null,
      });
    },
    assembleAnswer: createAssembler,
  },
};
