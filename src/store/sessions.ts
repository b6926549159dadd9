/** Conversations of people with Copilot. */
import { and, desc, eq, exists, gte, ilike, inArray, lt, not, or, sql, type SQL } from "drizzle-orm";
import type { ExchangeStatus } from "../model/exchange.ts";
import { isId } from "../model/id.ts";
import type { Queryable, Transaction } from "./database.ts";
import { decodeCursor, encodeCursor, type Page } from "./exchange-filters.ts";
import type { LockedSession } from "./messages.ts";
import { pushHasRef, startsWithOid } from "./record-filter.ts";
import { parseMaskToken } from "../model/mask-token.ts";
import { commits, commitSessions, exchanges, maskSightings, principals, sessions } from "./schema.ts";
import { holdsText } from "./session-text.ts";

export interface NewSession {
  readonly id: string;
  readonly principalId: string;
  readonly connection: string;
  readonly client: string;
  readonly clientKey: string;
  /** Masked. */
  readonly title: string | null;
  readonly at: Date;
}

/**
 * Opens the session, or touches the one that this person has under this key. Its row stays locked until the transaction ends:
 * exchanges of one session are recorded one by one.
 */
export async function openSession(db: Queryable, session: NewSession): Promise<LockedSession> {
  const { at, ...values } = session;
  const [row] = await db
    .insert(sessions)
    .values({ ...values, startedAt: at, lastActiveAt: at })
    .onConflictDoUpdate({
      target: [sessions.principalId, sessions.connection, sessions.clientKey],
      set: {
        lastActiveAt: sql`greatest(${sessions.lastActiveAt}, excluded.last_active_at)`,
        title: sql`coalesce(${sessions.title}, excluded.title)`,
      },
    })
    .returning({ id: sessions.id, messageCount: sessions.messageCount });
  return row as LockedSession;
}

/** An exchange whose conversation a request may continue. */
export interface EarlierExchange {
  readonly sessionId: string;
  readonly clientKey: string;
  readonly status: ExchangeStatus;
  readonly history: Buffer;
  readonly historyAfter: Buffer | null;
}

/** Requests that are being placed at once, on the same beginning: a conversation must not become two. */
const PLACING_LOCK = 0x73657373;
/** A beginning that so many exchanges share says nothing. */
const MOST_EARLIER = 64;

