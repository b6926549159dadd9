import { and, eq, gt, lte } from "drizzle-orm";
import type { Queryable } from "./database.ts";
import { copilotTokens, principals, tokens } from "./schema.ts";
import type { TokenWithPrincipal } from "./tokens.ts";

export async function insertCopilotToken(db: Queryable, token: typeof copilotTokens.$inferInsert): Promise<void> {
  await db.insert(copilotTokens).values(token);
}

/**
 * The gateway token behind a short-lived one, as it counts there: for Copilot alone, and no longer than either of them.
 * @returns null also for what has expired
 */
export async function findCopilotTokenByHash(
  db: Queryable,
  hash: Buffer,
  now: Date,
): Promise<TokenWithPrincipal | null> {
  const [row] = await db
    .select({ token: tokens, principal: principals, until: copilotTokens.expiresAt })
    .from(copilotTokens)
    .innerJoin(tokens, eq(copilotTokens.tokenId, tokens.id))
    .innerJoin(principals, eq(tokens.principalId, principals.id))
    .where(and(eq(copilotTokens.hash, hash), gt(copilotTokens.expiresAt, now)));
  if (row === undefined) return null;
  const { token, principal, until } = row;
  const { hash: _, ...rest } = token;
  return {
    ...rest,
    audiences: token.audiences.filter((audience) => audience === "copilot"),
    expiresAt: token.expiresAt === null || token.expiresAt > until ? until : token.expiresAt,
    principal,
  };
}

export async function deleteExpiredCopilotTokens(db: Queryable, now: Date): Promise<void> {
  await db.delete(copilotTokens).where(lte(copilotTokens.expiresAt, now));
}
