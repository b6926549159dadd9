/**
 * Which sessions hold a text, in their title or in any message. Messages are found by an index of the extension pg_trgm, where an operator
 * has made it: it is larger than the record itself. Without it, or for one or two letters, all of them are read. The index takes a long
 * message 100 ms, so it gets them from {@link indexMessages}, afterwards; what it does not have yet is read.
 */
import { and, eq, not, or, sql, type SQL } from "drizzle-orm";
import type { Queryable } from "./database.ts";
import { containsText } from "./exchange-filters.ts";
import { messages, sessions } from "./schema.ts";

/** Messages with the text, past which it is taken for a common one. */
const COMMON = 500;

/** @returns a condition on sessions; undefined where no text is looked for */
export async function holdsText(db: Queryable, text: string | undefined): Promise<SQL | undefined> {
  if (text === undefined || text === "") return undefined;
  // Written apart, so that each half has its index.
  const found = sql`(
    select ${messages.sessionId} from ${messages} where ${messages.isIndexed} and ${containsText(messages.parts, text)}
    union all
    select ${messages.sessionId} from ${messages} where not ${messages.isIndexed} and ${containsText(messages.parts, text)}
    limit ${COMMON}
  )`;
  const rows = await db.execute<{ session_id: string }>(found);
  const title = containsText(sessions.title, text);
  if (rows.length < COMMON) {
    const ids = [...new Set([...rows].map((row) => row.session_id))];
    return or(title, sql`${sessions.id} = any(${`{${ids.join(",")}}`}::uuid[])`);
  }
  // Common: the latest sessions are gone through one by one until a page is full. `offset 0` keeps the planner from reading all messages first.
  return or(
    title,
    sql`exists (select 1 from ${messages} where ${and(eq(messages.sessionId, sessions.id), containsText(messages.parts, text))} offset 0)`,
  );
}

/** Whether there is the index that `messages.is_indexed` is for. */
export async function hasTextIndex(db: Queryable): Promise<boolean> {
  const [row] = await db.execute<{ has: boolean }>(sql`select to_regclass('messages_text') is not null as has`);
  return row?.has === true;
}

/**
 * Gives messages to the index, a few at a time: nobody waits for it, and no other gateway takes the same ones.
 * @returns how many they were
 */
export async function indexMessages(db: Queryable, most: number): Promise<number> {
  const some = db
    .select({ sessionId: messages.sessionId, number: messages.number })
    .from(messages)
    .where(not(messages.isIndexed))
    .limit(most)
    .for("update", { skipLocked: true })
    .as("some");
  const rows = await db
    .update(messages)
    .set({ isIndexed: true })
    .from(some)
    .where(and(eq(messages.sessionId, some.sessionId), eq(messages.number, some.number)))
    .returning({ number: messages.number });
  return rows.length;
}
