/**
 * What every list of the record has in common: the same filters, newest first, and pages that continue where the last one
 * ended (keyset), so that rows written in between neither repeat nor hide any.
 */
import { inArray, or, sql, type SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { containsText, type Page } from "./exchange-filters.ts";
import { commits, principals, pushRefs } from "./schema.ts";

export interface RecordFilter {
  /** E-mail address, compared without case. */
  readonly user?: string;
  readonly since?: Date;
  /** Exclusive. */
  readonly until?: Date;
  readonly connection?: string;
  /** `<connection>/<path>` without `.git`. */
  readonly repository?: string;
  /** A full name, or the short name of a branch or a tag. */
  readonly ref?: string;
  /** At least 7 lower-case hex digits from the start. */
  readonly sha?: string;
  readonly status?: string;
  /** The client's name; of sessions alone. */
  readonly client?: string;
  /** The model's name; of sessions and exchanges alone. */
  readonly model?: string;
  /** Text, found anywhere, compared without case. */
  readonly q?: string;
}

export interface PageRequest {
  readonly limit: number;
  /** The `next` of the page before; null for the first. */
  readonly after: string | null;
}

/** Cuts `limit + 1` fetched rows to a page. */
export function toPage<Row>(rows: readonly Row[], limit: number, keyOf: (row: Row) => string): Page<Row> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last !== undefined ? keyOf(last) : null };
}

export const isUser = (email: string): SQL => sql`lower(${principals.email}) = ${email.toLowerCase()}`;

// A range instead of LIKE: it can use the index whatever the database's collation is. No hex digit sorts after "f".
export const startsWithOid = (column: PgColumn, prefix: string): SQL =>
  sql`(${column} >= ${prefix} and ${column} < ${`${prefix}g`})`;

/** A push names this ref. `pushId` is the outer query's column. */
export const pushHasRef = (pushId: PgColumn, ref: string): SQL =>
  sql`exists (select 1 from ${pushRefs} where ${pushRefs.pushId} = ${pushId} and ${inArray(pushRefs.ref, [ref, `refs/heads/${ref}`, `refs/tags/${ref}`])})`;

/** A push brings this object, or moves a ref from or to it. */
export const pushHasOid = (pushId: PgColumn, prefix: string): SQL =>
  sql`(exists (select 1 from ${commits} where ${commits.pushId} = ${pushId} and ${startsWithOid(commits.oid, prefix)})
    or exists (select 1 from ${pushRefs} where ${pushRefs.pushId} = ${pushId} and (${startsWithOid(pushRefs.newOid, prefix)} or ${startsWithOid(pushRefs.oldOid, prefix)})))`;

/** A commit of the push says this. */
export const pushHasCommitText = (pushId: PgColumn, text: string): SQL =>
  sql`exists (select 1 from ${commits} where ${commits.pushId} = ${pushId} and ${or(containsText(commits.message, text), containsText(commits.authorName, text), containsText(commits.authorEmail, text))})`;
