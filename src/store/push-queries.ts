/** Reading the record of pushes, for people and machines. What the push flow writes and claims is in pushes.ts. */
import { and, asc, desc, eq, gte, inArray, lt, ne, or, sql, type SQL } from "drizzle-orm";
import type { Requirement } from "./approvals.ts";
import type { Queryable } from "./database.ts";
import type { RecordedObservation } from "./pushes.ts";
import { containsText, type Page } from "./exchange-filters.ts";
import {
  isUser,
  pushHasCommitText,
  pushHasOid,
  pushHasRef,
  toPage,
  type PageRequest,
  type RecordFilter,
} from "./record-filter.ts";
import {
  approvals,
  commits,
  findings,
  principals,
  pushes,
  pushRefs,
  refDiffs,
  type ApprovalStatus,
  type PushStatus,
} from "./schema.ts";

export interface PushRefRecord {
  readonly ref: string;
  readonly oldOid: string;
  readonly newOid: string;
  readonly forced: boolean;
  readonly verdict: "allow" | "hold" | "reject";
  readonly reason: string | null;
  readonly observed: readonly RecordedObservation[];
  readonly upstreamStatus: string | null;
}

export interface PushRecord {
  readonly id: string;
  readonly status: PushStatus;
  /** The first of those that came as one push and got different verdicts; null for that one, and for most. */
  readonly partOf: string | null;
  readonly connection: string;
  readonly repository: string;
  readonly pusherId: string;
  /** E-mail address. */
  readonly pusher: string;
  readonly pusherKind: "person" | "service";
  readonly receivedAt: Date;
  readonly finishedAt: Date | null;
  readonly error: string | null;
  readonly userAgent: string;
  readonly packBytes: number;
  readonly refs: readonly PushRefRecord[];
  readonly commitCount: number;
  readonly findingCount: number;
  readonly approval: {
    readonly id: string;
    readonly status: ApprovalStatus;
    readonly requirements: readonly Requirement[];
  } | null;
}

const columns = {
  id: pushes.id,
  status: pushes.status,
  partOf: pushes.partOf,
  connection: pushes.connection,
  repository: pushes.repository,
  pusherId: pushes.principalId,
  pusher: principals.email,
  pusherKind: principals.kind,
  receivedAt: pushes.receivedAt,
  finishedAt: pushes.finishedAt,
  error: pushes.error,
  userAgent: pushes.userAgent,
  packBytes: pushes.packBytes,
  commitCount: sql<number>`(select count(*)::int from ${commits} where ${commits.pushId} = ${pushes.id})`,
  findingCount: sql<number>`(select count(*)::int from ${findings} where ${findings.pushId} = ${pushes.id})`,
  approvalId: approvals.id,
  approvalStatus: approvals.status,
  requirements: approvals.requirements,
};

/** The refs of several pushes at once, by push. */
export async function findRefsOfPushes(
  db: Queryable,
  pushIds: readonly string[],
): Promise<ReadonlyMap<string, readonly PushRefRecord[]>> {
  const byPush = new Map<string, PushRefRecord[]>();
  if (pushIds.length === 0) return byPush;
  const rows = await db
    .select()
    .from(pushRefs)
    .where(inArray(pushRefs.pushId, [...pushIds]))
    .orderBy(asc(pushRefs.pushId), asc(pushRefs.ordinal));
  for (const { pushId, ordinal: _ordinal, ...ref } of rows) {
    const refs = byPush.get(pushId);
    if (refs === undefined) byPush.set(pushId, [ref]);
    else refs.push(ref);
  }
  return byPush;
}

/** The conditions on a push that its approval and its commits share. Times are left to the caller. */
export const pushConditions = (filter: RecordFilter): (SQL | undefined)[] => [
  filter.user === undefined ? undefined : isUser(filter.user),
  filter.connection === undefined ? undefined : eq(pushes.connection, filter.connection),
  filter.repository === undefined ? undefined : eq(pushes.repository, filter.repository),
  filter.ref === undefined ? undefined : pushHasRef(pushes.id, filter.ref),
];

const findingHolds = (text: string): SQL =>
  sql`exists (select 1 from ${findings} where ${findings.pushId} = ${pushes.id} and ${or(containsText(findings.rule, text), containsText(findings.path, text), containsText(findings.description, text))})`;

