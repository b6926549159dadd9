/** Anthropic Messages: content blocks by index, each with deltas of one kind. */
import { asObject, countOrNull } from "../json-value.ts";
import { type AnswerMasks, createAroundMask, createOpenTexts, looksSealed, type WireMask } from "./wire-mask.ts";

const TEXTS = ["text", "partial_json", "thinking"];

export function createMessagesMask(masks: AnswerMasks): WireMask {
  const texts = createOpenTexts(masks);
  const mask = createAroundMask(masks);
  return {
    take({ type, json }) {
      const index = countOrNull(json["index"]) ?? 0;
      if (json["type"] === "content_block_stop") return [...texts.close(`${index} `), { type, json: mask(json) }];
      const delta = asObject(json["delta"]);
      // What a citation quotes is no stream.
      const name = TEXTS.find((one) => typeof delta[one] === "string") ?? "signature";
      const value = delta[name];
      if (json["type"] !== "content_block_delta" || typeof value !== "string") return [{ type, json: mask(json) }];
      const { [name]: _value, ...others } = delta;
      const around = mask({ ...json, delta: others });
      const carry = (text: string) => ({
        type,
        json: { ...around, delta: { ...asObject(around["delta"]), [name]: text } },
      });
      // The upstream's own, and worth nothing with a mask inside.
      if (name === "signature" && looksSealed(value)) return [carry(value)];
      const kind = name === "partial_json" ? "json" : "text";
      return [carry(texts.push(`${index} ${name}`, value, carry, kind))];
    },
    end: () => texts.close(""),
  };
}
