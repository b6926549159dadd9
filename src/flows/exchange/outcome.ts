import type { AnswerSummary } from "../../copilot/answer-reader.ts";
import { GatewayError } from "../../errors.ts";
import type { StopReason } from "../stopping.ts";
import type { ExchangeEnd } from "./record.ts";
import { type Refusal, stopped } from "./refusals.ts";
import type { RelayEnd } from "./relay.ts";

/** What is known of an exchange that never had an answer. */
export const NOTHING = {
  firstByteAt: null,
  responseBytes: 0,
  answer: null,
  upstreamRequestId: null,
  httpStatus: null,
  refusal: null,
  answerMasked: false,
  error: null,
} as const;

export function failedEnd(error: unknown): ExchangeEnd {
  const gone = error instanceof GatewayError && error.code === "client_gone";
  const message = error instanceof GatewayError ? error.message : "The gateway failed while it handled this exchange.";
  return { ...NOTHING, status: gone ? "client_gone" : "upstream_failed", error: message };
}

const CAPPED =
  "Not all of the answer is on record: it is longer than what is recorded of one, or its encoding is unknown.";

/** What the end of the bytes and what was read in them mean together. */
export function outcomeOf(
  { end }: Pick<RelayEnd, "end">,
  httpStatus: number,
  recorded: Pick<AnswerSummary, "outcome" | "error" | "capped">,
): Pick<ExchangeEnd, "status" | "error"> {
  if (end === "client_gone") return { status: "client_gone", error: "The client left before the answer was whole." };
  if (httpStatus >= 400) return { status: "upstream_failed", error: `The upstream answered ${httpStatus}.` };
  if (recorded.outcome === "failed") return { status: "upstream_failed", error: recorded.error };
  if (recorded.capped) return { status: "truncated", error: CAPPED };
  if (end === "cut") return { status: "truncated", error: "The upstream broke the answer off." };
  if (recorded.outcome === "unfinished") return { status: "truncated", error: "The answer ended before its own end." };
  return { status: "complete", error: null };
}

/** Somebody has stopped the person or the session: what the client is told, where it can still be told anything, and what is recorded. */
export interface StoppedExchange {
  readonly refusal: Refusal;
  readonly end: Pick<ExchangeEnd, "status" | "refusal" | "error">;
}

export function endOfStop(stop: StopReason): StoppedExchange {
  const refusal = stopped(stop);
  return { refusal, end: { status: "refused", refusal: refusal.code, error: refusal.message } };
}

/** @param signal of the gate; null where nobody has stopped it */
export const stoppedBy = (signal: AbortSignal): StoppedExchange | null =>
  signal.aborted ? endOfStop(signal.reason as StopReason) : null;