/** Until the transaction ends, no other request of the person begins a conversation. */
export async function lockPlacing(tx: Transaction, principalId: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${PLACING_LOCK}, hashtext(${principalId}))`);
}

/** The person's exchanges after whose request or answer the conversation was one of these, the latest first. */
export async function findEarlierExchanges(
  db: Queryable,
  scope: { readonly principalId: string; readonly connection: string },
  histories: readonly Buffer[],
): Promise<readonly EarlierExchange[]> {
  const rows = await db
    .select({
      sessionId: exchanges.sessionId,
      clientKey: sessions.clientKey,
      status: exchanges.status,
      history: exchanges.history,
      historyAfter: exchanges.historyAfter,
    })
    .from(exchanges)
    .innerJoin(sessions, eq(sessions.id, exchanges.sessionId))
    .where(
      and(
        eq(exchanges.principalId, scope.principalId),
        eq(exchanges.connection, scope.connection),
        or(inArray(exchanges.history, [...histories]), inArray(exchanges.historyAfter, [...histories])),
      ),
    )
    .orderBy(desc(exchanges.id))
    .limit(MOST_EARLIER);
  return rows.flatMap((row) => (row.history === null ? [] : [{ ...row, history: row.history }]));
}

export interface SessionRecord {
  readonly id: string;
  readonly principalId: string;
  readonly user: string;
  readonly userKind: "person" | "service";
  readonly connection: string;
  readonly client: string;
  readonly clientKey: string;
  readonly title: string | null;
  readonly startedAt: Date;
  readonly lastActiveAt: Date;
  readonly exchanges: number;
}

export interface SessionFilter {
  /** An e-mail address (without case) or a principal's id. */
  readonly user?: string;
  readonly since?: Date;
  readonly until?: Date;
  readonly connection?: string;
  readonly client?: string;
  /** Sessions in which this model was asked at least once. */
  readonly model?: string;
  /** Sessions with at least one exchange in this status. */
  readonly status?: string;
  /** Sessions that a commit of this repository was linked to. */
  readonly repository?: string;
  /** Sessions that a commit of a push to this ref was linked to: its full name, or a branch's or tag's short one. */
  readonly ref?: string;
  /** Sessions that a commit was linked to whose id begins so, lower case. */
  readonly sha?: string;
  /** Text in the title or in any message. */
  readonly q?: string;
  readonly cursor?: string;
  /** 1..200; 50 by default. */
  readonly limit?: number;
}

const columns = {
  id: sessions.id,
  principalId: sessions.principalId,
  user: principals.email,
  userKind: principals.kind,
  connection: sessions.connection,
  client: sessions.client,
  clientKey: sessions.clientKey,
  title: sessions.title,
  startedAt: sessions.startedAt,
  lastActiveAt: sessions.lastActiveAt,
  exchanges: sql<number>`(select count(*)::int from ${exchanges} e where e.session_id = ${sessions.id})`,
};

export async function findSession(db: Queryable, id: string): Promise<SessionRecord | null> {
  if (!isId(id)) return null;
  const [row] = await db
    .select(columns)
    .from(sessions)
    .innerJoin(principals, eq(principals.id, sessions.principalId))
    .where(eq(sessions.id, id));
  return row ?? null;
}

/** The person's own session under the client's conversation id (a commit's `Copilot-Session` trailer quotes it), the newest first. */
export async function findSessionByClientKey(
  db: Queryable,
  principalId: string,
  clientKey: string,
): Promise<SessionRecord | null> {
  const [row] = await db
    .select(columns)
    .from(sessions)
    .innerJoin(principals, eq(principals.id, sessions.principalId))
    .where(and(eq(sessions.principalId, principalId), eq(sessions.clientKey, clientKey)))
    .orderBy(desc(sessions.lastActiveAt))
    .limit(1);
  return row ?? null;
}

/** Conversations, the latest activity first. What no conversation belongs to (model lists, refused paths) is not among them. */
export async function listSessions(db: Queryable, filter: SessionFilter): Promise<Page<SessionRecord>> {
  const limit = Math.min(Math.max(filter.limit ?? 50, 1), 200);
  const rows = await db
    .select(columns)
    .from(sessions)
    .innerJoin(principals, eq(principals.id, sessions.principalId))
    .where(and(not(ilike(sessions.clientKey, "none:%")), ...conditions(db, filter, await holdsText(db, filter.q))))
    .orderBy(desc(sessions.lastActiveAt), desc(sessions.id))
    .limit(limit + 1);
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const next = rows.length > limit && last !== undefined ? encodeCursor(last.lastActiveAt, last.id) : null;
  return { items, next };
}

/** How many sessions fit, counted no further than `most`. */
export async function countSessions(db: Queryable, filter: SessionFilter, most: number): Promise<number> {
  const fitting = db
    .select({ id: sessions.id })
    .from(sessions)
    .innerJoin(principals, eq(principals.id, sessions.principalId))
    .where(and(not(ilike(sessions.clientKey, "none:%")), ...conditions(db, filter, await holdsText(db, filter.q))))
    .limit(most)
    .as("fitting");
  const [row] = await db.select({ count: sql<number>`count(*)::int` }).from(fitting);
  return row?.count ?? 0;
}

/** @param holding what fits the text that is looked for */
function conditions(db: Queryable, filter: SessionFilter, holding: SQL | undefined): (SQL | undefined)[] {
  const { user, since, until, connection, client, model, status, repository, ref, sha, q } = filter;
  // Where a secret was masked is known without reading every message for it.
  const mask = q === undefined ? null : parseMaskToken(q);
  const cursor = filter.cursor === undefined ? null : decodeCursor(filter.cursor);
  return [
    user && (isId(user) ? eq(sessions.principalId, user) : sql`lower(${principals.email}) = lower(${user})`),
    since && gte(sessions.lastActiveAt, since),
    until && lt(sessions.startedAt, until),
    connection && eq(sessions.connection, connection),
    client && eq(sessions.client, client),
    model &&
      exists(
        db
          .select({ one: sql`1` })
          .from(exchanges)
          .where(and(eq(exchanges.sessionId, sessions.id), eq(exchanges.model, model))),
      ),
    status &&
      exists(
        db
          .select({ one: sql`1` })
          .from(exchanges)
          .where(and(eq(exchanges.sessionId, sessions.id), sql`${exchanges.status} = ${status}`)),
      ),
    (repository !== undefined || ref !== undefined || sha !== undefined) &&
      exists(
        db
          .select({ one: sql`1` })
          .from(commitSessions)
          .innerJoin(commits, and(eq(commits.pushId, commitSessions.pushId), eq(commits.oid, commitSessions.oid)))
          .where(
            and(
              eq(commitSessions.sessionId, sessions.id),
              repository === undefined ? undefined : eq(commits.repository, repository),
              ref === undefined ? undefined : pushHasRef(commits.pushId, ref),
              sha === undefined ? undefined : startsWithOid(commits.oid, sha),
            ),
          ),
      ),
    mask &&
      exists(
        db
          .select({ one: sql`1` })
          .from(maskSightings)
          .where(
            and(
              eq(maskSightings.sessionId, sessions.id),
              eq(maskSightings.fingerprint, mask.fingerprint),
              eq(maskSightings.kind, mask.kind),
            ),
          ),
      ),
    q !== undefined && q !== "" && mask === null && holding,
    cursor &&
      sql`(${sessions.lastActiveAt}, ${sessions.id}) < (${cursor.at.toISOString()}::timestamptz, ${cursor.id}::uuid)`,
  ].map((condition) => (typeof condition === "object" && condition !== null ? condition : undefined));
}
