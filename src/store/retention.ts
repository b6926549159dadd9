import { sql } from "drizzle-orm";
import type { Database } from "./database.ts";

/** Exchanges that go in one transaction: a first sweep over years of record must not hold locks for minutes. */
const BATCH = 500;

/**
 * Removes exchanges that began before a time, with everything that only they hold: messages that no later exchange of the session
 * repeats, suggestions, and sessions of which nothing is left. A session that a commit is linked to stays, without its title:
 * the link says that there was one.
 * @returns how many exchanges went; call again while it is {@link BATCH} or more
 */
export function deleteOldExchanges(db: Database, before: Date): Promise<number> {
  return db.transaction(async (tx) => {
    const gone = await tx.execute<{ id: string; session_id: string }>(sql`
      delete from exchanges where id in (
        select id from exchanges where started_at < ${before.toISOString()} and status <> 'open'
        order by started_at limit ${BATCH} for update skip locked
      ) returning id, session_id`);
    if (gone.length === 0) return 0;
    const sessions = sql.join(
      [...new Set(gone.map((row) => row.session_id))].map((id) => sql`${id}::uuid`),
      sql`, `,
    );
    // As whoever writes an exchange does: one that repeats a message must not find it gone a moment later.
    await tx.execute(sql`select id from sessions where id in (${sessions}) order by id for update`);
    await tx.execute(sql`
      delete from messages m where m.session_id in (${sessions})
      and not exists (
        select from exchanges e where e.session_id = m.session_id
        and m.number = any(e.request_messages || e.response_messages)
      )`);
    await tx.execute(sql`
      delete from sessions s where s.id in (${sessions})
      and not exists (select from exchanges e where e.session_id = s.id)
      and not exists (select from commit_sessions c where c.session_id = s.id)`);
    await tx.execute(sql`
      update sessions s set title = null where s.id in (${sessions})
      and not exists (select from exchanges e where e.session_id = s.id)`);
    return gone.length;
  });
}

/** Whether a sweep that removed `count` may have left some. */
export const hasMoreToDelete = (count: number): boolean => count >= BATCH;
