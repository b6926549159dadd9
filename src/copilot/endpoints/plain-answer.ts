/** Answers that are one JSON value, or a stream of them, of no conversation: what is said of each is up to its format. */
import type { Message } from "../../model/exchange.ts";
import { asObject, countOrNull, parseObject, textOrNull } from "../json-value.ts";
import { type AnswerAssembler, type AssembledAnswer, EMPTY_ANSWER } from "./endpoint.ts";

/** Of a stream on a path that nothing is known about, this many events are kept. */
const MAX_EVENTS = 500;

export interface PlainAnswer {
  /** What to keep of one value. */
  readonly describe: (json: unknown) => readonly Message[];
  /** Ids that it gives out. */
  readonly issued?: (json: unknown) => readonly string[];
}

export function createPlainAssembler({ describe, issued }: PlainAnswer): AnswerAssembler {
  const messages: Message[] = [];
  const ids: string[] = [];
  let usage: Pick<AssembledAnswer, "model" | "inputTokens"> = { model: null, inputTokens: null };
  let events = 0;

  function take(json: unknown): void {
    messages.push(...describe(json));
    ids.push(...(issued?.(json) ?? []));
    const body = asObject(json);
    const inputTokens = countOrNull(asObject(body["usage"])["prompt_tokens"]) ?? countOrNull(body["input_tokens"]);
    usage = { model: textOrNull(body["model"]) ?? usage.model, inputTokens: inputTokens ?? usage.inputTokens };
  }

  return {
    takeEvent(event) {
      events += 1;
      if (events <= MAX_EVENTS && event.data !== "[DONE]") take(parseObject(event.data));
    },
    takeBody: take,
    result: () => ({ ...EMPTY_ANSWER, ...usage, messages, issuedIds: ids }),
  };
}
