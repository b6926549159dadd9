/** Where a commit came from, as it is answered. */
import { and, asc, desc, eq, sql } from "drizzle-orm";
import type { LineVerdict } from "../model/attribution.ts";
import type { Queryable } from "./database.ts";
import { commitLines, commits, commitSessions, principals, pushes, sessions } from "./schema.ts";

/** `GET /api/v1/commits/:sha`, as it goes over the wire. */
export interface CommitAnswer {
  readonly sha: string;
  readonly repository: string;
  /** E-mail address. */
  readonly pusher: string;
  /** The push that brought it upstream. */
  readonly push: string;
  /** ISO 8601; null while attribution has not read it: `sessions` and `files` are empty then. */
  readonly attributed_at: string | null;
  /** Surest first. A session can be here twice, once for each reason. */
  readonly sessions: readonly {
    readonly id: string;
    readonly client: string;
    readonly confidence: number;
    readonly reason: "trailer" | "content";
    readonly exchanges: readonly string[];
  }[];
  readonly files: readonly CommitFileAnswer[];
}

export interface CommitFileAnswer {
  readonly path: string;
  /** Runs of added lines, 1-based and inclusive, in the new file. */
  readonly lines: readonly {
    readonly from: number;
    readonly to: number;
    readonly verdict: LineVerdict;
    readonly exchange: string | null;
    readonly session: string | null;
    readonly score: number;
  }[];
}

/** @param rows by path and line */
function groupByFile(rows: readonly (typeof commitLines.$inferSelect)[]): CommitFileAnswer[] {
  const files = new Map<string, CommitFileAnswer["lines"][number][]>();
  for (const { path, from, to, verdict, exchangeId, sessionId, score } of rows) {
    const lines = files.get(path) ?? [];
    if (lines.length === 0) files.set(path, lines);
    lines.push({ from, to, verdict, exchange: exchangeId, session: sessionId, score });
  }
  return [...files].map(([path, lines]) => ({ path, lines }));
}

/**
 * Where a commit came from, by its latest push that went through; one that attribution has read comes before one that it has not.
 * Pushes that were refused, held or failed did not bring it anywhere, and are not told of here.
 * @param sha the whole object id, lower case
 * @param repository `<connection>/<path>`; without it, whichever repository got the commit last
 * @returns null when no delivered push brought it
 */
export async function findCommit(db: Queryable, sha: string, repository?: string): Promise<CommitAnswer | null> {
  const [found] = await db
    .select({
      pushId: commits.pushId,
      repository: commits.repository,
      pusher: principals.email,
      attributedAt: commits.attributedAt,
    })
    .from(commits)
    .innerJoin(pushes, eq(pushes.id, commits.pushId))
    .innerJoin(principals, eq(principals.id, pushes.principalId))
    .where(
      and(
        eq(commits.oid, sha),
        eq(pushes.status, "delivered"),
        repository === undefined ? undefined : eq(commits.repository, repository),
      ),
    )
    .orderBy(sql`${commits.attributedAt} is null`, desc(pushes.receivedAt), desc(pushes.id))
    .limit(1);
  if (found === undefined) return null;
  const linked = await db
    .select({
      id: sessions.id,
      client: sessions.client,
      confidence: commitSessions.confidence,
      reason: commitSessions.reason,
      exchanges: commitSessions.exchangeIds,
    })
    .from(commitSessions)
    .innerJoin(sessions, eq(sessions.id, commitSessions.sessionId))
    .where(and(eq(commitSessions.pushId, found.pushId), eq(commitSessions.oid, sha)))
    .orderBy(desc(commitSessions.confidence), desc(commitSessions.reason), asc(sessions.id));
  const lines = await db
    .select()
    .from(commitLines)
    .where(and(eq(commitLines.pushId, found.pushId), eq(commitLines.oid, sha)))
    .orderBy(asc(commitLines.ordinal));
  return {
    sha,
    repository: found.repository,
    pusher: found.pusher,
    push: found.pushId,
    attributed_at: found.attributedAt?.toISOString() ?? null,
    sessions: linked,
    files: groupByFile(lines),
  };
}
