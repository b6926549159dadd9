/** Git LFS objects that the gateway has looked through and the upstream has taken. */
import { and, eq, inArray, sql } from "drizzle-orm";
import type { Queryable } from "./database.ts";
import { lfsObjects } from "./schema.ts";

export type LfsObjectRow = typeof lfsObjects.$inferSelect;

/** Objects in one query: PostgreSQL takes no more than 65,535 parameters. */
const BATCH = 5_000;

/** Writes down an object. The same one again, under newer rules, counts as looked through under these. */
export async function recordLfsObject(db: Queryable, object: LfsObjectRow): Promise<void> {
  await db
    .insert(lfsObjects)
    .values(object)
    .onConflictDoUpdate({
      target: [lfsObjects.repository, lfsObjects.oid],
      set: {
        bytes: sql`excluded.bytes`,
        principalId: sql`excluded.principal_id`,
        policyVersion: sql`excluded.policy_version`,
        uploadedAt: sql`excluded.uploaded_at`,
      },
    });
}

/** Which of these objects are known for the repository. @returns oid → size in bytes */
export async function findLfsObjects(
  db: Queryable,
  repository: string,
  oids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (let from = 0; from < oids.length; from += BATCH) {
    const rows = await db
      .select({ oid: lfsObjects.oid, bytes: lfsObjects.bytes })
      .from(lfsObjects)
      .where(and(eq(lfsObjects.repository, repository), inArray(lfsObjects.oid, oids.slice(from, from + BATCH))));
    for (const { oid, bytes } of rows) found.set(oid, bytes);
  }
  return found;
}
