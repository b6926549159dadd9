/**
 * The messages of sessions. A conversation re-sends its history with each request: a message is stored once per session, by the
 * keyed hash of its masked content, and numbered; an exchange is the list of its messages' numbers. A table with a row for each
 * listed message would be larger than all that was said.
 */
import { and, asc, eq, inArray, sql } from "drizzle-orm";
import type { ExchangeStatus, Message, Part } from "../model/exchange.ts";
import type { Queryable } from "./database.ts";
import { insertMaskSightings } from "./mask-sightings.ts";
import { exchanges, messages, sessions } from "./schema.ts";

/** A masked message with the keyed hash of its content. */
export interface HashedMessage extends Message {
  readonly hash: Buffer;
}

export type Direction = "request" | "response";

/** Rows per statement: PostgreSQL takes 65,534 parameters. */
const BATCH = 2_000;

/** A session whose row is locked by the transaction at hand. */
export interface LockedSession {
  readonly id: string;
  /** How many messages it has: the next one's number. */
  readonly messageCount: number;
}

/** Locks a session's row until the transaction ends: exchanges of one session are recorded one by one. */
export async function lockSession(db: Queryable, id: string): Promise<LockedSession | null> {
  const [row] = await db
    .select({ id: sessions.id, messageCount: sessions.messageCount })
    .from(sessions)
    .where(eq(sessions.id, id))
    .for("update");
  return row ?? null;
}

/**
 * Stores what the session does not know yet.
 * @param session locked, by `openSession` or {@link lockSession}
 * @returns the messages' numbers, in order
 */
export async function storeMessages(
  db: Queryable,
  session: LockedSession,
  list: readonly HashedMessage[],
): Promise<number[]> {
  if (list.length === 0) return [];
  const unique = byHash(list);
  const numbers = session.messageCount === 0 ? new Map<string, number>() : await findNumbers(db, session.id, unique);
  let next = session.messageCount;
  const rows = [...unique].flatMap(([hash, message]) => {
    if (numbers.has(hash)) return [];
    const row = { sessionId: session.id, number: next, hash: message.hash, role: message.role, parts: message.parts };
    numbers.set(hash, next);
    next += 1;
    return [row];
  });
  for (let at = 0; at < rows.length; at += BATCH) await db.insert(messages).values(rows.slice(at, at + BATCH));
  await insertMaskSightings(db, session.id, rows);
  if (next > session.messageCount) {
    await db.update(sessions).set({ messageCount: next }).where(eq(sessions.id, session.id));
  }
  return list.map((message) => numbers.get(message.hash.toString("hex")) as number);
}

const byHash = (list: readonly HashedMessage[]): ReadonlyMap<string, HashedMessage> =>
  new Map(list.map((message) => [message.hash.toString("hex"), message]));

/** Each message once, in the order in which they first come up. */
export const uniqueMessages = (list: readonly HashedMessage[]): readonly HashedMessage[] => [...byHash(list).values()];

async function findNumbers(
  db: Queryable,
  sessionId: string,
  wanted: ReadonlyMap<string, HashedMessage>,
): Promise<Map<string, number>> {
  const numbers = new Map<string, number>();
  const hashes = [...wanted.values()].map(({ hash }) => hash);
  for (let at = 0; at < hashes.length; at += BATCH) {
    const rows = await db
      .select({ number: messages.number, hash: messages.hash })
      .from(messages)
      .where(and(eq(messages.sessionId, sessionId), inArray(messages.hash, hashes.slice(at, at + BATCH))));
    for (const row of rows) numbers.set(row.hash.toString("hex"), row.number);
  }
  return numbers;
}

/** A message as it came up in the conversation. */
export interface TranscriptMessage {
  /** Within the session. */
  readonly number: number;
  readonly exchangeId: string;
  readonly direction: Direction;
  readonly role: string;
  readonly parts: readonly Part[];
  /** When its exchange began. */
  readonly at: Date;
  readonly model: string | null;
  readonly status: ExchangeStatus;
  readonly interaction: string | null;
  readonly turn: number | null;
  readonly agentTask: string | null;
  readonly parentAgent: string | null;
}

