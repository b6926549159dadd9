/**
 * A session for its page: all of its exchanges without what was said, and what was said in some of them. Texts are cut where they
 * are read: what a session holds is not bounded, what a page takes out of the database is.
 */
import { and, asc, eq, inArray, sql } from "drizzle-orm";
import type { TimingPoint } from "../model/answer-timing.ts";
import type { ExchangeStatus, Part } from "../model/exchange.ts";
import { decodeTiming } from "./answer-timing.ts";
import type { Queryable } from "./database.ts";
import { freshMessages, type Direction } from "./messages.ts";
import { exchanges, messages } from "./schema.ts";

/** An exchange without what was said in it. */
export interface SessionExchange {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly model: string | null;
  readonly agentTask: string | null;
  readonly parentAgent: string | null;
  readonly status: ExchangeStatus;
  readonly httpStatus: number | null;
  readonly error: string | null;
  readonly startedAt: Date;
  readonly firstByteAt: Date | null;
  readonly finishedAt: Date | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedTokens: number | null;
  /** How the answer came; empty where it did not stream, and outside of what was asked for. */
  readonly timing: readonly TimingPoint[];
  /** Somebody typed something that no exchange before it held. */
  readonly hasPrompt: boolean;
}

/** A part whose text may be cut: `length` is then the whole one's, in characters. */
export type CutPart = Part & { readonly length?: number };

/** A message where it came up in the conversation. */
export interface ReplayMessage {
  readonly exchangeId: string;
  readonly direction: Direction;
  readonly role: string;
  readonly parts: readonly CutPart[];
}

export interface Replay {
  readonly exchanges: readonly SessionExchange[];
  /** Of the exchanges that were asked for and those near them. */
  readonly transcript: readonly ReplayMessage[];
}

/** More than anybody reads: what comes after is not on the page. */
const MAX_EXCHANGES = 5_000;
/** Exchanges around those asked for whose messages are read, too: a tool's result comes with one of the next requests. */
const NEAR = 8;
/** Characters of one part, and of a call's arguments, which diffs are made of. */
const PART = 20_000;
const ARGUMENTS = 60_000;
const PARTS = 300;
/** Bytes of messages that are read so; of those after them only the beginnings. */
const BUDGET = 8 * 1024 * 1024;
const MESSAGES = 2_000;

/**
 * @param choose which of the exchanges are shown, by their place in the list: `from` included, `to` not
 */
export async function findReplay(
  db: Queryable,
  sessionId: string,
  choose: (exchanges: readonly { readonly id: string }[]) => { readonly from: number; readonly to: number },
): Promise<Replay> {
  const [rows, known] = await Promise.all([
    db
      .select({
        id: exchanges.id,
        method: exchanges.method,
        path: exchanges.path,
        model: exchanges.model,
        agentTask: exchanges.agentTask,
        parentAgent: exchanges.parentAgent,
        status: exchanges.status,
        httpStatus: exchanges.httpStatus,
        error: exchanges.error,
        startedAt: exchanges.startedAt,
        firstByteAt: exchanges.firstByteAt,
        finishedAt: exchanges.finishedAt,
        inputTokens: exchanges.inputTokens,
        outputTokens: exchanges.outputTokens,
        cachedTokens: exchanges.cachedTokens,
        timing: exchanges.timing,
        request: exchanges.requestMessages,
        response: exchanges.responseMessages,
      })
      .from(exchanges)
      .where(eq(exchanges.sessionId, sessionId))
      .orderBy(asc(exchanges.startedAt), asc(exchanges.id))
      .limit(MAX_EXCHANGES),
    db
      .select({
        number: messages.number,
        role: messages.role,
        isPrompt: sql<boolean>`case when ${messages.role} = 'user' then ${messages.parts} @> '[{"type":"text"}]' else false end`,
      })
      .from(messages)
      .where(eq(messages.sessionId, sessionId)),
  ]);
  const byNumber = new Map(known.map((message) => [message.number, message]));
  const listed = rows.map(({ id, request, response }) => {
    const of = (direction: Direction, numbers: readonly number[]) =>
      numbers.flatMap((number) => {
        const message = byNumber.get(number);
        return message === undefined ? [] : [{ ...message, exchangeId: id, direction }];
      });
    return { request: of("request", request), response: of("response", response) };
  });
  const fresh = freshMessages(listed);
  const prompted = new Set(
    fresh.filter((message) => message.isPrompt && message.direction === "request").map(({ exchangeId }) => exchangeId),
  );

  const { from, to } = choose(rows);
  // The turn that goes on at the page's beginning is named by its prompt.
  const begun = rows.slice(0, from).findLastIndex(({ id }) => prompted.has(id));
  const near = new Set(
    rows.filter((_, index) => index === begun || (index >= from - NEAR && index < to + NEAR)).map(({ id }) => id),
  );
  const shown = fresh.filter(({ exchangeId }) => near.has(exchangeId)).slice(0, MESSAGES);
  const bodies = await findCutParts(db, sessionId, [...new Set(shown.map(({ number }) => number))]);
  return {
    exchanges: rows.map(({ request: _request, response: _response, ...row }, index) => ({
      ...row,
      timing: row.timing === null || index < from || index >= to ? [] : decodeTiming(row.timing),
      hasPrompt: prompted.has(row.id),
    })),
    transcript: shown.map(({ exchangeId, direction, role, number }) => ({
      exchangeId,
      direction,
      role,
      parts: bodies.get(number) ?? [],
    })),
  };
}

async function findCutParts(
  db: Queryable,
  sessionId: string,
  numbers: readonly number[],
): Promise<ReadonlyMap<number, readonly CutPart[]>> {
  if (numbers.length === 0) return new Map();
  const sizes = await db
    .select({ number: messages.number, bytes: sql<number>`octet_length(${messages.parts}::text)` })
    .from(messages)
    .where(and(eq(messages.sessionId, sessionId), inArray(messages.number, [...numbers])));
  const bytesOf = new Map(sizes.map(({ number, bytes }) => [number, bytes]));
  let left = BUDGET;
  const [whole, beginnings]: [number[], number[]] = [[], []];
  for (const number of numbers) {
    (left > 0 ? whole : beginnings).push(number);
    left -= Math.min(bytesOf.get(number) ?? 0, 4 * PART);
  }
  const read = (list: readonly number[], limits: Limits) =>
    list.length === 0
      ? []
      : db
          .select({ number: messages.number, parts: cutParts(limits) })
          .from(messages)
          .where(and(eq(messages.sessionId, sessionId), inArray(messages.number, [...list])));
  const rows = await Promise.all([
    read(whole, { part: PART, arguments: ARGUMENTS, parts: PARTS }),
    read(beginnings, { part: 200, arguments: 200, parts: 10 }),
  ]);
  return new Map(rows.flat().map(({ number, parts }) => [number, parts]));
}

interface Limits {
  readonly part: number;
  readonly arguments: number;
  readonly parts: number;
}

/** A message's parts with their texts cut, each beside its length. */
const cutParts = (limits: Limits) => sql<readonly CutPart[]>`(
  select coalesce(jsonb_agg(
    case when part ->> 'type' = 'tool_call'
      then part || jsonb_build_object(
        'arguments', left(part ->> 'arguments', ${limits.arguments}::int), 'length', length(part ->> 'arguments'))
      else part || jsonb_build_object('text', left(part ->> 'text', ${limits.part}::int), 'length', length(part ->> 'text'))
    end order by place), '[]'::jsonb)
  from jsonb_array_elements(${messages.parts}) with ordinality as listed (part, place)
  where place <= ${limits.parts}::int)`;
