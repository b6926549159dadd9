import { eq, lte, sql } from "drizzle-orm";
import type { Queryable } from "./database.ts";
import { attempts } from "./schema.ts";

/**
 * Counts one more attempt; after `windowMs` the count begins anew. One statement, so that of many at once none is missed.
 * @returns how many there are with this one, and when that ends
 */
export async function countAttempt(
  db: Queryable,
  key: string,
  windowMs: number,
  now: Date,
): Promise<{ readonly count: number; readonly until: Date }> {
  const isOver = sql`${attempts.until} <= ${now.toISOString()}::timestamptz`;
  const [row] = await db
    .insert(attempts)
    .values({ key, count: 1, until: new Date(now.getTime() + windowMs) })
    .onConflictDoUpdate({
      target: attempts.key,
      set: {
        count: sql`case when ${isOver} then 1 else ${attempts.count} + 1 end`,
        until: sql`case when ${isOver} then excluded.until else ${attempts.until} end`,
      },
    })
    .returning({ count: attempts.count, until: attempts.until });
  if (row === undefined) throw new Error("an upsert returns its row");
  return row;
}

/** Takes one back: it was none of those that are to be limited. */
export async function uncountAttempt(db: Queryable, key: string): Promise<void> {
  await db
    .update(attempts)
    .set({ count: sql`greatest(${attempts.count} - 1, 0)` })
    .where(eq(attempts.key, key));
}

export async function deleteOldAttempts(db: Queryable, now: Date): Promise<void> {
  await db.delete(attempts).where(lte(attempts.until, now));
}
