/** One Copilot request and its answer: begun before the upstream is contacted, finished when the answer has ended. */
import { and, desc, eq, exists, gte, isNull, lt, ne, notInArray, or, sql, type SQL } from "drizzle-orm";
import type { TimingPoint } from "../model/answer-timing.ts";
import type { ExchangeStatus, WireFormat } from "../model/exchange.ts";
import { isId } from "../model/id.ts";
import { encodeTiming } from "./answer-timing.ts";
import type { Queryable } from "./database.ts";
import { containsText, type Page } from "./exchange-filters.ts";
import { exchanges, gateways, messages, principals } from "./schema.ts";

/** All texts are masked by the caller. */
export interface NewExchange {
  readonly id: string;
  readonly sessionId: string;
  readonly principalId: string;
  readonly connection: string;
  readonly format: WireFormat;
  readonly method: string;
  /** Below the connection, without query and tokens. */
  readonly path: string;
  readonly model: string | null;
  readonly interaction: string | null;
  readonly agentTask: string | null;
  readonly parentAgent: string | null;
  readonly initiator: string | null;
  /** How many prompts the conversation had by then; null where it is none. */
  readonly turn: number | null;
  readonly userAgent: string;
  readonly status: ExchangeStatus;
  /** The code of a refusal. */
  readonly refusal: string | null;
  readonly streamed: boolean | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly httpStatus: number | null;
  readonly requestBytes: number;
  readonly masked: Readonly<Record<string, number>>;
  /** What went to the upstream was masked as the record is. */
  readonly requestMasked: boolean;
  readonly error: string | null;
}

/** What is kept of an exchange beside what is told of it. */
export interface ExchangeLinks {
  /** The gateway that has it in hand. */
  readonly gateway: string | null;
  /** The numbers of its messages within the session. */
  readonly requestMessages: readonly number[];
  /** The keyed hash of the conversation up to the request's end, where the client names no conversation. */
  readonly history: Buffer | null;
}

/** @returns false where it is there already */
export async function insertExchange(db: Queryable, exchange: NewExchange & ExchangeLinks): Promise<boolean> {
  const rows = await db
    .insert(exchanges)
    .values({ ...exchange, requestMessages: [...exchange.requestMessages] })
    .onConflictDoNothing()
    .returning({ id: exchanges.id });
  return rows.length > 0;
}

/** The session of an exchange; null where there is no such exchange. */
export async function findSessionOf(db: Queryable, id: string): Promise<string | null> {
  const [row] = await db.select({ sessionId: exchanges.sessionId }).from(exchanges).where(eq(exchanges.id, id));
  return row?.sessionId ?? null;
}

export interface ExchangeOutcome {
  readonly status: Exclude<ExchangeStatus, "open">;
  readonly httpStatus: number | null;
  /** The model that answered, where the answer says so. */
  readonly model: string | null;
  readonly firstByteAt: Date | null;
  readonly finishedAt: Date;
  readonly responseBytes: number;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** Those of the request that the upstream had in its cache. */
  readonly cachedTokens: number | null;
  readonly upstreamRequestId: string | null;
  /** The code of a refusal. */
  readonly refusal: string | null;
  /** All masked places of the exchange, those of the request included. */
  readonly masked: Readonly<Record<string, number>>;
  /** What the client got was masked as the record is. */
  readonly answerMasked: boolean;
  readonly historyAfter: Buffer | null;
  readonly error: string | null;
  /** How the answer came; absent where it did not stream. */
  readonly timing?: readonly TimingPoint[] | undefined;
}

/** The error of an exchange that {@link closeAbandonedExchanges} has closed. */
export const ABANDONED = "The gateway stopped while this answer was streaming; how it ended is not known.";

/**
 * Closes an open exchange. One that {@link closeAbandonedExchanges} closed too early (its answer streamed on) is put right.
 * @param responseMessages their numbers within the session
 * @returns false where it was finished before
 */
export async function finishExchange(
  db: Queryable,
  id: string,
  outcome: ExchangeOutcome,
  responseMessages: readonly number[],
): Promise<boolean> {
  const { model, timing = [], ...values } = outcome;
  const rows = await db
    .update(exchanges)
    .set({
      ...values,
      responseMessages: [...responseMessages],
      timing: timing.length === 0 ? null : encodeTiming(timing),
      model: sql`coalesce(${exchanges.model}, ${model})`,
    })
    .where(and(eq(exchanges.id, id), or(eq(exchanges.status, "open"), eq(exchanges.error, ABANDONED))))
    .returning({ id: exchanges.id });
  return rows.length > 0;
}

/** Says that a gateway is there. */
export async function touchGateway(db: Queryable, id: string, now: Date): Promise<void> {
  await db
    .insert(gateways)
    .values({ id, seenAt: now })
    .onConflictDoUpdate({ target: gateways.id, set: { seenAt: now } });
}

/** A gateway forgotten for so long is not told of any more. */
const FORGET_MS = 24 * 60 * 60_000;

/**
 * Closes what gateways left open that are not there any more: this one before it was started again, and those that nobody has
 * seen since `unseenSince`.
 * @param own this gateway, and when it was started
 * @returns how many
 */