/** @param where further conditions on `pushes` and its pusher in `principals` */
async function selectPushes(
  db: Queryable,
  where: readonly (SQL | undefined)[],
  limit: number,
): Promise<readonly PushRecord[]> {
  const rows = await db
    .select(columns)
    .from(pushes)
    .innerJoin(principals, eq(principals.id, pushes.principalId))
    .leftJoin(approvals, eq(approvals.pushId, pushes.id))
    .where(and(...where))
    .orderBy(desc(pushes.id))
    .limit(limit);
  const refs = await findRefsOfPushes(
    db,
    rows.map((row) => row.id),
  );
  return rows.map(({ approvalId: id, approvalStatus: status, requirements, ...row }) => ({
    ...row,
    refs: refs.get(row.id) ?? [],
    approval: id === null || status === null ? null : { id, status, requirements: requirements ?? [] },
  }));
}

/** Newest first. `since` and `until` are about when the push was received. */
export async function listPushes(db: Queryable, filter: RecordFilter, page: PageRequest): Promise<Page<PushRecord>> {
  const { since, until, sha, status, q } = filter;
  const rows = await selectPushes(
    db,
    [
      ...pushConditions(filter),
      since === undefined ? undefined : gte(pushes.receivedAt, since),
      until === undefined ? undefined : lt(pushes.receivedAt, until),
      sha === undefined ? undefined : pushHasOid(pushes.id, sha),
      status === undefined ? undefined : eq(pushes.status, status as PushStatus),
      q === undefined
        ? undefined
        : or(
            containsText(pushes.repository, q),
            containsText(pushes.error, q),
            pushHasCommitText(pushes.id, q),
            findingHolds(q),
          ),
      page.after === null ? undefined : lt(pushes.id, page.after),
    ],
    page.limit + 1,
  );
  return toPage(rows, page.limit, (row) => row.id);
}

export type FindingRecord = Omit<typeof findings.$inferSelect, "pushId">;
export type PushedCommit = Omit<typeof commits.$inferSelect, "pushId" | "repository" | "attributedAt">;
export type RefDiffRecord = Omit<typeof refDiffs.$inferSelect, "pushId">;

export interface PushDetail extends PushRecord {
  readonly pushOptions: readonly string[];
  /** Newest first; at most {@link COMMITS_SHOWN} of `commitCount`. */
  readonly commits: readonly PushedCommit[];
  /** At most {@link FINDINGS_SHOWN} of `findingCount`, what blocks first. */
  readonly findings: readonly FindingRecord[];
  /** What the approver sees of each ref. */
  readonly diffs: readonly RefDiffRecord[];
  /** The other pushes that came as one with this. */
  readonly parts: readonly { readonly id: string; readonly status: PushStatus }[];
}

const COMMITS_SHOWN = 500;
const FINDINGS_SHOWN = 500;

/** @returns null when there is no such push */
export async function findPushDetail(db: Queryable, pushId: string): Promise<PushDetail | null> {
  const [push] = await selectPushes(db, [eq(pushes.id, pushId)], 1);
  if (push === undefined) return null;
  const [[options], commitRows, findingRows, diffRows, parts] = await Promise.all([
    db.select({ pushOptions: pushes.pushOptions }).from(pushes).where(eq(pushes.id, pushId)),
    db.select().from(commits).where(eq(commits.pushId, pushId)).orderBy(desc(commits.ordinal)).limit(COMMITS_SHOWN),
    db
      .select()
      .from(findings)
      .where(eq(findings.pushId, pushId))
      .orderBy(asc(findings.severity), asc(findings.id))
      .limit(FINDINGS_SHOWN),
    db.select().from(refDiffs).where(eq(refDiffs.pushId, pushId)).orderBy(asc(refDiffs.ref)),
    findOtherParts(db, push),
  ]);
  return {
    ...push,
    pushOptions: options?.pushOptions ?? [],
    commits: commitRows,
    findings: findingRows,
    diffs: diffRows,
    parts,
  };
}

function findOtherParts(db: Queryable, { id, partOf }: PushRecord): Promise<PushDetail["parts"]> {
  const first = partOf ?? id;
  return db
    .select({ id: pushes.id, status: pushes.status })
    .from(pushes)
    .where(and(or(eq(pushes.id, first), eq(pushes.partOf, first)), ne(pushes.id, id)))
    .orderBy(asc(pushes.id));
}
