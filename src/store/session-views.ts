/** What the pages show of sessions beyond the record itself: sums for the lists, and what came of a session. */
import { and, desc, eq, gte, inArray, sql } from "drizzle-orm";
import { firstIdOf } from "../model/id.ts";
import type { ExchangeStatus } from "../model/exchange.ts";
import type { Requirement } from "./approvals.ts";
import type { Queryable } from "./database.ts";
import {
  approvals,
  commits,
  commitSessions,
  exchanges,
  maskSightings,
  principals,
  pushes,
  sessions,
  type PushStatus,
} from "./schema.ts";

/** A session at a glance. */
export interface SessionSummary {
  readonly models: readonly string[];
  /** How its exchanges ended, and how often so. */
  readonly statuses: Readonly<Partial<Record<ExchangeStatus, number>>>;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Of the input, what the upstream had in its cache. */
  readonly cachedTokens: number;
  /** Different secrets that were masked in it. */
  readonly secrets: number;
  /** Different commits that are linked to it, by repository. */
  readonly commits: Readonly<Record<string, number>>;
}

const EMPTY: SessionSummary = {
  models: [],
  statuses: {},
  inputTokens: 0,
  outputTokens: 0,
  cachedTokens: 0,
  secrets: 0,
  commits: {},
};

/** Of the sessions of one page. Those without anything are there, too. */
export async function findSessionSummaries(
  db: Queryable,
  ids: readonly string[],
): Promise<ReadonlyMap<string, SessionSummary>> {
  if (ids.length === 0) return new Map();
  const [counted, masked, linked] = await Promise.all([
    db
      .select({
        id: exchanges.sessionId,
        status: exchanges.status,
        count: sql<number>`count(*)::int`,
        models: sql<
          string[]
        >`coalesce(array_agg(distinct ${exchanges.model}) filter (where ${exchanges.model} is not null), '{}')`,
        inputTokens: sql<number>`coalesce(sum(${exchanges.inputTokens}), 0)::float8`,
        outputTokens: sql<number>`coalesce(sum(${exchanges.outputTokens}), 0)::float8`,
        cachedTokens: sql<number>`coalesce(sum(${exchanges.cachedTokens}), 0)::float8`,
      })
      .from(exchanges)
      .where(inArray(exchanges.sessionId, [...ids]))
      .groupBy(exchanges.sessionId, exchanges.status),
    db
      .select({ id: maskSightings.sessionId, count: sql<number>`count(distinct ${maskSightings.fingerprint})::int` })
      .from(maskSightings)
      .where(inArray(maskSightings.sessionId, [...ids]))
      .groupBy(maskSightings.sessionId),
    db
      .select({
        id: commitSessions.sessionId,
        repository: commits.repository,
        count: sql<number>`count(distinct ${commits.oid})::int`,
      })
      .from(commitSessions)
      .innerJoin(commits, and(eq(commits.pushId, commitSessions.pushId), eq(commits.oid, commitSessions.oid)))
      .where(inArray(commitSessions.sessionId, [...ids]))
      .groupBy(commitSessions.sessionId, commits.repository),
  ]);
  return new Map(
    ids.map((id) => {
      const rows = counted.filter((row) => row.id === id);
      return [
        id,
        rows.length === 0
          ? EMPTY
          : {
              models: [...new Set(rows.flatMap((row) => row.models))].sort(),
              statuses: Object.fromEntries(rows.map((row) => [row.status, row.count])),
              inputTokens: rows.reduce((sum, row) => sum + row.inputTokens, 0),
              outputTokens: rows.reduce((sum, row) => sum + row.outputTokens, 0),
              cachedTokens: rows.reduce((sum, row) => sum + row.cachedTokens, 0),
              secrets: masked.find((row) => row.id === id)?.count ?? 0,
              commits: Object.fromEntries(
                linked.filter((row) => row.id === id).map((row) => [row.repository, row.count]),
              ),
            },
      ];
    }),
  );
}

/** A commit that a session is linked to. */
export interface LinkedCommit {
  readonly sha: string;
  readonly repository: string;
  /** The first line of its message, masked. */
  readonly subject: string;
  readonly pushId: string;
  readonly pushStatus: PushStatus;
  readonly pusherId: string;
  readonly receivedAt: Date;
  /** Of the approval that its push waited for; null when it waited for none. */
  readonly requirements: readonly Requirement[] | null;
  readonly reason: "trailer" | "content";
  readonly confidence: number;
  /** Those of the session's exchanges that it came from. */
  readonly exchanges: readonly string[];
}

const MAX_COMMITS = 200;

