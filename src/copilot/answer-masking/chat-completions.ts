/** Chat Completions, and the older completions that ghost text comes in: `choices[].delta`, or `choices[].text`. */
import { asArray, asObject, countOrNull, isObject, type JsonObject } from "../json-value.ts";
import { THINKING } from "../endpoints/chat-completions.ts";
import {
  type AnswerMasks,
  createAroundMask,
  createOpenTexts,
  looksSealed,
  type OutgoingEvent,
  type WireMask,
} from "./wire-mask.ts";

const TEXTS: readonly string[] = ["content", "refusal", ...THINKING];
/** Lists of parts, of which each event has the next ones: OpenRouter's, and the content of Mistral's models. */
const LISTS: readonly string[] = ["content", "reasoning_details"];
const PART_TEXTS: readonly string[] = ["text", "summary", "thinking"];

export function createChatCompletionsMask(masks: AnswerMasks): WireMask {
  const texts = createOpenTexts(masks);
  const mask = createAroundMask(masks);

  function takeDelta(envelope: JsonObject, index: number, delta: JsonObject): JsonObject {
    const carry = (inner: JsonObject): OutgoingEvent => ({
      type: null,
      json: { ...envelope, choices: [{ index, delta: inner, finish_reason: null }] },
    });
    const masked: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(delta)) {
      if (typeof value === "string" && TEXTS.includes(name)) {
        masked[name] = texts.push(`${index} ${name}`, value, (text) => carry({ [name]: text }));
      } else if (LISTS.includes(name) && Array.isArray(value)) {
        masked[name] = takeParts(value, `${index} ${name}`, (list) => carry({ [name]: list }));
      } else if (name === "tool_calls" && Array.isArray(value)) {
        masked[name] = value.map((call, at) => takeCall(asObject(call), at, index, carry));
      } else if (name === "function_call" && isObject(value)) {
        masked[name] = takePart(value, "arguments", `${index} call`, "json", (inner) => carry({ [name]: inner }));
      } else if (name === "audio" && isObject(value)) {
        masked[name] = takePart(value, "transcript", `${index} audio`, "text", (inner) => carry({ [name]: inner }));
      } else {
        // Thinking that the upstream has sealed comes back to it as it was.
        masked[name] = name === "reasoning_opaque" && looksSealed(value) ? value : masks.json(value);
      }
    }
    return masked;
  }

  /** @param carry an event with a list that has more of one part's text */
  function takeParts(
    list: readonly unknown[],
    key: string,
    carry: (list: readonly unknown[]) => OutgoingEvent,
  ): readonly unknown[] {
    return list.map((value) => {
      if (!isObject(value)) return masks.json(value);
      const streams = ([name, inner]: [string, unknown]) =>
        PART_TEXTS.includes(name) && (typeof inner === "string" || Array.isArray(inner));
      const others = Object.fromEntries(Object.entries(value).filter((entry) => !streams(entry)));
      const around = masks.json(others) as JsonObject;
      const masked: Record<string, unknown> = { ...around };
      for (const [name, inner] of Object.entries(value).filter(streams)) {
        const place = `${key} ${countOrNull(value["index"]) ?? ""} ${name}`;
        const more = (rest: unknown) => carry([{ ...around, [name]: rest }]);
        masked[name] = Array.isArray(inner) ? takeParts(inner, place, more) : texts.push(place, inner as string, more);
      }
      return masked;
    });
  }

  /** An object of which one field streams. */
  function takePart(
    value: JsonObject,
    field: string,
    key: string,
    kind: "text" | "json",
    carry: (inner: JsonObject) => OutgoingEvent,
  ): JsonObject {
    const { [field]: text, ...others } = value;
    const masked = masks.json(others) as JsonObject;
    if (typeof text !== "string") return text === undefined ? masked : { ...masked, [field]: masks.json(text) };
    return { ...masked, [field]: texts.push(key, text, (rest) => carry({ [field]: rest }), kind) };
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
    const { arguments: _arguments, input: _input, ...others } = body;
    const masked = masks.json(others) as Record<string, unknown>;
    for (const name of ["arguments", "input"]) {
      const value = body[name];
      if (typeof value !== "string") continue;
      const more = (text: string) => carry({ tool_calls: [{ index: number, [place]: { [name]: text } }] });
      const kind = name === "arguments" ? "json" : "text";
      masked[name] = texts.push(`${choice} call ${number} ${name}`, value, more, kind);
    }
    const { [place]: _body, ...rest } = call;
    return { ...(masks.json(rest) as JsonObject), ...(call[place] === undefined ? {} : { [place]: masked }) };
  }

  return {
    take({ type, json }) {
      const before: OutgoingEvent[] = [];
      const { choices: _choices, ...others } = json;
      const envelope = mask(others);
      const choices = asArray(json["choices"]).map((value, at) => {
        const choice = asObject(value);
        const index = countOrNull(choice["index"]) ?? at;
        const masked: Record<string, unknown> = {};
        for (const [name, inner] of Object.entries(choice)) {
          const streams = (name === "delta" && isObject(inner)) || (name === "text" && typeof inner === "string");
          // `logprobs` spell the text out, token by token.
          masked[name] = streams ? inner : name === "logprobs" ? null : masks.json(inner);
        }
        if (isObject(choice["delta"])) masked["delta"] = takeDelta(envelope, index, choice["delta"]);
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
      return [...before, { type, json: json["choices"] === undefined ? envelope : { ...envelope, choices } }];
    },
    end: () => texts.close(""),
  };
}
