import { and, eq, gt, inArray, isNull, lte, or } from "drizzle-orm";
import type { Audience } from "../model/principal.ts";
import type { Queryable } from "./database.ts";
import type { PrincipalRow } from "./principals.ts";
import { principals, tokens, webSessions } from "./schema.ts";

export interface NewWebSession {
  /** SHA-256 of the cookie's value. */
  readonly hash: Buffer;
  readonly principalId: string;
  /** The gateway token that signed in; null when an identity provider did. */
  readonly tokenId: string | null;
  readonly groups: readonly string[];
  /** When the person proved to the identity provider who they are, where it says so. */
  readonly authenticatedAt?: Date | null;
  /** Sealed. */
  readonly idToken?: Buffer | null;
  /** The identity provider's own session. */
  readonly providerSession?: string | null;
  readonly expiresAt: Date;
}

export interface LiveWebSession {
  readonly principal: PrincipalRow;
  readonly groups: readonly string[];
  /** The gateway token that signed in; null when an identity provider did. */
  readonly token: {
    readonly id: string;
    readonly audiences: readonly Audience[];
    readonly expiresAt: Date | null;
  } | null;
  /** When the person signed in. */
  readonly createdAt: Date;
  readonly authenticatedAt: Date | null;
  readonly idToken: Buffer | null;
  readonly expiresAt: Date;
}

export async function insertWebSession(db: Queryable, session: NewWebSession): Promise<void> {
  await db.insert(webSessions).values({ ...session, groups: [...session.groups] });
}

/** A session that has not expired. One that a gateway token opened ends with that token: revoking it signs out as well. */
export async function findLiveWebSession(db: Queryable, hash: Buffer, now: Date): Promise<LiveWebSession | null> {
  const [row] = await db
    .select({
      principal: principals,
      groups: webSessions.groups,
      token: { id: tokens.id, audiences: tokens.audiences, expiresAt: tokens.expiresAt },
      createdAt: webSessions.createdAt,
      authenticatedAt: webSessions.authenticatedAt,
      idToken: webSessions.idToken,
      expiresAt: webSessions.expiresAt,
    })
    .from(webSessions)
    .innerJoin(principals, eq(webSessions.principalId, principals.id))
    .leftJoin(tokens, eq(webSessions.tokenId, tokens.id))
    .where(
      and(
        eq(webSessions.hash, hash),
        gt(webSessions.expiresAt, now),
        isNull(tokens.revokedAt),
        or(isNull(tokens.expiresAt), gt(tokens.expiresAt, now)),
      ),
    );
  return row ?? null;
}

export async function deleteWebSession(db: Queryable, hash: Buffer): Promise<void> {
  await db.delete(webSessions).where(eq(webSessions.hash, hash));
}

/**
 * Ends what sign-ins at the provider began here: those of one session there, where it is named, and those of the person of which is not known
 * which session they came from. Without one, all of the person's.
 * @returns how many have ended
 */
export async function deleteProviderWebSessions(
  db: Queryable,
  ended: { readonly issuer: string; readonly subject: string | null; readonly session: string | null },
): Promise<number> {
  const { issuer, subject, session } = ended;
  const ofIssuer = db
    .select({ id: principals.id })
    .from(principals)
    .where(and(eq(principals.issuer, issuer), subject === null ? undefined : eq(principals.subject, subject)));
  const ofSession =
    session === null
      ? undefined
      : or(
          eq(webSessions.providerSession, session),
          subject === null ? undefined : isNull(webSessions.providerSession),
        );
  const deleted = await db
    .delete(webSessions)
    .where(and(inArray(webSessions.principalId, ofIssuer), isNull(webSessions.tokenId), ofSession))
    .returning({ hash: webSessions.hash });
  return deleted.length;
}

export async function deleteExpiredWebSessions(db: Queryable, now: Date): Promise<void> {
  await db.delete(webSessions).where(lte(webSessions.expiresAt, now));
}
