/**
 * The messages of sessions. A conversation re-sends its history with each request: a message is stored once per session, by the
 * keyed hash of its masked content, and an exchange is the list of its messages.
 */
import { and, asc, eq, inArray } from "drizzle-orm";
import { newId } from "../model/id.ts";
import type { ExchangeStatus, Message, Part } from "../model/exchange.ts";
import type { Queryable } from "./database.ts";
import { insertMaskSightings } from "./mask-sightings.ts";
import { exchangeMessages, exchanges, messages } from "./schema.ts";

/** A masked message with the keyed hash of its content. */
export interface HashedMessage extends Message {
  readonly hash: Buffer;
}

export type Direction = "request" | "response";

/** Rows per statement: PostgreSQL takes 65,534 parameters. */
const BATCH = 2_000;

/**
 * Stores what the session does not know yet, and the exchange's list. Call inside a transaction that holds the session
 * (`upsertSession` does): two exchanges of one session would otherwise wait for each other's rows.
 */
export async function insertMessages(
  db: Queryable,
  list: {
    readonly sessionId: string;
    readonly exchangeId: string;
    readonly direction: Direction;
    readonly messages: readonly HashedMessage[];
  },
): Promise<void> {
  const unique = new Map(list.messages.map((message) => [message.hash.toString("hex"), message]));
  const ids = await findIds(db, list.sessionId, [...unique.values()]);
  const missing = [...unique].filter(([hash]) => !ids.has(hash)).map(([, message]) => message);
  for (let at = 0; at < missing.length; at += BATCH) {
    const rows = missing.slice(at, at + BATCH).map((message) => ({
      id: newId(),
      sessionId: list.sessionId,
      hash: message.hash,
      role: message.role,
      parts: message.parts,
    }));
    await db.insert(messages).values(rows).onConflictDoNothing();
  }
  await insertMaskSightings(db, list.sessionId, missing);
  for (const [hash, id] of await findIds(db, list.sessionId, missing)) ids.set(hash, id);
  const links = list.messages.map((message, ordinal) => ({
    exchangeId: list.exchangeId,
    direction: list.direction,
    ordinal,
    messageId: ids.get(message.hash.toString("hex")) as string,
  }));
  for (let at = 0; at < links.length; at += BATCH) {
    await db.insert(exchangeMessages).values(links.slice(at, at + BATCH));
  }
}

async function findIds(
  db: Queryable,
  sessionId: string,
  wanted: readonly HashedMessage[],
): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (let at = 0; at < wanted.length; at += BATCH) {
    const hashes = wanted.slice(at, at + BATCH).map((message) => message.hash);
    const rows = await db
      .select({ id: messages.id, hash: messages.hash })
      .from(messages)
      .where(and(eq(messages.sessionId, sessionId), inArray(messages.hash, hashes)));
    for (const row of rows) ids.set(row.hash.toString("hex"), row.id);
  }
  return ids;
}

/** A message as it came up in the conversation. */
export interface TranscriptMessage {
  readonly id: string;
  readonly exchangeId: string;
  readonly direction: Direction;
  readonly role: string;
  readonly parts: readonly Part[];
  /** When its exchange began. */
  readonly at: Date;
  readonly model: string | null;
  readonly status: ExchangeStatus;
  readonly agentTask: string | null;
  readonly parentAgent: string | null;
}

/** The whole session in order, every message where it came up: what requests repeat of the history is left out. */
export async function findTranscript(db: Queryable, sessionId: string): Promise<readonly TranscriptMessage[]> {
  const rows = await db
    .select({
      id: exchangeMessages.messageId,
      exchangeId: exchanges.id,
      direction: exchangeMessages.direction,
      role: messages.role,
      at: exchanges.startedAt,
      model: exchanges.model,
      status: exchanges.status,
      agentTask: exchanges.agentTask,
      parentAgent: exchanges.parentAgent,
    })
    .from(exchangeMessages)
    .innerJoin(exchanges, eq(exchanges.id, exchangeMessages.exchangeId))
    .innerJoin(messages, eq(messages.id, exchangeMessages.messageId))
    .where(eq(exchanges.sessionId, sessionId))
    .orderBy(
      asc(exchanges.startedAt),
      asc(exchanges.id),
      asc(exchangeMessages.direction),
      asc(exchangeMessages.ordinal),
    );
  const bodies = await db
    .select({ id: messages.id, parts: messages.parts })
    .from(messages)
    .where(eq(messages.sessionId, sessionId));
  const parts = new Map(bodies.map((row) => [row.id, row.parts]));
  return freshRows(rows).map((row) => ({ ...row, parts: parts.get(row.id) ?? [] }));
}

/** The full list of one exchange, in order: exactly what was sent, and what was answered. */
export async function findExchangeMessages(
  db: Queryable,
  exchangeId: string,
): Promise<{ readonly request: readonly Message[]; readonly response: readonly Message[] }> {
  const rows = await db
    .select({ direction: exchangeMessages.direction, role: messages.role, parts: messages.parts })
    .from(exchangeMessages)
    .innerJoin(messages, eq(messages.id, exchangeMessages.messageId))
    .where(eq(exchangeMessages.exchangeId, exchangeId))
    .orderBy(asc(exchangeMessages.direction), asc(exchangeMessages.ordinal));
  const of = (direction: Direction): readonly Message[] =>
    rows
      .filter((row) => row.direction === direction)
      .map((row) => ({ role: row.role as Message["role"], parts: row.parts }));
  return { request: of("request"), response: of("response") };
}

interface Listed {
  readonly id: string;
  readonly exchangeId: string;
  readonly direction: Direction;
  readonly role: string;
}

/** How many earlier exchanges a request is compared with: sub-agents interleave, so the last one alone is not enough. */
const LOOK_BACK = 16;

/**
 * Drops what a request repeats. A request continues that earlier exchange of which it repeats the most; what stands after the
 * repeated part is new, even where the same words were said before. Prompts, tool lists and parameters are shown when first seen.
 */
function freshRows<T extends Listed>(rows: readonly T[]): readonly T[] {
  const seen = new Set<string>();
  const earlier: (readonly string[])[] = [];
  return byExchange(rows).flatMap((exchange) => {
    const fixed = exchange.filter((row) => isFixed(row) && !seen.has(row.id));
    const request = exchange.filter((row) => !isFixed(row) && row.direction === "request");
    const response = exchange.filter((row) => row.direction === "response");
    const repeated = Math.max(0, ...earlier.slice(-LOOK_BACK).map((history) => repeatedLength(history, request)));
    for (const row of fixed) seen.add(row.id);
    earlier.push([...request, ...response].map((row) => row.id));
    return [...fixed, ...request.slice(repeated), ...response];
  });
}

const isFixed = (row: Listed): boolean =>
  row.direction === "request" && (row.role === "system" || row.role === "developer");

function byExchange<T extends Listed>(rows: readonly T[]): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.exchangeId);
    if (group === undefined) groups.set(row.exchangeId, [row]);
    else group.push(row);
  }
  return [...groups.values()];
}

/** How many messages at the request's start are in the history, in its order. Clients leave some out (reasoning, failed calls). */
function repeatedLength(history: readonly string[], request: readonly Listed[]): number {
  let at = 0;
  for (const [count, row] of request.entries()) {
    const found = history.indexOf(row.id, at);
    if (found === -1) return count;
    at = found + 1;
  }
  return request.length;
}
