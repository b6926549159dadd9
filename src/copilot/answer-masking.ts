/**
 * Masks an answer on its way to the client. Of the wires that are known, every text that streams is masked as it comes, over whatever
 * chunks and events it is cut into; what is no such text is masked event by event. An answer that cannot be read is not let through.
 */
import type { WireFormat } from "../model/exchange.ts";
import { isObject, type JsonObject } from "./json-value.ts";
import { createChatCompletionsMask } from "./answer-masking/chat-completions.ts";
import { createMessagesMask } from "./answer-masking/messages.ts";
import { createResponsesMask } from "./answer-masking/responses.ts";
import { withoutLogprobs } from "./answer-masking/logprobs.ts";
import type { AnswerMasks, OutgoingEvent, WireMask } from "./answer-masking/wire-mask.ts";
import { parseStrictJson } from "./strict-json.ts";
import { SseParser } from "./streams/sse.ts";

export { type AnswerMasks, looksSealed } from "./answer-masking/wire-mask.ts";

const WIRES: Readonly<Partial<Record<WireFormat, (masks: AnswerMasks) => WireMask>>> = {
  "chat-completions": createChatCompletionsMask,
  messages: createMessagesMask,
  responses: createResponsesMask,
  // Ghost text: `choices[].text`.
  completions: createChatCompletionsMask,
  mcp: createEventMask,
};

/** For wires on which no text is longer than its event. */
function createEventMask(masks: AnswerMasks): WireMask {
  return { take: ({ type, json }) => [{ type, json: masks.json(json) as JsonObject }], end: () => [] };
}

export interface AnswerStreamMask {
  push(chunk: Buffer): Buffer;
  end(): Buffer;
  /** An event was larger than what is read of one: nothing more comes. */
  readonly hasFailed: boolean;
}

/** @param maxEvent the most bytes of one event @returns null for a wire whose streams are not known here */
export function createAnswerStreamMask(
  format: WireFormat,
  masks: AnswerMasks,
  maxEvent: number,
): AnswerStreamMask | null {
  const wire = WIRES[format]?.(masks);
  if (wire === undefined) return null;
  const parser = new SseParser(maxEvent);

  const write = ({ type, json }: OutgoingEvent): string =>
    `${type === null ? "" : `event: ${type}\n`}data: ${JSON.stringify(json)}\n\n`;

  function rewrite(type: string, data: string): string {
    if (data === "[DONE]") return `${wire!.end().map(write).join("")}data: [DONE]\n\n`;
    const json = parseEvent(data);
    // Nothing that cannot be read goes on: it could say anything.
    if (json === null) return "";
    return wire!
      .take({ type: type === "message" ? null : type, json })
      .map(write)
      .join("");
  }

  return {
    push: (chunk) =>
      Buffer.from(
        parser
          .push(chunk)
          .map(({ type, data }) => rewrite(type, data))
          .join(""),
      ),
    end: () => Buffer.from(wire.end().map(write).join("")),
    get hasFailed() {
      return parser.overflowed;
    },
  };
}

function parseEvent(data: string): JsonObject | null {
  try {
    const json: unknown = JSON.parse(data);
    return isObject(json) ? json : null;
  } catch {
    return null;
  }
}

/** The messages of a WebSocket of `/responses`, on which the answers of several lanes may come beside each other. */
export interface AnswerMessageMask {
  /** @returns what goes to the client in its place: nothing where it cannot be read */
  take(text: string): readonly string[];
}

export function createAnswerMessageMask(masks: AnswerMasks): AnswerMessageMask {
  const lanes = new Map<string, WireMask>();
  return {
    take(text) {
      const json = parseEvent(text);
      if (json === null) return [];
      const lane = typeof json["stream_id"] === "string" ? json["stream_id"] : "";
      const wire = lanes.get(lane) ?? createResponsesMask(masks);
      lanes.set(lane, wire);
      const events = wire.take({ type: null, json });
      if (typeof json["type"] !== "string" || ENDS.has(json["type"])) lanes.delete(lane);
      return events.map((event) => JSON.stringify(event.json));
    },
  };
}

const ENDS: ReadonlySet<string> = new Set([
  "response.completed",
  "response.incomplete",
  "response.failed",
  "response.cancelled",
  "error",
]);

/** What Anthropic's tools are given is JSON of anybody's making, with any names in it; on the others it is a text. */
const HAS_LOGPROBS: ReadonlySet<WireFormat> = new Set(["chat-completions", "completions", "responses"]);

/** A whole answer. @returns null where it is no JSON that everybody reads alike: nothing that cannot be read goes on */
export function maskAnswerBody(format: WireFormat, body: Buffer, masks: AnswerMasks): Buffer | null {
  const json = parseStrictJson(body);
  if (!json.ok) return null;
  const masked = JSON.stringify(masks.json(HAS_LOGPROBS.has(format) ? withoutLogprobs(json.value) : json.value));
  return masked === JSON.stringify(json.value) ? body : Buffer.from(masked);
}
