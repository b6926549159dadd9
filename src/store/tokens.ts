import { and, desc, eq, inArray, isNotNull, isNull, lt, or, sql } from "drizzle-orm";
import { newId } from "../model/id.ts";
import type { Audience } from "../model/principal.ts";
import { err, ok, type Result } from "../errors.ts";
import type { Queryable } from "./database.ts";
import type { PrincipalRow } from "./principals.ts";
import { principals, tokens } from "./schema.ts";

/** A token's row without its hash. */
export type TokenRow = Omit<typeof tokens.$inferSelect, "hash">;
export type TokenWithPrincipal = TokenRow & { readonly principal: PrincipalRow };

/** One write a minute and token is enough to say when it was last used. */
const TOUCH_EVERY_MS = 60_000;

const columns = {
  id: tokens.id,
  principalId: tokens.principalId,
  name: tokens.name,
  groups: tokens.groups,
  audiences: tokens.audiences,
  createdAt: tokens.createdAt,
  expiresAt: tokens.expiresAt,
  lastUsedAt: tokens.lastUsedAt,
  revokedAt: tokens.revokedAt,
  parentId: tokens.parentId,
};

export interface NewToken {
  readonly principalId: string;
  readonly name: string;
  /** SHA-256 of the token. */
  readonly hash: Buffer;
  readonly groups: readonly string[];
  readonly audiences: readonly Audience[];
  /** Null: it never expires. */
  readonly expiresAt: Date | null;
  /** The token that its maker was signed in with. */
  readonly parentId?: string | null;
}

export async function insertToken(db: Queryable, token: NewToken): Promise<TokenRow> {
  const values = { ...token, id: newId(), groups: [...token.groups], audiences: [...token.audiences] };
  const [row] = await db.insert(tokens).values(values).returning(columns);
  if (row === undefined) throw new Error("an insert returns its row");
  return row;
}

/** The token of this hash and who it belongs to, also when it has expired or is revoked: whoever asks has to look. */
export async function findTokenByHash(db: Queryable, hash: Buffer): Promise<TokenWithPrincipal | null> {
  const [row] = await db
    .select({ ...columns, principal: principals })
    .from(tokens)
    .innerJoin(principals, eq(tokens.principalId, principals.id))
    .where(eq(tokens.hash, hash));
  return row ?? null;
}

/** Notes that a token was used, at most once a minute. */
export async function touchToken(db: Queryable, id: string, now: Date): Promise<void> {
  const before = new Date(now.getTime() - TOUCH_EVERY_MS);
  await db
    .update(tokens)
    .set({ lastUsedAt: now })
    .where(and(eq(tokens.id, id), or(isNull(tokens.lastUsedAt), lt(tokens.lastUsedAt, before))));
}

/** All tokens, newest first, revoked and expired ones too. */
export async function listTokens(db: Queryable): Promise<readonly TokenWithPrincipal[]> {
  return db
    .select({ ...columns, principal: principals })
    .from(tokens)
    .innerJoin(principals, eq(tokens.principalId, principals.id))
    .orderBy(desc(tokens.createdAt), desc(tokens.id));
}

/** One principal's, newest first, revoked and expired ones too. */
export function listTokensOf(db: Queryable, principalId: string): Promise<TokenRow[]> {
  return db
    .select(columns)
    .from(tokens)
    .where(eq(tokens.principalId, principalId))
    .orderBy(desc(tokens.createdAt), desc(tokens.id))
    .limit(200);
}

/** Revokes a token where it is this principal's. @returns whether it is */
export async function revokeOwnToken(db: Queryable, principalId: string, id: string, now: Date): Promise<boolean> {
  const [own] = await db
    .select({ id: tokens.id })
    .from(tokens)
    .where(and(eq(tokens.id, id), eq(tokens.principalId, principalId)));
  if (own === undefined) return false;
  await revokeWithMade(db, id, now);
  return true;
}

/**
 * Revokes the live token that has this id or name, or whose id alone starts so. Revoking twice is no error when the id says
 * which one is meant.
 * @returns the token, or why none was revoked; `ambiguous` names more than one
 */
export async function revokeToken(
  db: Queryable,
  reference: string,
  now: Date,
): Promise<Result<TokenRow, "not_found" | "ambiguous">> {
  if (reference === "") return err("not_found");
  const exact = await db
    .select(columns)
    .from(tokens)
    .where(eq(sql`${tokens.id}::text`, reference.toLowerCase()));
  const [found, second] =
    exact.length > 0
      ? exact
      : await db
          .select(columns)
          .from(tokens)
          .where(
            and(
              isNull(tokens.revokedAt),
              or(eq(tokens.name, reference), sql`starts_with(${tokens.id}::text, ${reference.toLowerCase()})`),
            ),
          )
          .limit(2);
  if (found === undefined) return err("not_found");
  if (second !== undefined) return err("ambiguous");
  if (found.revokedAt !== null) return ok(found);
  await revokeWithMade(db, found.id, now);
  return ok({ ...found, revokedAt: now });
}

/** Takes back a token, and what was made by whoever was signed in with it, and so on down. */
export async function revokeWithMade(db: Queryable, id: string, now: Date): Promise<void> {
  await db.transaction(async (tx) => {
    // Waits for whoever makes one under it at this moment (see insertMadeToken), so that the next statement sees theirs.
    await tx.select({ id: tokens.id }).from(tokens).where(eq(tokens.id, id)).for("update");
    await tx.execute(sql`
      with recursive made as (
        select ${tokens.id} from ${tokens} where ${tokens.id} = ${id}
        union select t.id from ${tokens} t join made on t.parent_id = made.id
      )
      update ${tokens} set revoked_at = ${now.toISOString()}::timestamptz
      where ${tokens.id} in (select id from made) and ${tokens.revokedAt} is null`);
  });
}

/**
 * Writes a token that somebody makes while signed in with another one.
 * @returns null where that one has been revoked meanwhile
 */
export function insertMadeToken(
  db: Queryable,
  token: NewToken & { readonly parentId: string },
): Promise<TokenRow | null> {
  return db.transaction(async (tx) => {
    const [parent] = await tx
      .select({ id: tokens.id })
      .from(tokens)
      .where(and(eq(tokens.id, token.parentId), isNull(tokens.revokedAt)))
      .for("share");
    return parent === undefined ? null : insertToken(tx, token);
  });
}

/** A token and who it belongs to, by its id. */
export async function findTokenById(db: Queryable, id: string): Promise<TokenWithPrincipal | null> {
  const [row] = await db
    .select({ ...columns, principal: principals })
    .from(tokens)
    .innerJoin(principals, eq(tokens.principalId, principals.id))
    .where(eq(tokens.id, id));
  return row ?? null;
}

/** @returns those of these tokens that are revoked */
export async function findRevokedAmong(db: Queryable, ids: readonly string[]): Promise<readonly string[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .select({ id: tokens.id })
    .from(tokens)
    .where(and(inArray(tokens.id, [...ids]), isNotNull(tokens.revokedAt)));
  return rows.map(({ id }) => id);
}
