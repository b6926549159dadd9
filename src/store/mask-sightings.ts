/** Where the same secret was masked: a keyed fingerprint tells that two masks stand for one secret, and nothing of the secret. */
import { and, inArray, sql } from "drizzle-orm";
import type { Part } from "../model/exchange.ts";
import { type MaskToken, splitAtMasks } from "../model/mask-token.ts";
import type { Queryable } from "./database.ts";
import { findings, maskSightings, sessions } from "./schema.ts";

const textsOf = (part: Part): readonly string[] =>
  part.type === "tool_call" ? [part.name, part.arguments] : [part.text];

/** The masks in messages, each once. */
export function findMasks(messages: readonly { readonly parts: readonly Part[] }[]): readonly MaskToken[] {
  const seen = new Map<string, MaskToken>();
  for (const text of messages.flatMap(({ parts }) => parts.flatMap(textsOf))) {
    for (const piece of splitAtMasks(text)) {
      if (typeof piece !== "string") seen.set(`${piece.kind}:${piece.fingerprint}`, piece);
    }
  }
  return [...seen.values()];
}

/** Notes the masks of messages that are new to the session. */
export async function insertMaskSightings(
  db: Queryable,
  sessionId: string,
  messages: readonly { readonly parts: readonly Part[] }[],
): Promise<void> {
  const rows = findMasks(messages).map((mask) => ({ sessionId, ...mask }));
  for (let at = 0; at < rows.length; at += BATCH) {
    await db
      .insert(maskSightings)
      .values(rows.slice(at, at + BATCH))
      .onConflictDoNothing();
  }
}

/** Rows per INSERT: PostgreSQL takes 65,534 parameters in one statement. */
const BATCH = 5_000;

export interface MaskSighting {
  /** Sessions in which it was masked. */
  readonly sessions: number;
  /** Pushes in which it was found. */
  readonly pushes: number;
}

/**
 * How widely each of these fingerprints was seen, over the whole record.
 * @param principalId only in this person's sessions, and in no push; null: everywhere
 */
export async function countMaskSightings(
  db: Queryable,
  fingerprints: readonly string[],
  principalId: string | null,
): Promise<ReadonlyMap<string, MaskSighting>> {
  if (fingerprints.length === 0) return new Map();
  const inSessions = await db
    .select({
      fingerprint: maskSightings.fingerprint,
      count: sql<number>`count(distinct ${maskSightings.sessionId})::int`,
    })
    .from(maskSightings)
    .where(
      and(
        inArray(maskSightings.fingerprint, [...fingerprints]),
        principalId === null
          ? undefined
          : sql`exists (select 1 from ${sessions} where ${sessions.id} = ${maskSightings.sessionId} and ${sessions.principalId} = ${principalId})`,
      ),
    )
    .groupBy(maskSightings.fingerprint);
  const inPushes =
    principalId === null
      ? await db
          .select({
            fingerprint: sql<string>`left(${findings.fingerprint}, 8)`,
            count: sql<number>`count(distinct ${findings.pushId})::int`,
          })
          .from(findings)
          // A range for each, so that the index on the whole fingerprint serves.
          .where(
            sql`(${sql.join(
              fingerprints.map(
                (start) => sql`(${findings.fingerprint} >= ${start} and ${findings.fingerprint} < ${`${start}g`})`,
              ),
              sql` or `,
            )})`,
          )
          .groupBy(sql`left(${findings.fingerprint}, 8)`)
      : [];
  const pushes = new Map(inPushes.map((row) => [row.fingerprint, row.count]));
  const found = new Map(inSessions.map((row) => [row.fingerprint, row.count]));
  return new Map(
    fingerprints.map((fingerprint) => [
      fingerprint,
      { sessions: found.get(fingerprint) ?? 0, pushes: pushes.get(fingerprint) ?? 0 },
    ]),
  );
}
