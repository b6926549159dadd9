/** Who an upstream gave an id to. */
import { and, eq, gt, inArray, lte, sql } from "drizzle-orm";
import type { Queryable } from "./database.ts";
import { upstreamIds } from "./schema.ts";

export interface IssuedIds {
  readonly connection: string;
  readonly principalId: string;
  /** Keyed hashes. */
  readonly hashes: readonly Buffer[];
  readonly expiresAt: Date;
}

/** Rows per statement. */
const BATCH = 1_000;

/** Writes down who got these ids. One that somebody has is theirs, and stays it until it expires. */
export async function claimUpstreamIds(db: Queryable, issued: IssuedIds, now: Date): Promise<void> {
  const { connection, principalId, expiresAt } = issued;
  const unique = [...new Map(issued.hashes.map((hash) => [hash.toString("hex"), hash])).values()];
  for (let at = 0; at < unique.length; at += BATCH) {
    await db
      .insert(upstreamIds)
      .values(unique.slice(at, at + BATCH).map((hash) => ({ connection, hash, principalId, expiresAt })))
      .onConflictDoUpdate({
        target: [upstreamIds.connection, upstreamIds.hash],
        set: { principalId, expiresAt },
        setWhere: sql`${upstreamIds.expiresAt} <= ${now.toISOString()} or ${upstreamIds.principalId} = ${principalId}`,
      });
  }
}

/** Which of these ids are this person's, as hex. What nobody got, or somebody else, is not among them. */
export async function findOwnUpstreamIds(
  db: Queryable,
  asked: Omit<IssuedIds, "expiresAt">,
  now: Date,
): Promise<ReadonlySet<string>> {
  const own = new Set<string>();
  for (let at = 0; at < asked.hashes.length; at += BATCH) {
    const rows = await db
      .select({ hash: upstreamIds.hash })
      .from(upstreamIds)
      .where(
        and(
          eq(upstreamIds.connection, asked.connection),
          eq(upstreamIds.principalId, asked.principalId),
          gt(upstreamIds.expiresAt, now),
          inArray(upstreamIds.hash, asked.hashes.slice(at, at + BATCH)),
        ),
      );
    for (const { hash } of rows) own.add(hash.toString("hex"));
  }
  return own;
}

/** @returns how many had expired */
export async function deleteExpiredUpstreamIds(db: Queryable, now: Date): Promise<number> {
  const gone = await db
    .delete(upstreamIds)
    .where(lte(upstreamIds.expiresAt, now))
    .returning({ hash: upstreamIds.hash });
  return gone.length;
}
