/**
 * OpenAI Responses: `….delta` events by item and part, then the same text again, whole, in `….done`, in the item's end and in the
 * response's. Events are numbered; as some may be added, they are numbered anew.
 */
import { countOrNull, type JsonObject } from "../json-value.ts";
import { withoutLogprobs } from "./logprobs.ts";
import { type AnswerMasks, createAroundMask, createOpenTexts, type OutgoingEvent, type WireMask } from "./wire-mask.ts";

const DELTA = ".delta";
const DONE = ".done";
/** Of functions and of MCP calls; what a custom tool takes is a text. */
const ARGUMENTS = "_arguments";

export function createResponsesMask(masks: AnswerMasks): WireMask {
  const texts = createOpenTexts(masks);
  const mask = createAroundMask(masks);
  let number = 0;

  const numbered = (events: readonly OutgoingEvent[]): readonly OutgoingEvent[] =>
    events.map((event) => {
      if (typeof event.json["sequence_number"] !== "number") return event;
      const renumbered = { ...event, json: { ...event.json, sequence_number: number } };
      number += 1;
      return renumbered;
    });

  const itemOf = (json: JsonObject): string => `${countOrNull(json["output_index"]) ?? 0} `;
  const keyOf = (json: JsonObject, kind: string): string =>
    `${itemOf(json)}${kind} ${countOrNull(json["content_index"] ?? json["summary_index"]) ?? ""} `;

  return {
    take({ type, json }) {
      const kind = typeof json["type"] === "string" ? json["type"] : (type ?? "");
      if (kind.endsWith(DELTA) && typeof json["delta"] === "string") {
        const { logprobs: _logprobs, obfuscation: _obfuscation, delta: _delta, sequence_number: at, ...rest } = json;
        const around = { ...mask(rest), ...(typeof at === "number" ? { sequence_number: at } : {}) };
        const carry = (delta: string): OutgoingEvent => ({ type, json: { ...around, delta } });
        const what = kind.slice(0, -DELTA.length);
        const form = what.endsWith(ARGUMENTS) ? "json" : "text";
        return numbered([carry(texts.push(keyOf(json, what), json["delta"], carry, form))]);
      }
      const whole: OutgoingEvent = { type, json: masks.json(withoutLogprobs(json)) as JsonObject };
      if (kind === "response.output_item.done") {
        return numbered([...texts.close(itemOf(json)), whole]);
      }
      if (kind.endsWith(DONE)) return numbered([...texts.close(keyOf(json, kind.slice(0, -DONE.length))), whole]);
      if (kind === "response.completed" || kind === "response.incomplete" || kind === "response.failed") {
        return numbered([...texts.close(""), whole]);
      }
      return numbered([whole]);
    },
    end: () => numbered(texts.close("")),
  };
}
