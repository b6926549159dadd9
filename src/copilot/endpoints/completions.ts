/**
 * Text completions: ghost text at `POST <proxy>/v1/engines/<engine>/completions`, and OpenAI's older `POST /v1/completions`. A prompt, what
 * stands behind the cursor (`suffix`), and any number of choices. A stream ends with `data: [DONE]`.
 * @see https://platform.openai.com/docs/api-reference/completions/create
 */
import { err, ok } from "../../errors.ts";
import type { Message } from "../../model/exchange.ts";
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
import type { AnswerAssembler, Endpoint } from "./endpoint.ts";
import { parametersMessage, textPart } from "./message-parts.ts";

const GHOST = /^\/v1\/engines\/[^/]+\/completions$/;
const PATHS = ["/v1/completions", "/completions"];

function createAssembler(): AnswerAssembler {
  const choices = new Map<number, { text: string; finished: boolean }>();
  let model: string | null = null;
  let usage: JsonObject = {};
  let done = false;
  let error: string | null = null;
  let length = 0;

  function take(json: JsonObject): void {
    model ??= textOrNull(json["model"]);
    if (isObject(json["usage"])) usage = json["usage"];
    if (isObject(json["error"])) error = asText(json["error"]["message"]) || "the upstream sent an error event";
    for (const choice of asArray(json["choices"]).map(asObject)) {
      const index = countOrNull(choice["index"]) ?? 0;
      const known = choices.get(index) ?? { text: "", finished: false };
      choices.set(index, known);
      const text = asText(choice["text"]);
      known.text += text;
      length += text.length;
      if (typeof choice["finish_reason"] === "string") known.finished = true;
    }
  }

  return {
    takeEvent(event) {
      if (event.data === "[DONE]") {
        done = true;
        return;
      }
      take(parseObject(event.data));
    },
    takeBody(json) {
      const body = asObject(json);
      take(body);
      done = Array.isArray(body["choices"]);
    },
    length: () => length,
    result() {
      const offered = [...choices.entries()].sort(([a], [b]) => a - b).map(([, choice]) => choice);
      const finished = done || (offered.length > 0 && offered.every((choice) => choice.finished));
      return {
        messages: offered
          .filter((choice) => choice.text !== "")
          .map((choice): Message => ({ role: "assistant", parts: [{ type: "completion", text: choice.text }] })),
        model,
        inputTokens: countOrNull(usage["prompt_tokens"]),
        outputTokens: countOrNull(usage["completion_tokens"]),
        cachedTokens: countOrNull(asObject(usage["prompt_tokens_details"])["cached_tokens"]),
        issuedIds: [],
        outcome: error !== null ? "failed" : finished ? "finished" : "unfinished",
        error,
      };
    },
  };
}

/** A prompt is text or, for several at once, a list of texts. */
const promptTexts = (prompt: unknown): readonly string[] =>
  typeof prompt === "string" ? [prompt] : asArray(prompt).filter((text) => typeof text === "string");

const conversation: Endpoint["conversation"] = {
  parseRequest(json) {
    if (!isObject(json)) return err("the body is not a JSON object");
    const { prompt, suffix } = json;
    const prompts = promptTexts(prompt);
    if (typeof prompt !== "string" && (!Array.isArray(prompt) || prompts.length !== prompt.length)) {
      return err("`prompt` is neither a text nor a list of texts");
    }
    const after = textPart(asText(suffix));
    return ok({
      model: textOrNull(json["model"]),
      streamed: json["stream"] === true,
      messages: [
        parametersMessage(json, ["prompt", "suffix"]),
        ...prompts.map((text): Message => ({ role: "user", parts: textPart(text) })),
        ...(after.length === 0
          ? []
          : [{ role: "user", parts: [{ type: "opaque", kind: "suffix", text: asText(suffix) }] } as const]),
      ],
      references: [],
      keepsIds: false,
    });
  },
  assembleAnswer: createAssembler,
  endsStream: ({ data }) => data === "[DONE]",
};

/** At the ghost-text host. The client's process is what its completions have in common. */
export const ghostText: Endpoint = {
  format: "completions",
  matches: (method, path) => method === "POST" && GHOST.test(path),
  access: "inference",
  host: "proxy",
  grouping: "process",
  conversation,
};

export const completions: Endpoint = {
  format: "completions",
  matches: (method, path) => method === "POST" && PATHS.includes(path),
  access: "inference",
  grouping: "process",
  conversation,
};
