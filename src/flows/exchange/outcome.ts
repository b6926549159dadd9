import type { RecordedAnswer } from "../../copilot/answer-recorder.ts";
import { GatewayError } from "../../errors.ts";
import type { ExchangeEnd } from "./record.ts";
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
  const message = error instanceof GatewayError ? error.message : "The gateway failed before the upstream answered.";
  return { ...NOTHING, status: gone ? "client_gone" : "upstream_failed", error: message };
}

const CAPPED =
  "Not all of the answer is on record: it is longer than what is recorded of one, or its encoding is unknown.";

/** What the end of the bytes and what was read in them mean together. */
export function outcomeOf(
  { end }: RelayEnd,
  httpStatus: number,
  recorded: RecordedAnswer,
): Pick<ExchangeEnd, "status" | "error"> {
  if (end === "stopped") return { status: "refused", error: "The gateway ended this answer." };
  if (end === "client_gone") return { status: "client_gone", error: "The client left before the answer was whole." };
  if (httpStatus >= 400) return { status: "upstream_failed", error: `The upstream answered ${httpStatus}.` };
  if (recorded.outcome === "failed") return { status: "upstream_failed", error: recorded.error };
  if (recorded.capped) return { status: "truncated", error: CAPPED };
  if (end === "cut") return { status: "truncated", error: "The upstream broke the answer off." };
  if (recorded.outcome === "unfinished") return { status: "truncated", error: "The answer ended before its own end." };
  return { status: "complete", error: null };
}