/** What came of a session, the latest push first; a commit once a repository, by its surest reason. */
export async function findSessionCommits(db: Queryable, sessionId: string): Promise<readonly LinkedCommit[]> {
  const rows = await db
    .select({
      sha: commits.oid,
      repository: commits.repository,
      subject: sql<string>`left(split_part(${commits.message}, E'\n', 1), 300)`,
      pushId: commits.pushId,
      pushStatus: pushes.status,
      pusherId: pushes.principalId,
      receivedAt: pushes.receivedAt,
      requirements: approvals.requirements,
      reason: commitSessions.reason,
      confidence: commitSessions.confidence,
      exchanges: commitSessions.exchangeIds,
    })
    .from(commitSessions)
    .innerJoin(commits, and(eq(commits.pushId, commitSessions.pushId), eq(commits.oid, commitSessions.oid)))
    .innerJoin(pushes, eq(pushes.id, commits.pushId))
    .leftJoin(approvals, eq(approvals.pushId, pushes.id))
    .where(eq(commitSessions.sessionId, sessionId))
    .orderBy(desc(pushes.id), desc(commits.ordinal), desc(commitSessions.confidence))
    .limit(MAX_COMMITS);
  const once = new Map<string, LinkedCommit>();
  for (const row of rows) {
    const key = `${row.repository} ${row.sha}`;
    const known = once.get(key);
    once.set(
      key,
      known === undefined ? row : { ...known, exchanges: [...new Set([...known.exchanges, ...row.exchanges])] },
    );
  }
  return [...once.values()];
}

/** How surely each commit of a push came from a session: the surest of its links. Commits without one are not in it. */
export async function findPushLinks(db: Queryable, pushId: string): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .select({ oid: commitSessions.oid, confidence: sql<number>`max(${commitSessions.confidence})` })
    .from(commitSessions)
    .where(eq(commitSessions.pushId, pushId))
    .groupBy(commitSessions.oid);
  return new Map(rows.map(({ oid, confidence }) => [oid, confidence]));
}

/** What the filters of the list can be set to: names that came up lately. */
export interface SessionChoices {
  readonly clients: readonly string[];
  readonly models: readonly string[];
}

/** How many of the latest rows are looked at: the choices are a help, not an inventory. */
const LATEST = 2_000;
const MAX_CHOICES = 100;

/** @param principalId only this person's; null: everybody's */
export async function findSessionChoices(db: Queryable, principalId: string | null): Promise<SessionChoices> {
  const ofSessions = db
    .select({ name: sessions.client })
    .from(sessions)
    .where(principalId === null ? undefined : eq(sessions.principalId, principalId))
    .orderBy(desc(sessions.lastActiveAt))
    .limit(LATEST)
    .as("latest_sessions");
  const ofExchanges = db
    .select({ name: exchanges.model })
    .from(exchanges)
    .where(principalId === null ? undefined : eq(exchanges.principalId, principalId))
    .orderBy(principalId === null ? desc(exchanges.id) : desc(exchanges.startedAt))
    .limit(LATEST)
    .as("latest_exchanges");
  const [clients, models] = await Promise.all([
    db.selectDistinct().from(ofSessions).orderBy(ofSessions.name).limit(MAX_CHOICES),
    db.selectDistinct().from(ofExchanges).orderBy(ofExchanges.name).limit(MAX_CHOICES),
  ]);
  return {
    clients: clients.map(({ name }) => name),
    models: models.flatMap(({ name }) => (name === null ? [] : [name])),
  };
}

const isConversation = sql`${exchanges.format} in ('chat-completions', 'responses', 'messages', 'completions')`;

/** What went on lately, in numbers. */
export interface Activity {
  readonly sessions: number;
  readonly exchanges: number;
  /** Exchanges that did not come through whole. */
  readonly troubled: number;
  readonly pushes: number;
  readonly delivered: number;
  readonly rejected: number;
}

/** @param principalId of this person's alone; null: of everybody's */
export async function countActivity(db: Queryable, since: Date, principalId: string | null): Promise<Activity> {
  const [[said], [pushed]] = await Promise.all([
    db
      .select({
        sessions: sql<number>`count(distinct ${exchanges.sessionId}) filter (where ${isConversation})::int`,
        exchanges: sql<number>`count(*) filter (where ${isConversation})::int`,
        troubled: sql<number>`count(*) filter (where ${exchanges.status} in ('truncated', 'upstream_failed', 'refused'))::int`,
      })
      .from(exchanges)
      .where(
        and(
          gte(exchanges.id, firstIdOf(since)),
          principalId === null ? undefined : eq(exchanges.principalId, principalId),
        ),
      ),
    db
      .select({
        pushes: sql<number>`count(*)::int`,
        delivered: sql<number>`count(*) filter (where ${pushes.status} = 'delivered')::int`,
        rejected: sql<number>`count(*) filter (where ${pushes.status} = 'rejected')::int`,
      })
      .from(pushes)
      .innerJoin(principals, eq(principals.id, pushes.principalId))
      .where(
        and(gte(pushes.id, firstIdOf(since)), principalId === null ? undefined : eq(pushes.principalId, principalId)),
      ),
  ]);
  return {
    sessions: said?.sessions ?? 0,
    exchanges: said?.exchanges ?? 0,
    troubled: said?.troubled ?? 0,
    pushes: pushed?.pushes ?? 0,
    delivered: pushed?.delivered ?? 0,
    rejected: pushed?.rejected ?? 0,
  };
}
