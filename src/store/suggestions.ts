/** The index of what Copilot suggested: written when an exchange ends, read when a commit has been delivered. */
import { and, asc, between, desc, eq, lte, sql } from "drizzle-orm";
import type { Suggestion } from "../model/exchange.ts";
import type { Queryable } from "./database.ts";
import { suggestions } from "./schema.ts";

export interface SuggestionRow {
  readonly exchangeId: string;
  /** Which block of the exchange. */
  readonly ordinal: number;
  readonly sessionId: string;
  readonly principalId: string;
  /** Masked. */
  readonly path: string | null;
  readonly kind: Suggestion["kind"];
  /** The fingerprints of its lines, packed. */
  readonly lineHashes: Buffer;
  readonly suggestedAt: Date;
}

/** Rows per INSERT: PostgreSQL takes 65,534 parameters in one statement. */
const BATCH = 1_000;

/** PostgreSQL's text cannot hold U+0000, and a model may write any path into a tool call. */
export const storablePath = (text: string): string => text.replaceAll("\0", "\u2400").toWellFormed();

/** Adds blocks; those that are there already stay as they are, so an exchange may be indexed again. */
export async function insertSuggestions(db: Queryable, rows: readonly SuggestionRow[]): Promise<void> {
  for (let at = 0; at < rows.length; at += BATCH) {
    const batch = rows.slice(at, at + BATCH);
    await db
      .insert(suggestions)
      .values(batch.map((row) => ({ ...row, path: row.path === null ? null : storablePath(row.path) })))
      .onConflictDoNothing();
  }
}

/** What one reading returns at most: a person's month is usually a hundredth of it. */
export const MAX_BLOCKS = 5_000;
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * What was suggested to a person between two moments, both included; the latest first, and of more than 5,000 blocks or 8 MiB of
 * fingerprints (a million lines) only those.
 */
export async function findSuggestionBlocks(
  db: Queryable,
  scope: { readonly principalId: string; readonly since: Date; readonly until: Date },
): Promise<readonly SuggestionRow[]> {
  const latest = db.$with("latest").as(
    db
      .select({
        exchangeId: suggestions.exchangeId,
        ordinal: suggestions.ordinal,
        bytes: sql<number>`sum(octet_length(${suggestions.lineHashes})) over (
          order by ${suggestions.suggestedAt} desc, ${suggestions.exchangeId} desc, ${suggestions.ordinal}
        )`.as("bytes"),
      })
      .from(suggestions)
      .where(
        and(eq(suggestions.principalId, scope.principalId), between(suggestions.suggestedAt, scope.since, scope.until)),
      )
      .orderBy(desc(suggestions.suggestedAt), desc(suggestions.exchangeId), asc(suggestions.ordinal))
      .limit(MAX_BLOCKS),
  );
  return db
    .with(latest)
    .select({
      exchangeId: suggestions.exchangeId,
      ordinal: suggestions.ordinal,
      sessionId: suggestions.sessionId,
      principalId: suggestions.principalId,
      path: suggestions.path,
      kind: suggestions.kind,
      lineHashes: suggestions.lineHashes,
      suggestedAt: suggestions.suggestedAt,
    })
    .from(latest)
    .innerJoin(suggestions, and(eq(suggestions.exchangeId, latest.exchangeId), eq(suggestions.ordinal, latest.ordinal)))
    .where(lte(latest.bytes, MAX_BYTES))
    .orderBy(desc(suggestions.suggestedAt), desc(suggestions.exchangeId), asc(suggestions.ordinal));
}
