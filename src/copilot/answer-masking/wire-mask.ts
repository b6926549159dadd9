/** What masking an answer on its way needs to know of a wire. */
import type { JsonObject } from "../json-value.ts";
import { createJsonTextMask } from "./json-text-mask.ts";

/** Masks a text that comes in parts; holds back what may still become part of a secret. */
export interface TextMask {
  push(text: string): string;
  end(): string;
}

export interface AnswerMasks {
  /** A new one for each text that streams. */
  readonly stream: () => TextMask;
  /** Masks all strings of a value. */
  readonly json: (value: unknown) => unknown;
}

/** An event of a stream; `type` is null where the wire does not name its events. */
export interface OutgoingEvent {
  readonly type: string | null;
  readonly json: JsonObject;
}

/** Rewrites the events of one stream. What it holds back it sends before the event that ends the text, in one more event. */
export interface WireMask {
  take(event: OutgoingEvent): readonly OutgoingEvent[];
  /** Before `[DONE]`, and at the end of a stream. */
  end(): readonly OutgoingEvent[];
}

/** Sealed by the upstream: of no use to anybody with a mask inside. */
const SEALED_TEXT = /^[A-Za-z0-9+/_=-]{32,}$/;
export const looksSealed = (text: unknown): text is string => typeof text === "string" && SEALED_TEXT.test(text);

/**
 * Masks what stands around a text that streams. It is the same in nearly every event, so the last one is remembered.
 * @returns a value of its own for each other `around`; the same one as long as nothing changes
 */
export function createAroundMask(masks: AnswerMasks): (around: JsonObject) => JsonObject {
  let last = "";
  let masked: JsonObject = {};
  return (around) => {
    const text = JSON.stringify(around);
    if (text !== last) {
      masked = masks.json(around) as JsonObject;
      last = text;
    }
    return masked;
  };
}

/** The texts that are open, each under a key of the wire's, with what an event looks like that carries more of it. */
export interface OpenTexts {
  /**
   * @param carry an event of this text with another part in place of its own
   * @param kind `json`: the text is JSON, as a tool call's arguments are
   */
  push(key: string, text: string, carry: (text: string) => OutgoingEvent, kind?: "text" | "json"): string;
  /** Closes the texts under whose keys this begins. @returns events for what was held back of them */
  close(prefix: string): readonly OutgoingEvent[];
}

export function createOpenTexts(masks: AnswerMasks): OpenTexts {
  const open = new Map<string, { readonly mask: TextMask; carry: (text: string) => OutgoingEvent }>();
  return {
    push(key, text, carry, kind = "text") {
      const known = open.get(key) ?? {
        mask: kind === "json" ? createJsonTextMask(masks.stream) : masks.stream(),
        carry,
      };
      known.carry = carry;
      open.set(key, known);
      return known.mask.push(text);
    },
    close(prefix) {
      const events: OutgoingEvent[] = [];
      for (const [key, { mask, carry }] of open) {
        if (!key.startsWith(prefix)) continue;
        open.delete(key);
        const rest = mask.end();
        if (rest !== "") events.push(carry(rest));
      }
      return events;
    },
  };
}
