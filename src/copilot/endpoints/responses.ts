/**
 * OpenAI Responses: `POST /responses`, and the messages of its WebSocket. A stream ends with `response.completed`,
 * `response.incomplete` or `response.failed`.
 * @see https://platform.openai.com/docs/api-reference/responses/create and …/responses-streaming
 */
import { err, ok, type Result } from "../../errors.ts";
import {
  asArray,
  asObject,
  asText,
  countOrNull,
  isObject,
  type JsonObject,
  parseObject,
  textOrNull,
  textsUnder,
} from "../json-value.ts";
import { type SseEvent, typeOfEvent } from "../streams/sse.ts";
import type { AnswerAssembler, AssembledAnswer, Endpoint, ParsedRequest, UpstreamReference } from "./endpoint.ts";
import {
  fileReferences,
  parametersMessage,
  referenceTo,
  skillReferences,
  stopNote,
  toolsMessage,
} from "./message-parts.ts";
import { type OpenItem, parseItems, TEXT_DELTAS, unfinishedItem } from "./response-items.ts";

const PATHS = ["/responses", "/v1/responses"];
/** The last event of an answer is one of these. */
const LAST: ReadonlySet<string> = new Set([
  "response.completed",
  "response.incomplete",
  "response.failed",
  "response.cancelled",
  "error",
]);

/** Whether an event, or a message of a WebSocket, is the last one of its answer. */
export const endsResponse = (event: SseEvent): boolean => LAST.has(typeOfEvent(event, parseObject(event.data)));

/** Fields that point at state which the upstream keeps under the credential. */
function referencesIn(request: JsonObject): readonly UpstreamReference[] {
  const items = asArray(request["input"]).map(asObject);
  const tools = asArray(request["tools"]).map(asObject);
  return [
    ...referenceTo("previous_response_id", request["previous_response_id"]),
    ...referenceTo("conversation", request["conversation"]),
    ...referenceTo("prompt", request["prompt"]),
    ...items.filter(isPointer).map((item) => ({ field: "item_reference", id: asText(item["id"]) })),
    // The container of a call that is repeated is used again by tools that say `auto`.
    ...items.flatMap((item) => referenceTo("container_id", item["container_id"])),
    ...fileReferences([request["input"], request["tools"]]),
    ...tools.flatMap((tool) =>
      asArray(tool["vector_store_ids"]).map((id) => ({ field: "vector_store_ids", id: asText(id) })),
    ),
    ...tools.flatMap((tool) =>
      asArray(asObject(tool["container"])["file_ids"]).map((id) => ({ field: "file_ids", id: asText(id) })),
    ),
    // `{ type: "auto" }` asks for a new one.
    ...tools.flatMap((tool) =>
      typeof tool["container"] === "string" ? referenceTo("container", tool["container"]) : [],
    ),
    ...tools.flatMap((tool) => referenceTo("container_id", asObject(tool["environment"])["container_id"])),
    ...skillReferences(tools),
  ];
}

/** What an item may hold besides what it says. */
const BESIDE_WORDS = new Set(["id", "type", "role", "status", "phase", "object"]);
const isNothing = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);

/**
 * Whether an item stands for one that the upstream keeps. `item_reference` may be left out; a picture that was made, and reasoning without its
 * ciphertext, are looked up by their ids as well, whatever text they hold and whether or not this request is to be kept; and what has an id
 * and says nothing itself can mean nothing else.
 */
function isPointer(item: JsonObject): boolean {
  const { id, type } = item;
  if (type === "item_reference") return true;
  if (isNothing(id)) return false;
  if (type === "image_generation_call") return isNothing(item["result"]);
  if (type === "reasoning") return isNothing(item["encrypted_content"]);
  return Object.entries(item).every(([name, value]) => BESIDE_WORDS.has(name) || isNothing(value));
}

export function parseResponsesRequest(json: unknown): Result<ParsedRequest, string> {
  if (!isObject(json)) return err("the body is not a JSON object");
  const { instructions, input } = json;
  // Absent where a stored prompt or the previous response says it all.
  if (input !== undefined && input !== null && typeof input !== "string" && !Array.isArray(input)) {
    return err("`input` is neither a text nor a list");
  }
  const items = typeof input === "string" ? [{ role: "user", content: input }] : asArray(input);
  if (items.length === 0 && textOrNull(json["model"]) === null) return err("there is neither a `model` nor an `input`");
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
    references: referencesIn(json),
    keepsIds: json["store"] !== false,
  });
}

const ISSUED = new Set(["file_id", "container_id"]);

export function createResponsesAssembler(): AnswerAssembler {
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
      const type = typeOfEvent(event, json);
      switch (type) {
        case "response.created":
        case "response.queued":
          response = asObject(json["response"]);
          return;
        case "response.completed":
        case "response.incomplete":
        case "response.failed":
        case "response.cancelled":
          end(asObject(json["response"]));
          return;
        case "error":
          outcome = "failed";
          error =
            asText(json["message"]) || asText(asObject(json["error"])["message"]) || "the upstream sent an error event";
          return;
        default:
          takeItemEvent(type, json);
          return;
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
      // The items that were streamed are what the client acted upon; the final event's list is the fallback (and the body's).
      const items = streamed.length > 0 ? streamed : asArray(response["output"]);
      const usage = asObject(response["usage"]);
      return {
        messages: [...parseItems(items), ...stopNote(textOrNull(asObject(response["incomplete_details"])["reason"]))],
        model: textOrNull(response["model"]),
        inputTokens: countOrNull(usage["input_tokens"]),
        outputTokens: countOrNull(usage["output_tokens"]),
        cachedTokens: countOrNull(asObject(usage["input_tokens_details"])["cached_tokens"]),
        issuedIds: [
          response["id"],
          asObject(response["conversation"])["id"],
          ...items.map((item) => asObject(item)["id"]),
          ...textsUnder(items, ISSUED),
        ].filter((id): id is string => typeof id === "string" && id !== ""),
        repeatedIds: items
          .map(asObject)
          .filter((item) => item["type"] === "reasoning" && isPointer(item))
          .map((item) => asText(item["id"])),
        outcome,
        error,
      };
    },
  };
}

export const responses: Endpoint = {
  format: "responses",
  matches: (method, path) => method === "POST" && PATHS.includes(path),
  access: "inference",
  grouping: "history",
  conversation: {
    parseRequest: parseResponsesRequest,
    assembleAnswer: createResponsesAssembler,
    endsStream: endsResponse,
  },
};
