import { and, eq, isNull, lte } from "drizzle-orm";
import type { Queryable } from "./database.ts";
import type { Consent } from "./device-codes.ts";
import { authorizationCodes } from "./schema.ts";

export type AuthorizationCodeRow = typeof authorizationCodes.$inferSelect;

export interface NewAuthorizationCode extends Consent {
  /** SHA-256 of the code. */
  readonly hash: Buffer;
  readonly clientId: string;
  readonly redirectUri: string;
  /** S256. */
  readonly challenge: string;
  readonly scope: string;
  /** Where the browser was that the code went through. */
  readonly address: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export async function insertAuthorizationCode(db: Queryable, code: NewAuthorizationCode): Promise<void> {
  await db.insert(authorizationCodes).values({ ...code, groups: [...code.groups] });
}

/**
 * Takes a code. It is spent by this, whatever else is wrong with the request: a thief gets one guess.
 * @returns `again` with the row where it was spent before
 */
export async function spendAuthorizationCode(
  db: Queryable,
  hash: Buffer,
  now: Date,
): Promise<{ readonly kind: "unknown" } | { readonly kind: "first" | "again"; readonly row: AuthorizationCodeRow }> {
  const [spent] = await db
    .update(authorizationCodes)
    .set({ usedAt: now })
    .where(and(eq(authorizationCodes.hash, hash), isNull(authorizationCodes.usedAt)))
    .returning();
  if (spent !== undefined) return { kind: "first", row: spent };
  const [row] = await db.select().from(authorizationCodes).where(eq(authorizationCodes.hash, hash)).for("update");
  return row === undefined ? { kind: "unknown" } : { kind: "again", row };
}

/** Notes which token was given for a code. */
export async function noteIssuedToken(db: Queryable, hash: Buffer, issuedId: string): Promise<void> {
  await db.update(authorizationCodes).set({ issuedId }).where(eq(authorizationCodes.hash, hash));
}

/** How long a row stays after its end, so that a code that comes a second time is still known. */
const KEPT_MS = 24 * 60 * 60_000;

export async function deleteOldAuthorizationCodes(db: Queryable, now: Date): Promise<void> {
  await db.delete(authorizationCodes).where(lte(authorizationCodes.expiresAt, new Date(now.getTime() - KEPT_MS)));
}
