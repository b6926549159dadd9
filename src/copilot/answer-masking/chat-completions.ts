/** Chat Completions, and the older completions that ghost text comes in: `choices[].delta`, or `choices[].text`. */
import { asArray, asObject, countOrNull, isObject, type JsonObject } from "../json-value.ts";
import { type AnswerMasks, createOpenTexts, type OutgoingEvent, type WireMask } from "./wire-mask.ts";

const TEXTS = ["content", "refusal", "reasoning_text", "reasoning_content"];

export function createChatCompletionsMask(masks: AnswerMasks): WireMask {
  const texts = createOpenTexts(masks);

  function takeDelta(envelope: JsonObject, index: number, delta: JsonObject): JsonObject {
    const carry = (inner: JsonObject): OutgoingEvent => ({
      type: null,
      json: { ...envelope, choices: [{ index, delta: inner, finish_reason: null }] },
    });
    const masked: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(delta)) {
      if (typeof value === "string" && TEXTS.includes(name)) {
        masked[name] = texts.push(`${index} ${name}`, value, (text) => carry({ [name]: text }));
      } else if (name === "tool_calls" && Array.isArray(value)) {
        masked[name] = value.map((call, at) => takeCall(asObject(call), at, index, carry));
      } else {
        masked[name] = masks.json(value);
      }
    }
    return masked;
  }

  function takeCall(
    call: JsonObject,
    at: number,
    choice: number,
    carry: (delta: JsonObject) => OutgoingEvent,
  ): JsonObject {
    const number = countOrNull(call["index"]) ?? at;
    const place = isObject(call["custom"]) ? "custom" : "function";
    const body = asObject(call[place]);
    const masked: Record<string, unknown> = { ...body };
    for (const name of ["arguments", "input"]) {
      const value = body[name];
      if (typeof value !== "string") continue;
      masked[name] = texts.push(`${choice} call ${number} ${name}`, value, (text) =>
        carry({ tool_calls: [{ index: number, [place]: { [name]: text } }] }),
      );
    }
    return { ...call, ...(call[place] === undefined ? {} : { [place]: masked }) };
  }

  return {
    take({ type, json }) {
      const before: OutgoingEvent[] = [];
      const { choices: _choices, ...envelope } = json;
      const choices = asArray(json["choices"]).map((value, at) => {
        const choice = asObject(value);
        const index = countOrNull(choice["index"]) ?? at;
        const masked: Record<string, unknown> = { ...choice };
        if (isObject(choice["delta"])) masked["delta"] = takeDelta(envelope, index, choice["delta"]);
        if (isObject(choice["message"])) masked["message"] = masks.json(choice["message"]);
        if (choice["logprobs"] !== undefined && choice["logprobs"] !== null) masked["logprobs"] = null;
        if (typeof choice["text"] === "string") {
          masked["text"] = texts.push(`${index} text`, choice["text"], (text) => ({
            type: null,
            json: { ...envelope, choices: [{ index, text, finish_reason: null }] },
          }));
        }
        if (typeof choice["finish_reason"] === "string") {
          // What is held back of this event's own text goes before the end, in the order in which it was said.
          const rest = texts.close(`${index} `);
          if (rest.length > 0) {
            before.push({ type: null, json: { ...envelope, choices: [{ ...masked, finish_reason: null }] } }, ...rest);
            masked["delta"] = choice["delta"] === undefined ? undefined : {};
            if (masked["text"] !== undefined) masked["text"] = "";
          }
        }
        return masked;
      });
      return [
        ...before,
        { type, json: json["choices"] === undefined ? (masks.json(json) as JsonObject) : { ...json, choices } },
      ];
    },
    end: () => texts.close(""),
  };
}
