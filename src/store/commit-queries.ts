/** Reading the commits of the record. Where their lines came from is in commit-links.ts. */
import { and, arrayOverlaps, desc, eq, gte, lt, or, sql } from "drizzle-orm";
import type { Requirement } from "./approvals.ts";
import type { Queryable } from "./database.ts";
import { pushConditions } from "./push-queries.ts";
import { containsText, type Page } from "./exchange-filters.ts";
import { pushHasRef, startsWithOid, toPage, type PageRequest, type RecordFilter } from "./record-filter.ts";
import { approvals, commits, commitSessions, principals, pushes, type PushStatus } from "./schema.ts";

export interface CommitRecord {
  readonly sha: string;
  readonly repository: string;
  readonly pushId: string;
  readonly pushStatus: PushStatus;
  readonly pusherId: string;
  /** E-mail address. */
  readonly pusher: string;
  readonly pusherKind: "person" | "service";
  readonly parents: readonly string[];
  readonly authorName: string;
  readonly authorEmail: string;
  readonly authoredAt: Date;
  readonly committerName: string;
  readonly committerEmail: string;
  readonly committedAt: Date;
  readonly message: string;
  /** Of the approval that its push waited for; null when it waited for none. */
  readonly requirements: readonly Requirement[] | null;
  /** Null while attribution has not read it. */
  readonly attributedAt: Date | null;
}

const columns = {
  sha: commits.oid,
  repository: commits.repository,
  pushId: commits.pushId,
  pushStatus: pushes.status,
  pusherId: pushes.principalId,
  pusher: principals.email,
  pusherKind: principals.kind,
  parents: commits.parents,
  authorName: commits.authorName,
  authorEmail: commits.authorEmail,
  authoredAt: commits.authoredAt,
  committerName: commits.committerName,
  committerEmail: commits.committerEmail,
  committedAt: commits.committedAt,
  message: commits.message,
  requirements: approvals.requirements,
  attributedAt: commits.attributedAt,
};

// The same commit comes again with every attempt to push it; the list has it once a repository, as the latest push brought it.
const isLatest = sql`not exists (select 1 from ${commits} as later
  where later.repository = ${commits.repository} and later.oid = ${commits.oid} and later.push_id > ${commits.pushId})`;

/** Newest push first. `status` is the push's. `next` is `<push id>:<sha>`. */
export async function listCommits(db: Queryable, filter: RecordFilter, page: PageRequest): Promise<Page<CommitRecord>> {
  const { since, until, sha, status, q } = filter;
  const [afterPush = "", afterSha = ""] = page.after?.split(":") ?? [];
  const rows = await db
    .select(columns)
    .from(commits)
    .innerJoin(pushes, eq(pushes.id, commits.pushId))
    .innerJoin(principals, eq(principals.id, pushes.principalId))
    .leftJoin(approvals, eq(approvals.pushId, pushes.id))
    .where(
      and(
        isLatest,
        ...pushConditions(filter),
        since === undefined ? undefined : gte(pushes.receivedAt, since),
        until === undefined ? undefined : lt(pushes.receivedAt, until),
        sha === undefined ? undefined : startsWithOid(commits.oid, sha),
        status === undefined ? undefined : eq(pushes.status, status as PushStatus),
        q === undefined
          ? undefined
          : or(
              containsText(commits.message, q),
              containsText(commits.authorName, q),
              containsText(commits.authorEmail, q),
            ),
        page.after === null
          ? undefined
          : sql`(${commits.pushId}, ${commits.oid}) < (${afterPush}::uuid, ${afterSha}::text)`,
      ),
    )
    .orderBy(desc(commits.pushId), desc(commits.oid))
    .limit(page.limit + 1);
  return toPage(rows, page.limit, (row) => `${row.pushId}:${row.sha}`);
}

/**
 * The commit in every repository where it was pushed, as the push brought it that got through (or the latest, where none did).
 * @param sha lower case, at least 7 digits from the start
 */
export async function findCommitRecords(
  db: Queryable,
  sha: string,
  repository: string | null,
): Promise<readonly CommitRecord[]> {
  const rows = await db
    .selectDistinctOn([commits.repository, commits.oid], columns)
    .from(commits)
    .innerJoin(pushes, eq(pushes.id, commits.pushId))
    .innerJoin(principals, eq(principals.id, pushes.principalId))
    .leftJoin(approvals, eq(approvals.pushId, pushes.id))
    .where(and(startsWithOid(commits.oid, sha), repository === null ? undefined : eq(commits.repository, repository)))
    .orderBy(
      commits.repository,
      commits.oid,
      sql`${pushes.status} <> 'delivered'`,
      sql`${commits.attributedAt} is null`,
      desc(commits.pushId),
    )
    .limit(50);
  return rows.sort((a, b) => (a.pushId < b.pushId ? 1 : -1));
}

/** Which commits an exchange has to be linked to. */
export type LinkFilter = Pick<RecordFilter, "repository" | "ref" | "sha">;

const linkConditions = ({ repository, ref, sha }: LinkFilter) =>
  and(
    repository === undefined ? undefined : eq(commits.repository, repository),
    ref === undefined ? undefined : pushHasRef(commits.pushId, ref),
    sha === undefined ? undefined : startsWithOid(commits.oid, sha),
  );

const onCommit = and(eq(commits.pushId, commitSessions.pushId), eq(commits.oid, commitSessions.oid));

/** Those of these exchanges that a commit which fits is linked to. */
export async function findLinkedExchanges(
  db: Queryable,
  ids: readonly string[],
  filter: LinkFilter,
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const rows = await db
    .select({ ids: commitSessions.exchangeIds })
    .from(commitSessions)
    .innerJoin(commits, onCommit)
    .where(and(arrayOverlaps(commitSessions.exchangeIds, [...ids]), linkConditions(filter)));
  return new Set(rows.flatMap((row) => row.ids));
}
