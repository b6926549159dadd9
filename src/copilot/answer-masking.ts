/**
 * Masks an answer on its way to the client. Of the wires that are known, every text that streams is masked as it comes, over whatever
 * chunks and events it is cut into; what is no such text is masked event by event. An answer that cannot be read is not let through.
 */
import type { WireFormat } from "../model/exchange.ts";
import { isObject, type JsonObject } from "./json-value.ts";
import { createChatCompletionsMask } from "./answer-masking/chat-completions.ts";
import { createMessagesMask } from "./answer-masking/messages.ts";
import { createResponsesMask } from "./answer-masking/responses.ts";
import type { AnswerMasks, OutgoingEvent, WireMask } from "./answer-masking/wire-mask.ts";
import { SseParser } from "./streams/sse.ts";

export type { AnswerMasks } from "./answer-masking/wire-mask.ts";

const WIRES: Readonly<Partial<Record<WireFormat, (masks: AnswerMasks) => WireMask>>> = {
  "chat-completions": createChatCompletionsMask,
  messages: createMessagesMask,
  responses: createResponsesMask,
};

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

/** A whole answer. @returns null where it is no JSON in UTF-8: nothing that cannot be read goes on */
export function maskAnswerBody(body: Buffer, masks: AnswerMasks): Buffer | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    const json: unknown = JSON.parse(text);
    const masked = JSON.stringify(masks.json(json));
    return masked === JSON.stringify(json) ? body : Buffer.from(masked);
  } catch {
    return null;
  }
}