export async function closeAbandonedExchanges(
  db: Queryable,
  own: { readonly id: string; readonly startedAt: Date },
  unseenSince: Date,
): Promise<number> {
  const there = db.select({ id: gateways.id }).from(gateways).where(gte(gateways.seenAt, unseenSince));
  const rows = await db
    .update(exchanges)
    .set({ status: "truncated", error: ABANDONED })
    .where(
      and(
        eq(exchanges.status, "open"),
        or(
          and(eq(exchanges.gateway, own.id), lt(exchanges.startedAt, own.startedAt)),
          and(ne(exchanges.gateway, own.id), notInArray(exchanges.gateway, there)),
          // Of a version that did not say whose it is.
          and(isNull(exchanges.gateway), lt(exchanges.startedAt, unseenSince)),
        ),
      ),
    )
    .returning({ id: exchanges.id });
  await db.delete(gateways).where(lt(gateways.seenAt, new Date(unseenSince.getTime() - FORGET_MS)));
  return rows.length;
}

export interface ExchangeRecord extends NewExchange {
  readonly user: string;
  readonly userKind: "person" | "service";
  readonly firstByteAt: Date | null;
  readonly responseBytes: number;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedTokens: number | null;
  readonly upstreamRequestId: string | null;
  readonly answerMasked: boolean;
}

export interface ExchangeFilter {
  /** An e-mail address (without case) or a principal's id. */
  readonly user?: string;
  readonly session?: string;
  readonly since?: Date;
  readonly until?: Date;
  readonly connection?: string;
  readonly status?: string;
  readonly model?: string;
  /** Text in any of its messages. */
  readonly q?: string;
  readonly cursor?: string;
  /** 1..200; 50 by default. */
  readonly limit?: number;
}

const columns = {
  id: exchanges.id,
  sessionId: exchanges.sessionId,
  principalId: exchanges.principalId,
  user: principals.email,
  userKind: principals.kind,
  connection: exchanges.connection,
  format: exchanges.format,
  method: exchanges.method,
  path: exchanges.path,
  model: exchanges.model,
  interaction: exchanges.interaction,
  agentTask: exchanges.agentTask,
  parentAgent: exchanges.parentAgent,
  initiator: exchanges.initiator,
  turn: exchanges.turn,
  userAgent: exchanges.userAgent,
  status: exchanges.status,
  refusal: exchanges.refusal,
  httpStatus: exchanges.httpStatus,
  streamed: exchanges.streamed,
  startedAt: exchanges.startedAt,
  firstByteAt: exchanges.firstByteAt,
  finishedAt: exchanges.finishedAt,
  requestBytes: exchanges.requestBytes,
  responseBytes: exchanges.responseBytes,
  inputTokens: exchanges.inputTokens,
  outputTokens: exchanges.outputTokens,
  cachedTokens: exchanges.cachedTokens,
  upstreamRequestId: exchanges.upstreamRequestId,
  masked: exchanges.masked,
  requestMasked: exchanges.requestMasked,
  answerMasked: exchanges.answerMasked,
  error: exchanges.error,
};

export async function findExchange(db: Queryable, id: string): Promise<ExchangeRecord | null> {
  if (!isId(id)) return null;
  const [row] = await db
    .select(columns)
    .from(exchanges)
    .innerJoin(principals, eq(principals.id, exchanges.principalId))
    .where(eq(exchanges.id, id));
  return row ?? null;
}

/** Exchanges, the newest first (ids are time-ordered). The cursor is the last id of a page. */
export async function listExchanges(db: Queryable, filter: ExchangeFilter): Promise<Page<ExchangeRecord>> {
  const limit = Math.min(Math.max(filter.limit ?? 50, 1), 200);
  const rows = await db
    .select(columns)
    .from(exchanges)
    .innerJoin(principals, eq(principals.id, exchanges.principalId))
    .where(and(...conditions(db, filter)))
    .orderBy(desc(exchanges.id))
    .limit(limit + 1);
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
}

function conditions(db: Queryable, filter: ExchangeFilter): (SQL | undefined)[] {
  const { user, session, since, until, connection, status, model, q, cursor } = filter;
  const never = sql`false`;
  return [
    user && (isId(user) ? eq(exchanges.principalId, user) : sql`lower(${principals.email}) = lower(${user})`),
    session && (isId(session) ? eq(exchanges.sessionId, session) : never),
    since && gte(exchanges.startedAt, since),
    until && lt(exchanges.startedAt, until),
    connection && eq(exchanges.connection, connection),
    status && sql`${exchanges.status} = ${status}`,
    model && eq(exchanges.model, model),
    q &&
      exists(
        db
          .select({ one: sql`1` })
          .from(messages)
          .where(
            and(
              eq(messages.sessionId, exchanges.sessionId),
              sql`${messages.number} = any(${exchanges.requestMessages} || ${exchanges.responseMessages})`,
              containsText(messages.parts, q),
            ),
          ),
      ),
    cursor && (isId(cursor) ? lt(exchanges.id, cursor) : undefined),
  ].map((condition) => (typeof condition === "object" ? condition : undefined));
}
