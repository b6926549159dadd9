/**
 * Sends what the outbox holds. Each notifier has a lane of its own, so that a Slack that hangs delays no webhook.
 *
 * At least once: a message is marked as sent after the receiver took it, so a gateway killed between the two sends it again
 * (with the same id). Failures are tried again with exponential back-off and jitter; what an operator has to mend first
 * (a revoked token, a missing channel) is tried at a slow, steady pace, and its error stays readable in the outbox.
 */
import type { Logger } from "../model/log.ts";
import { parseNotification } from "../notify/message.ts";
import { NotifyError, type Notifier } from "../notify/notifier.ts";
import type { Database } from "../store/database.ts";
import {
  claimDueMessages,
  expireMessages,
  markMessageRetry,
  markMessageSent,
  releaseMessage,
  type ClaimedMessage,
} from "../store/outbox.ts";
import { createLoop, type Loop } from "./loop.ts";

export interface OutboxDependencies {
  readonly db: Database;
  readonly notifiers: readonly Notifier[];
  readonly log: Logger;
  readonly now: () => Date;
  /** 0..1, for the jitter; default Math.random. */
  readonly random?: () => number;
  readonly timing?: Partial<OutboxTiming>;
}

/** All in milliseconds. */
export interface OutboxTiming {
  /** How often a lane looks for messages that another gateway wrote or left behind. */
  readonly poll: number;
  /** How long a claim lasts. Longer than a batch can take, notifier's time-out included. */
  readonly lease: number;
  readonly firstRetry: number;
  readonly maxRetry: number;
  /** The pace for what only an operator can mend. */
  readonly permanentRetry: number;
  /** Older messages are given up. */
  readonly expiry: number;
}

const TIMING: OutboxTiming = {
  poll: 5_000,
  lease: 120_000,
  firstRetry: 2_000,
  maxRetry: 5 * 60_000,
  permanentRetry: 10 * 60_000,
  expiry: 24 * 60 * 60_000,
};

/** Small enough that a batch with slow answers ends before its lease does. */
const BATCH = 8;

/** The longest that one message's failure holds up the others, unless the receiver asks for more. */
const MAX_REST_MS = 30_000;

/** `wake` it after a transaction that wrote a message. `stop` lets the sends under way end. */
export function createOutboxJob(deps: OutboxDependencies): Loop {
  const timing = { ...TIMING, ...deps.timing };
  const random = deps.random ?? Math.random;
  let isRunning = false;

  const after = (ms: number): Date => new Date(deps.now().getTime() + ms);

  /** Between half and the whole of the step, so that many gateways do not come back in step. */
  const backOff = (attempts: number): number => {
    const step = Math.min(timing.maxRetry, timing.firstRetry * 2 ** Math.min(attempts - 1, 20));
    return step / 2 + (step / 2) * random();
  };

  const pauseAfter = (error: NotifyError, attempts: number): number => {
    const own = error.isPermanent ? timing.permanentRetry : backOff(attempts);
    return Math.max(own, error.retryAfterMs ?? 0);
  };

  /** @returns null to go on at once, otherwise how long the lane's other messages should wait, in milliseconds */
  const attempt = async (notifier: Notifier, message: ClaimedMessage): Promise<number | null> => {
    try {
      const notification = parseNotification({ ...message.payload, kind: message.kind });
      if (!notification.ok) throw new NotifyError(notification.error, { isPermanent: true });
      await notifier.send({ id: message.id, createdAt: message.createdAt, notification: notification.value });
    } catch (error) {
      const failure =
        error instanceof NotifyError ? error : new NotifyError("the notifier broke while sending", { cause: error });
      const pause = pauseAfter(failure, message.attempts);
      await markMessageRetry(deps.db, message, after(pause), failure.message);
      deps.log.warn(
        { notifier: notifier.name, message: message.id, attempts: message.attempts, reason: failure.message },
        "a message could not be sent; it will be tried again",
      );
      // What is wrong with one message or one setting is answered fast, and says nothing about the next message. A receiver
      // that is down or asks for a pause would cost each of them a time-out.
      return failure.isPermanent ? null : Math.max(failure.retryAfterMs ?? 0, Math.min(pause, MAX_REST_MS));
    }
    await markMessageSent(deps.db, message, deps.now());
    return null;
  };

  /** @returns whether there may be more to send at once */
  const drainBatch = async (notifier: Notifier): Promise<boolean> => {
    const claimed = await claimDueMessages(deps.db, {
      notifier: notifier.name,
      now: deps.now(),
      leaseUntil: after(timing.lease),
      limit: BATCH,
    });
    let rest: number | null = null;
    for (const message of claimed) {
      if (rest !== null || !isRunning) await releaseMessage(deps.db, message, after(rest ?? 0));
      else rest = await attempt(notifier, message);
    }
    return rest === null && claimed.length === BATCH;
  };

  const drain = async (notifier: Notifier): Promise<void> => {
    let isMore = true;
    while (isMore) isMore = isRunning && (await drainBatch(notifier));
  };

  const expire = async (): Promise<void> => {
    const count = await expireMessages(deps.db, after(-timing.expiry), deps.now());
    if (count > 0) deps.log.error({ count }, "messages were given up: see outbox.last_error");
  };

  const lane = (name: string, run: () => Promise<void>): Loop =>
    createLoop({ name: `outbox ${name}`, everyMs: timing.poll, run, log: deps.log });
  // A database that is away ends a round with an error; what was claimed comes back when its lease ends.
  const lanes = deps.notifiers.map((notifier) => lane(notifier.name, () => drain(notifier)));
  const expiry = lane("expiry", expire);

  return {
    start: () => {
      isRunning = true;
      for (const loop of [...lanes, expiry]) loop.start();
    },
    wake: () => {
      for (const loop of lanes) loop.wake();
    },
    stop: async () => {
      isRunning = false;
      await Promise.all([...lanes, expiry].map((loop) => loop.stop()));
    },
  };
}
