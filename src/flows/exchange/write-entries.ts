/** Puts what {@link RecordEntry} says into the database. Both may be repeated: what is there already stays as it is. */
import { findContinued } from "../../copilot/sessions.ts";
import { newId } from "../../model/id.ts";
import type { Database, Transaction } from "../../store/database.ts";
import { findSessionOf, finishExchange, insertExchange } from "../../store/exchanges.ts";
import { lockSession, storeMessages } from "../../store/messages.ts";
import { findEarlierExchanges, openSession } from "../../store/sessions.ts";
import { insertToolUses } from "../../store/tool-uses.ts";
import type { BeginEntry, FinishEntry } from "./entries.ts";

/** What follows from a finished exchange, as part of the same transaction. */
export type OnFinished = (
  exchange: Pick<FinishEntry, "suggestions" | "principalId"> & {
    readonly exchangeId: string;
    readonly sessionId: string;
    readonly finishedAt: Date;
  },
  tx: Transaction,
) => Promise<void> | void;

/** @returns the session that it belongs to */
export function writeBegin(db: Database, entry: BeginEntry): Promise<string> {
  const { exchange, grouping } = entry;
  return db.transaction(async (tx) => {
    const id = newId();
    const session = await openSession(tx, {
      id,
      principalId: exchange.principalId,
      connection: exchange.connection,
      client: entry.session.client,
      clientKey: grouping.kind === "named" ? grouping.clientKey : await placeByHistory(tx, entry, grouping, id),
      title: entry.session.title,
      at: exchange.startedAt,
    });
    const inserted = await insertExchange(tx, {
      ...exchange,
      sessionId: session.id,
      gateway: entry.gateway,
      requestMessages: await storeMessages(tx, session, entry.messages),
      history: grouping.kind === "history" ? (grouping.histories.at(-1) ?? null) : null,
    });
    if (inserted) return session.id;
    // It was written before, under whatever session it belonged to then.
    return (await findSessionOf(tx, exchange.id)) ?? session.id;
  });
}

/** @param id of the session that is opened where the request continues none */
async function placeByHistory(
  tx: Transaction,
  { exchange }: BeginEntry,
  grouping: Extract<BeginEntry["grouping"], { kind: "history" }>,
  id: string,
): Promise<string> {
  const recent = grouping.histories.slice(-MOST_HISTORIES);
  const earlier = recent.length === 0 ? [] : await findEarlierExchanges(tx, exchange, recent);
  return findContinued(grouping, earlier)?.clientKey ?? `history:${id}`;
}

/** A request adds a few things to what the last one said: far back there is nothing to look for. */
const MOST_HISTORIES = 512;

/** @returns false where it was finished before, or was never begun */
export function writeFinish(db: Database, entry: FinishEntry, onFinished?: OnFinished): Promise<boolean> {
  const { id, outcome, principalId, suggestions } = entry;
  return db.transaction(async (tx) => {
    const sessionId = await findSessionOf(tx, id);
    const session = sessionId === null ? null : await lockSession(tx, sessionId);
    if (session === null) return false;
    const numbers = await storeMessages(tx, session, entry.messages);
    if (!(await finishExchange(tx, id, outcome, numbers))) return false;
    await insertToolUses(tx, { id, sessionId: session.id }, entry.toolUses);
    const finished = {
      exchangeId: id,
      sessionId: session.id,
      principalId,
      finishedAt: outcome.finishedAt,
      suggestions,
    };
    await onFinished?.(finished, tx);
    return true;
  });
}
