/** The baseline: findings that somebody has accepted, by keyed fingerprint. Entries end, and are never deleted. */
import { and, desc, eq, gt, isNull, or, sql } from "drizzle-orm";
import { err, ok, type Result } from "../errors.ts";
import { newId } from "../model/id.ts";
import type { Queryable } from "./database.ts";
import { baseline } from "./schema.ts";

export type BaselineRow = typeof baseline.$inferSelect;

export type NewBaselineEntry = Pick<
  BaselineRow,
  "fingerprint" | "repository" | "path" | "reason" | "addedBy" | "addedAt" | "expiresAt"
>;

export async function insertBaseline(db: Queryable, entry: NewBaselineEntry): Promise<BaselineRow> {
  const [row] = await db
    .insert(baseline)
    .values({ ...entry, id: newId() })
    .returning();
  if (row === undefined) throw new Error("an insert returns its row");
  return row;
}

/** Those that accept something at `now`, oldest first. */
export const listLiveBaseline = (db: Queryable, now: Date): Promise<readonly BaselineRow[]> =>
  db
    .select()
    .from(baseline)
    .where(and(isNull(baseline.removedAt), or(isNull(baseline.expiresAt), gt(baseline.expiresAt, now))))
    .orderBy(baseline.id);

/** All entries, newest first, ended ones too. */
export const listBaseline = (db: Queryable): Promise<readonly BaselineRow[]> =>
  db.select().from(baseline).orderBy(desc(baseline.id));

/**
 * Ends the live entry whose id is this or begins so.
 * @returns the entry, or why none was ended; `ambiguous` names more than one
 */
export async function endBaseline(
  db: Queryable,
  reference: string,
  by: string,
  now: Date,
): Promise<Result<BaselineRow, "not_found" | "ambiguous">> {
  const found = await db
    .select()
    .from(baseline)
    .where(and(isNull(baseline.removedAt), sql`starts_with(${baseline.id}::text, ${reference.toLowerCase()})`))
    .limit(2);
  const [entry, second] = found;
  if (entry === undefined || reference === "") return err("not_found");
  if (second !== undefined) return err("ambiguous");
  const [ended] = await db
    .update(baseline)
    .set({ removedAt: now, removedBy: by })
    .where(and(eq(baseline.id, entry.id), isNull(baseline.removedAt)))
    .returning();
  return ended === undefined ? err("not_found") : ok(ended);
}
