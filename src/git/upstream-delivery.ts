/**
 * A push sent to its upstream, and what is known when that fails.
 *
 * A ref can only have moved once the upstream holds the last byte: receive-pack acts when it has the whole pack (or, with
 * nothing but deletions, the whole command section; it does not wait for the end of the HTTP body). So a failure before
 * that byte was written is `not_delivered` for sure; after it, without an answer, `unknown`.
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { GatewayError, type GatewayErrorCode } from "../errors.ts";
import { PushAnswer } from "./push-answer.ts";
import type { PushReport } from "./report-status.ts";
import { describeFailure, dropResponse, type OpenRequest } from "./upstream-request.ts";

export type DeliveryOutcome = "not_delivered" | "unknown";

export class DeliveryError extends GatewayError {
  readonly outcome: DeliveryOutcome;

  constructor(code: GatewayErrorCode, message: string, outcome: DeliveryOutcome, options?: { cause?: unknown }) {
    super(code, message, options);
    this.name = "DeliveryError";
    this.outcome = outcome;
  }
}

export interface DeliveredPush {
  readonly report: PushReport;
  /** The upstream's own messages (band 2), at most 64 KiB of lines. */
  readonly messages: readonly string[];
}

export interface DeliveryContext {
  readonly open: () => OpenRequest;
  readonly connection: string;
  readonly signal: AbortSignal | undefined;
  readonly head: Buffer;
  readonly pack: Readable | null;
  readonly onMessage?: (text: string) => void;
  /** What is wrong with the answer's status or type; null for nothing. */
  readonly check: (response: IncomingMessage) => GatewayError | null;
}

/** Statuses of proxies that gave up waiting: the server behind them may have gone on. */
const GAVE_UP = new Set([408, 499]);

/** @throws DeliveryError */
export async function deliverToUpstream(context: DeliveryContext): Promise<DeliveredPush> {
  const progress = { isComplete: false };
  const { request, response: answer, connected } = context.open();
  try {
    // Before there is a connection, "written" means nothing.
    const sending = connected.then(() => sendBody(request, context, progress));
    // Whichever fails first counts: a pack that cannot be read, or an upstream that is gone.
    const response = await Promise.race([answer, sending.then(() => answer)]);
    const failure = context.check(response);
    if (failure !== null) {
      const status = response.statusCode ?? 0;
      const isRefusal = status >= 300 && status < 500 && !GAVE_UP.has(status);
      dropResponse(response);
      throw withOutcome(failure, progress.isComplete && !isRefusal ? "unknown" : "not_delivered");
    }
    return await readAnswer(response, context);
  } catch (error) {
    // Nothing more may be written from here on: what the outcome says depends on what was.
    request.destroy();
    context.pack?.destroy();
    if (error instanceof DeliveryError) throw error;
    const failure = error instanceof GatewayError ? error : describeFailure(error, context.connection, context.signal);
    throw withOutcome(failure, progress.isComplete ? "unknown" : "not_delivered");
  }
}

const withOutcome = (error: GatewayError, outcome: DeliveryOutcome): DeliveryError =>
  new DeliveryError(error.code, error.message, outcome, { cause: error });

/** Holds each chunk back until the next one is there, so that the last one is known before it is written. */
async function sendBody(
  request: ClientRequest,
  context: DeliveryContext,
  progress: { isComplete: boolean },
): Promise<void> {
  let last = context.head;
  try {
    for await (const chunk of context.pack ?? []) {
      if (request.destroyed) return;
      if (!request.write(last)) await drained(request);
      // A Readable of bytes yields Buffers; its type does not say so.
      last = chunk as Buffer;
    }
  } catch (cause) {
    request.destroy();
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError("storage_failed", "the pack could not be read from the quarantine", { cause });
  }
  if (request.destroyed) return;
  progress.isComplete = true;
  request.end(last);
}

const drained = (request: ClientRequest): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      request.off("drain", done);
      request.off("close", done);
      resolve();
    };
    request.once("drain", done);
    request.once("close", done);
  });

async function readAnswer(response: IncomingMessage, context: DeliveryContext): Promise<DeliveredPush> {
  const answer = new PushAnswer(context.onMessage);
  try {
    for await (const chunk of response) answer.push(chunk as Buffer);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    // The connection broke, but the report may have come whole; then what happened is known.
    try {
      return answer.finish();
    } catch {
      throw describeFailure(error, context.connection, context.signal);
    }
  }
  return answer.finish();
}