/** The whole session in order, every message where it came up: what requests repeat of the history is left out. */
export async function findTranscript(db: Queryable, sessionId: string): Promise<readonly TranscriptMessage[]> {
  const rows = await db
    .select({
      exchangeId: exchanges.id,
      at: exchanges.startedAt,
      model: exchanges.model,
      status: exchanges.status,
      interaction: exchanges.interaction,
      turn: exchanges.turn,
      agentTask: exchanges.agentTask,
      parentAgent: exchanges.parentAgent,
      request: exchanges.requestMessages,
      response: exchanges.responseMessages,
    })
    .from(exchanges)
    .where(eq(exchanges.sessionId, sessionId))
    .orderBy(asc(exchanges.startedAt), asc(exchanges.id));
  const bodies = await db
    .select({ number: messages.number, role: messages.role, parts: messages.parts })
    .from(messages)
    .where(eq(messages.sessionId, sessionId));
  const byNumber = new Map(bodies.map((row) => [row.number, row]));
  const listed = rows.map(({ request, response, ...known }) => {
    const of = (direction: Direction, numbers: readonly number[]): TranscriptMessage[] =>
      numbers.flatMap((number) => {
        const body = byNumber.get(number);
        return body === undefined ? [] : [{ ...known, ...body, direction }];
      });
    return { request: of("request", request), response: of("response", response) };
  });
  return freshMessages(listed);
}

/** The full list of one exchange, in order: exactly what was sent, and what was answered. */
export async function findExchangeMessages(
  db: Queryable,
  exchangeId: string,
): Promise<{ readonly request: readonly Message[]; readonly response: readonly Message[] }> {
  const [exchange] = await db
    .select({
      sessionId: exchanges.sessionId,
      request: exchanges.requestMessages,
      response: exchanges.responseMessages,
    })
    .from(exchanges)
    .where(eq(exchanges.id, exchangeId));
  if (exchange === undefined) return { request: [], response: [] };
  const rows = await db
    .select({ number: messages.number, role: messages.role, parts: messages.parts })
    .from(messages)
    .innerJoin(exchanges, eq(exchanges.sessionId, messages.sessionId))
    .where(
      and(
        eq(exchanges.id, exchangeId),
        sql`${messages.number} = any(${exchanges.requestMessages} || ${exchanges.responseMessages})`,
      ),
    );
  const byNumber = new Map(rows.map((row) => [row.number, row]));
  const of = (numbers: readonly number[]): readonly Message[] =>
    numbers.flatMap((number) => {
      const body = byNumber.get(number);
      return body === undefined ? [] : [{ role: body.role as Message["role"], parts: body.parts }];
    });
  return { request: of(exchange.request), response: of(exchange.response) };
}

/** What is taken for repeated and what for new needs no more than this of a message. */
interface Listed {
  readonly number: number;
  readonly role: string;
}

/** How many earlier exchanges a request is compared with: sub-agents interleave, so the last one alone is not enough. */
const LOOK_BACK = 16;

/**
 * Drops what a request repeats. A request continues that earlier exchange of which it repeats the most; what stands after the
 * repeated part is new, even where the same words were said before. Prompts, tool lists and parameters are shown when first seen.
 */
export function freshMessages<T extends Listed>(
  list: readonly { readonly request: readonly T[]; readonly response: readonly T[] }[],
): readonly T[] {
  const seen = new Set<number>();
  const earlier: (readonly number[])[] = [];
  return list.flatMap((exchange) => {
    const fixed = exchange.request.filter((message) => isFixed(message) && !seen.has(message.number));
    const request = exchange.request.filter((message) => !isFixed(message));
    const repeated = Math.max(0, ...earlier.slice(-LOOK_BACK).map((history) => repeatedLength(history, request)));
    for (const message of fixed) seen.add(message.number);
    earlier.push([...request, ...exchange.response].map((message) => message.number));
    return [...fixed, ...request.slice(repeated), ...exchange.response];
  });
}

const isFixed = ({ role }: Listed): boolean => role === "system" || role === "developer";

/** How many messages at the request's start are in the history, in its order. Clients leave some out (reasoning, failed calls). */
function repeatedLength(history: readonly number[], request: readonly Listed[]): number {
  let at = 0;
  for (const [count, { number }] of request.entries()) {
    const found = history.indexOf(number, at);
    if (found === -1) return count;
    at = found + 1;
  }
  return request.length;
}
