/**
 * Messages to the outside, at least once: written in the transaction of what they tell, claimed by one gateway at a time, and
 * claimed again when that gateway stops before it has said how the sending went.
 */
import { and, asc, eq, inArray, isNull, lt, lte, sql } from "drizzle-orm";
import { newId } from "../model/id.ts";
import type { Database, Queryable, Transaction } from "./database.ts";
import { outbox } from "./schema.ts";

export interface NewOutboxMessage {
  /** The notifier's name in the configuration. */
  readonly notifier: string;
  readonly kind: string;
  /** Masked; JSON. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
}

/** Queues messages. Call in the transaction that makes them true. */
export async function insertOutbox(tx: Transaction, rows: readonly NewOutboxMessage[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.insert(outbox).values(rows.map((row) => ({ id: newId(), ...row, nextAttemptAt: row.createdAt })));
}

export interface ClaimedMessage {
  /** Also the idempotency key: the same at every attempt. */
  readonly id: string;
  readonly notifier: string;
  readonly kind: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
  /** This one included, from 1. */
  readonly attempts: number;
}

export interface ClaimOptions {
  readonly notifier: string;
  readonly now: Date;
  /** Until then nobody else takes the claimed messages; past it they count as abandoned. */
  readonly leaseUntil: Date;
  readonly limit: number;
}

/** Takes the oldest messages that are due. Rows that another gateway is just taking are skipped, not waited for. */
export async function claimDueMessages(db: Database, options: ClaimOptions): Promise<readonly ClaimedMessage[]> {
  return db.transaction(async (tx) => {
    const due = await tx
      .select({ id: outbox.id })
      .from(outbox)
      .where(
        and(
          eq(outbox.notifier, options.notifier),
          isNull(outbox.sentAt),
          isNull(outbox.failedAt),
          lte(outbox.nextAttemptAt, options.now),
        ),
      )
      .orderBy(asc(outbox.nextAttemptAt), asc(outbox.id))
      .limit(options.limit)
      .for("update", { skipLocked: true });
    if (due.length === 0) return [];
    const claimed = await tx
      .update(outbox)
      .set({ nextAttemptAt: options.leaseUntil, attempts: sql`${outbox.attempts} + 1` })
      .where(
        inArray(
          outbox.id,
          due.map((row) => row.id),
        ),
      )
      .returning({
        id: outbox.id,
        notifier: outbox.notifier,
        kind: outbox.kind,
        payload: outbox.payload,
        createdAt: outbox.createdAt,
        attempts: outbox.attempts,
      });
    return claimed.sort((a, b) => (a.id < b.id ? -1 : 1));
  });
}

/** Only while the claim is still ours: after a lapsed lease another gateway's word counts. */
const isClaim = (message: ClaimedMessage) => and(eq(outbox.id, message.id), eq(outbox.attempts, message.attempts));

/** It was sent, whoever holds the claim by now. */
export async function markMessageSent(db: Queryable, message: ClaimedMessage, now: Date): Promise<void> {
  await db.update(outbox).set({ sentAt: now, lastError: null }).where(eq(outbox.id, message.id));
}

/** @param error one line for operators, without secrets */
export async function markMessageRetry(
  db: Queryable,
  message: ClaimedMessage,
  nextAttemptAt: Date,
  error: string,
): Promise<void> {
  await db.update(outbox).set({ nextAttemptAt, lastError: error }).where(isClaim(message));
}

/** Given back untried: the attempt does not count. */
export async function releaseMessage(db: Queryable, message: ClaimedMessage, nextAttemptAt: Date): Promise<void> {
  await db
    .update(outbox)
    .set({ nextAttemptAt, attempts: message.attempts - 1 })
    .where(isClaim(message));
}

/**
 * Gives up what is older than `before`, also what names a notifier that no gateway has any more. The last error stays.
 * @returns how many
 */
export async function expireMessages(db: Queryable, before: Date, now: Date): Promise<number> {
  const rows = await db
    .update(outbox)
    .set({
      failedAt: now,
      lastError: sql`coalesce(${outbox.lastError}, 'never tried: no gateway has a notifier of this name')`,
    })
    .where(and(isNull(outbox.sentAt), isNull(outbox.failedAt), lt(outbox.createdAt, before)))
    .returning({ id: outbox.id });
  return rows.length;
}

export interface OutboxDepth {
  readonly pending: number;
  readonly failed: number;
  /** When the oldest message that still waits was written. */
  readonly oldestPendingAt: Date | null;
}

export async function findOutboxDepth(db: Queryable): Promise<OutboxDepth> {
  const [row] = await db
    .select({
      pending: sql<number>`(count(*) filter (where ${outbox.sentAt} is null and ${outbox.failedAt} is null))::int`,
      failed: sql<number>`(count(*) filter (where ${outbox.failedAt} is not null))::int`,
      oldest: sql<
        string | null
      >`min(${outbox.createdAt}) filter (where ${outbox.sentAt} is null and ${outbox.failedAt} is null)`,
    })
    .from(outbox);
  const oldest = row?.oldest ?? null;
  return {
    pending: row?.pending ?? 0,
    failed: row?.failed ?? 0,
    oldestPendingAt: oldest === null ? null : new Date(oldest),
  };
}
