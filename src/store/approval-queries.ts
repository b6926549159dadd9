/** Reading approvals, for people and machines. What decides on them is in approvals.ts. */
import { and, asc, desc, eq, gte, inArray, lt, or, sql, type SQL } from "drizzle-orm";
import type { Requirement } from "./approvals.ts";
import type { Queryable } from "./database.ts";
import { findRefsOfPushes, pushConditions, type PushRefRecord } from "./push-queries.ts";
import { containsText, type Page } from "./exchange-filters.ts";
import { pushHasCommitText, pushHasOid, toPage, type PageRequest, type RecordFilter } from "./record-filter.ts";
import { approvals, decisions, principals, pushes, type ApprovalStatus, type PushStatus } from "./schema.ts";

export interface DecisionRecord {
  readonly deciderId: string;
  /** E-mail address. */
  readonly by: string;
  readonly kind: "person" | "service";
  readonly decision: "approve" | "deny";
  readonly reason: string;
  readonly groups: readonly string[];
  readonly decidedAt: Date;
}

export interface ApprovalRecord {
  readonly id: string;
  readonly status: ApprovalStatus;
  readonly pushId: string;
  readonly pushStatus: PushStatus;
  readonly repository: string;
  readonly pusherId: string;
  /** E-mail address. */
  readonly pusher: string;
  readonly pusherKind: "person" | "service";
  readonly requirements: readonly Requirement[];
  readonly requestedAt: Date;
  readonly expiresAt: Date;
  readonly closedAt: Date | null;
  readonly refs: readonly PushRefRecord[];
  /** Oldest first. */
  readonly decisions: readonly DecisionRecord[];
}

async function findDecisions(
  db: Queryable,
  approvalIds: readonly string[],
): Promise<ReadonlyMap<string, readonly DecisionRecord[]>> {
  const byApproval = new Map<string, DecisionRecord[]>();
  if (approvalIds.length === 0) return byApproval;
  const rows = await db
    .select({
      approvalId: decisions.approvalId,
      deciderId: decisions.principalId,
      by: principals.email,
      kind: principals.kind,
      decision: decisions.decision,
      reason: decisions.reason,
      groups: decisions.groups,
      decidedAt: decisions.decidedAt,
    })
    .from(decisions)
    .innerJoin(principals, eq(principals.id, decisions.principalId))
    .where(inArray(decisions.approvalId, [...approvalIds]))
    .orderBy(asc(decisions.decidedAt));
  for (const { approvalId, ...decision } of rows) {
    const made = byApproval.get(approvalId);
    if (made === undefined) byApproval.set(approvalId, [decision]);
    else made.push(decision);
  }
  return byApproval;
}

async function selectApprovals(
  db: Queryable,
  where: readonly (SQL | undefined)[],
  limit: number,
): Promise<readonly ApprovalRecord[]> {
  const rows = await db
    .select({
      id: approvals.id,
      status: approvals.status,
      pushId: approvals.pushId,
      pushStatus: pushes.status,
      repository: pushes.repository,
      pusherId: pushes.principalId,
      pusher: principals.email,
      pusherKind: principals.kind,
      requirements: approvals.requirements,
      requestedAt: approvals.requestedAt,
      expiresAt: approvals.expiresAt,
      closedAt: approvals.closedAt,
    })
    .from(approvals)
    .innerJoin(pushes, eq(pushes.id, approvals.pushId))
    .innerJoin(principals, eq(principals.id, pushes.principalId))
    .where(and(...where))
    .orderBy(desc(approvals.id))
    .limit(limit);
  const [refs, made] = await Promise.all([
    findRefsOfPushes(
      db,
      rows.map((row) => row.pushId),
    ),
    findDecisions(
      db,
      rows.map((row) => row.id),
    ),
  ]);
  return rows.map((row) => ({ ...row, refs: refs.get(row.pushId) ?? [], decisions: made.get(row.id) ?? [] }));
}

const decisionHolds = (text: string): SQL =>
  sql`exists (select 1 from ${decisions} where ${decisions.approvalId} = ${approvals.id} and ${containsText(decisions.reason, text)})`;

/** Newest first. `user` is the pusher; `since` and `until` are about when it was asked for. */
export async function listApprovals(
  db: Queryable,
  filter: RecordFilter,
  page: PageRequest,
): Promise<Page<ApprovalRecord>> {
  const { since, until, sha, status, q } = filter;
  const rows = await selectApprovals(
    db,
    [
      ...pushConditions(filter),
      since === undefined ? undefined : gte(approvals.requestedAt, since),
      until === undefined ? undefined : lt(approvals.requestedAt, until),
      sha === undefined ? undefined : pushHasOid(pushes.id, sha),
      status === undefined ? undefined : eq(approvals.status, status as ApprovalStatus),
      q === undefined
        ? undefined
        : or(containsText(pushes.repository, q), pushHasCommitText(pushes.id, q), decisionHolds(q)),
      page.after === null ? undefined : lt(approvals.id, page.after),
    ],
    page.limit + 1,
  );
  return toPage(rows, page.limit, (row) => row.id);
}

/** @returns null when there is no such approval */
export async function findApprovalRecord(db: Queryable, approvalId: string): Promise<ApprovalRecord | null> {
  const [row] = await selectApprovals(db, [eq(approvals.id, approvalId)], 1);
  return row ?? null;
}
