/**
 * What a person may ask a model for: which models, how much at once, how often. Refused with 400 and not 429: clients try a 429 again
 * five times and more before they show its text, or show nothing of it.
 */
import type { CopilotConnection } from "../../model/connection.ts";
import { formatByteSize } from "../../model/byte-size.ts";
import { escapeLine } from "../../model/printable.ts";
import type { Principal } from "../../model/principal.ts";
import { limitOf, mayUseModel } from "../../policy/models.ts";
import { takeToken, type TokenBucket } from "../../policy/token-bucket.ts";
import type { Refusal } from "./refusals.ts";

export interface AskedFor {
  readonly principal: Principal;
  readonly connection: CopilotConnection;
  /** Undefined: it is no question to a model. */
  readonly model: string | null | undefined;
  readonly requestBytes: number;
}

export interface Admission {
  /** @returns why it goes no further, or what is to be called when its answer has ended */
  admit(asked: AskedFor): { readonly refusal: Refusal } | { readonly release: () => void };
}

/** Counted here, by each gateway for itself: a limit is no wall, and no request waits for a count that gateways share. */
export function createAdmission(deps: { readonly now: () => Date }): Admission {
  const buckets = new Map<string, TokenBucket>();
  const running = new Map<string, number>();

  function forgetFull(nowMs: number): void {
    if (buckets.size < MOST_BUCKETS) return;
    for (const [key, { atMs }] of buckets) if (nowMs - atMs > FULL_AGAIN_MS) buckets.delete(key);
  }

  return {
    admit({ principal, connection, model, requestBytes }) {
      const { policy, name } = connection;
      if (model !== undefined && !mayUseModel(principal, model, policy.models)) {
        return { refusal: modelNotAllowed(model, name) };
      }
      const limit = limitOf(principal, policy.limits);
      if (limit === null) return { release: () => {} };
      if (limit.requestBytes !== null && requestBytes > limit.requestBytes) {
        return { refusal: tooLarge(requestBytes, limit.requestBytes) };
      }
      const key = `${principal.id} ${name}`;
      const streams = running.get(key) ?? 0;
      if (limit.streams !== null && streams >= limit.streams) return { refusal: tooMany(limit.streams) };
      if (limit.requestsPerMinute !== null) {
        const nowMs = deps.now().getTime();
        const { bucket, waitMs } = takeToken(buckets.get(key) ?? null, limit.requestsPerMinute, nowMs);
        forgetFull(nowMs);
        buckets.set(key, bucket);
        if (waitMs > 0) return { refusal: tooOften(limit.requestsPerMinute, waitMs) };
      }
      running.set(key, streams + 1);
      let isOver = false;
      const release = (): void => {
        if (isOver) return;
        isOver = true;
        const left = (running.get(key) ?? 1) - 1;
        if (left > 0) running.set(key, left);
        else running.delete(key);
      };
      return { release };
    },
  };
}

const MOST_BUCKETS = 10_000;
/** A bucket is full after a minute, and then says nothing. */
const FULL_AGAIN_MS = 60_000;

const modelNotAllowed = (model: string | null, connection: string): Refusal => ({
  httpStatus: 400,
  code: "model_not_allowed",
  message:
    model === null
      ? `This request names no model, and ${connection} is open for some models only. Choose one in your client.`
      : `You may not use the model ${escapeLine(model, 80)} on ${connection}. Choose another one in your client, or ask whoever runs this gateway.`,
});

const tooLarge = (bytes: number, most: number): Refusal => ({
  httpStatus: 400,
  code: "limit_exceeded",
  message: `This request has ${formatByteSize(bytes)}, and yours may have ${formatByteSize(most)}. Start a new conversation, or take something out of its context.`,
});

const tooMany = (most: number): Refusal => ({
  httpStatus: 400,
  code: "limit_exceeded",
  message: `You have ${most} answers running, which is as many as you may have at once. Wait until one has ended.`,
});

const tooOften = (perMinute: number, waitMs: number): Refusal => ({
  httpStatus: 400,
  code: "rate_limited",
  message: `You may send ${perMinute} requests a minute here. Try again in ${Math.ceil(waitMs / 1_000)} s.`,
  retryAfterS: Math.ceil(waitMs / 1_000),
});
