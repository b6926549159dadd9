/**
 * Puts what {@link RecordEntry} says into the database. Both may be repeated: what is there already stays as it is. In one statement where
 * that is possible, because a client waits for it; step by step, in a transaction, where it is not.
 */
import { type Continued, findContinued } from "../../copilot/sessions.ts";
import { newId } from "../../model/id.ts";
import { beginAtOnce } from "../../store/begin-at-once.ts";
import { type Database, isDatabaseAway, type Queryable, type Transaction } from "../../store/database.ts";
import { findSessionOf, finishExchange, insertExchange } from "../../store/exchanges.ts";
import { finishAtOnce } from "../../store/finish-at-once.ts";
import { lockSession, storeMessages } from "../../store/messages.ts";
import { findEarlierExchanges, lockPlacing, openSession } from "../../store/sessions.ts";
import type { SuggestionRow } from "../../store/suggestions.ts";
import { insertToolUses } from "../../store/tool-uses.ts";
import type { BeginEntry, FinishEntry } from "./entries.ts";
import { createKnownMessages } from "./known-messages.ts";

/** What follows from a finished exchange, and is written with it. */
export interface EntryIndex {
  /** What it suggested. Does not throw. */
  rows(entry: FinishEntry, sessionId: string): readonly SuggestionRow[];
  /** What goes wrong here must not take the record with it. Does not throw. */
  insert(tx: Transaction, entry: FinishEntry, rows: readonly SuggestionRow[]): Promise<void>;
}

export interface EntryWriter {
  /** @returns the session that it belongs to */
  begin(entry: BeginEntry): Promise<string>;
  /**
   * @param sessionId where it is known
   * @returns false where it was finished before, or was never begun
   */
  finish(entry: FinishEntry, sessionId: string | null): Promise<boolean>;
}

export function createEntryWriter(db: Database, index: EntryIndex): EntryWriter {
  const known = createKnownMessages();

  async function tryBegin(entry: BeginEntry): Promise<string | null> {
    const id = newId();
    const clientKey = await findClientKey(db, entry);
    if (clientKey === null) return null;
    const { principalId, connection } = entry.exchange;
    const key = `${principalId} ${connection} ${clientKey}`;
    const sessionId = await beginAtOnce(db, {
      session: newSession(entry, id, clientKey),
      exchange: exchangeOf(entry),
      messages: entry.messages,
      unknown: known.unknown(key, entry.messages),
    });
    if (sessionId === null) known.forget(key);
    else known.add(key, entry.messages);
    return sessionId;
  }

  return {
    async begin(entry) {
      return (await orStepByStep(() => tryBegin(entry))) ?? beginStepByStep(db, entry);
    },
    async finish(entry, sessionId) {
      if (sessionId === null) return finishStepByStep(db, entry, index);
      const suggestions = index.rows(entry, sessionId);
      const { id, outcome, messages, toolUses } = entry;
      const ending = { id, sessionId, outcome, messages, toolUses, suggestions };
      const isFinished = await orStepByStep(async () => (await finishAtOnce(db, ending)) || null);
      return isFinished ?? finishStepByStep(db, entry, { ...index, rows: () => suggestions });
    },
  };
}

/** Whatever one statement stumbles over, a transaction may get past it: another exchange's at the same moment, or a pooler. */
async function orStepByStep<T>(atOnce: () => Promise<T | null>): Promise<T | null> {
  try {
    return await atOnce();
  } catch (error) {
    if (isDatabaseAway(error)) throw error;
    return null;
  }
}

const newSession = ({ exchange, session }: BeginEntry, id: string, clientKey: string) => ({
  id,
  principalId: exchange.principalId,
  connection: exchange.connection,
  client: session.client,
  clientKey,
  title: session.title,
  at: exchange.startedAt,
});

const exchangeOf = ({ exchange, gateway, grouping }: BeginEntry) => ({
  ...exchange,
  gateway,
  history: grouping.kind === "history" ? (grouping.histories.at(-1) ?? null) : null,
});

/** What the session goes by; null where a new one is to be opened for a conversation that another request may open at this moment. */
async function findClientKey(db: Queryable, { exchange, grouping }: BeginEntry): Promise<string | null> {
  if (grouping.kind === "named") return grouping.clientKey;
  return (await findByHistory(db, exchange, grouping))?.clientKey ?? null;
}

async function findByHistory(
  db: Queryable,
  exchange: BeginEntry["exchange"],
  grouping: Extract<BeginEntry["grouping"], { kind: "history" }>,
): Promise<(Continued & { readonly clientKey: string }) | null> {
  const recent = grouping.histories.slice(-MOST_HISTORIES);
  const earlier = recent.length === 0 ? [] : await findEarlierExchanges(db, exchange, recent);
  return findContinued(grouping, earlier);
}

/** A request adds a few things to what the last one said: far back there is nothing to look for. */
const MOST_HISTORIES = 512;

function beginStepByStep(db: Database, entry: BeginEntry): Promise<string> {
  return db.transaction(async (tx) => {
    const id = newId();
    if (entry.grouping.kind === "history") await lockPlacing(tx, entry.exchange.principalId);
    const clientKey = (await findClientKey(tx, entry)) ?? `history:${id}`;
    const session = await openSession(tx, newSession(entry, id, clientKey));
    const requestMessages = await storeMessages(tx, session, entry.messages);
    const inserted = await insertExchange(tx, { ...exchangeOf(entry), sessionId: session.id, requestMessages });
    if (inserted) return session.id;
    // It was written before, under whatever session it belonged to then.
    return (await findSessionOf(tx, entry.exchange.id)) ?? session.id;
  });
}

function finishStepByStep(db: Database, entry: FinishEntry, index: EntryIndex): Promise<boolean> {
  const { id, outcome } = entry;
  return db.transaction(async (tx) => {
    const sessionId = await findSessionOf(tx, id);
    const session = sessionId === null ? null : await lockSession(tx, sessionId);
    if (session === null) return false;
    const numbers = await storeMessages(tx, session, entry.messages);
    if (!(await finishExchange(tx, id, outcome, numbers))) return false;
    await insertToolUses(tx, { id, sessionId: session.id }, entry.toolUses);
    await index.insert(tx, entry, index.rows(entry, session.id));
    return true;
  });
}
