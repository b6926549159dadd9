/** Anthropic Messages: content blocks by index, each with deltas of one kind. */
import { asObject, countOrNull, type JsonObject } from "../json-value.ts";
import { type AnswerMasks, createOpenTexts, type WireMask } from "./wire-mask.ts";

const TEXTS = ["text", "partial_json", "thinking"];

export function createMessagesMask(masks: AnswerMasks): WireMask {
  const texts = createOpenTexts(masks);
  return {
    take({ type, json }) {
      const index = countOrNull(json["index"]) ?? 0;
      if (json["type"] === "content_block_stop") return [...texts.close(`${index} `), { type, json }];
      if (json["type"] !== "content_block_delta") return [{ type, json: masks.json(json) as JsonObject }];
      const delta = asObject(json["delta"]);
      const name = TEXTS.find((one) => typeof delta[one] === "string");
      // A signature is the upstream's own, and what a citation quotes is no stream.
      if (name === undefined) {
        return [{ type, json: delta["type"] === "signature_delta" ? json : (masks.json(json) as JsonObject) }];
      }
      const carry = (text: string) => ({ type, json: { ...json, delta: { ...delta, [name]: text } } });
      const kind = name === "partial_json" ? "json" : "text";
      return [carry(texts.push(`${index} ${name}`, delta[name] as string, carry, kind))];
    },
    end: () => texts.close(""),
  };
}
