/** Approvals and their decisions. Every change of status names the status it expects. */
import { and, eq, isNull, lt, lte, or } from "drizzle-orm";
import type { Queryable, Transaction } from "./database.ts";
import { approvals, decisions, principals, pushes, type ApprovalStatus } from "./schema.ts";

export interface Requirement {
  readonly approvers: readonly string[];
  readonly approvals: number;
  readonly reason: string;
}

export interface NewApproval {
  readonly id: string;
  readonly pushId: string;
  readonly requirements: readonly Requirement[];
  readonly requestedAt: Date;
  readonly expiresAt: Date;
}

export async function insertApproval(tx: Transaction, approval: NewApproval): Promise<void> {
  await tx.insert(approvals).values({ ...approval, status: "pending" });
}

export interface Approval extends NewApproval {
  readonly status: ApprovalStatus;
  readonly pusherId: string;
  /** Of the policy that asked. */
  readonly policyVersion: string;
}

export async function findApprovalOfPush(db: Queryable, pushId: string): Promise<Approval | null> {
  const [row] = await db
    .select({ approval: approvals, pusherId: pushes.principalId, policyVersion: pushes.policyVersion })
    .from(approvals)
    .innerJoin(pushes, eq(pushes.id, approvals.pushId))
    .where(eq(approvals.pushId, pushId));
  return row === undefined ? null : { ...row.approval, pusherId: row.pusherId, policyVersion: row.policyVersion };
}

/** Locks the approval until the transaction ends, so that two decisions at once are counted one after the other. */
export async function lockApproval(tx: Transaction, approvalId: string): Promise<Approval | null> {
  const [row] = await tx
    .select({ approval: approvals, pusherId: pushes.principalId, policyVersion: pushes.policyVersion })
    .from(approvals)
    .innerJoin(pushes, eq(pushes.id, approvals.pushId))
    .where(eq(approvals.id, approvalId))
    .for("update", { of: approvals });
  return row === undefined ? null : { ...row.approval, pusherId: row.pusherId, policyVersion: row.policyVersion };
}

export interface NewDecision {
  readonly approvalId: string;
  readonly principalId: string;
  readonly decision: "approve" | "deny";
  readonly reason: string;
  readonly groups: readonly string[];
  readonly decidedAt: Date;
}

/** @returns false when this person has decided before; the first decision stands */
export async function insertDecision(tx: Transaction, decision: NewDecision): Promise<boolean> {
  const rows = await tx
    .insert(decisions)
    .values({ ...decision, groups: [...decision.groups] })
    .onConflictDoNothing()
    .returning({ principalId: decisions.principalId });
  return rows.length === 1;
}

export interface Decision extends NewDecision {
  readonly email: string;
  readonly kind: "person" | "service";
}

export async function listDecisions(db: Queryable, approvalId: string): Promise<readonly Decision[]> {
  const rows = await db
    .select({ decision: decisions, email: principals.email, kind: principals.kind })
    .from(decisions)
    .innerJoin(principals, eq(principals.id, decisions.principalId))
    .where(eq(decisions.approvalId, approvalId))
    .orderBy(decisions.decidedAt);
  return rows.map((row) => ({ ...row.decision, email: row.email, kind: row.kind }));
}

/** @returns false when the approval no longer had the status `from` */
export async function moveApproval(
  tx: Transaction,
  approvalId: string,
  from: ApprovalStatus,
  to: ApprovalStatus,
  closedAt: Date | null,
): Promise<boolean> {
  const rows = await tx
    .update(approvals)
    .set({ status: to, closedAt })
    .where(and(eq(approvals.id, approvalId), eq(approvals.status, from)))
    .returning({ id: approvals.id });
  return rows.length === 1;
}

/**
 * Consumes the approval of a push: of any number of gateways and callers exactly one gets true, and only that one may
 * deliver. Call in the transaction that sets the push to `delivering`.
 */
export async function claimApproval(tx: Transaction, pushId: string): Promise<boolean> {
  const rows = await tx
    .update(approvals)
    .set({ status: "consumed" })
    .where(and(eq(approvals.pushId, pushId), eq(approvals.status, "approved")))
    .returning({ id: approvals.id });
  return rows.length === 1;
}

/** Approved pushes that no gateway's client waits for any more, and until when they were open for a decision. */
export function findApprovedUnattended(
  db: Queryable,
  now: Date,
): Promise<readonly { readonly pushId: string; readonly expiresAt: Date }[]> {
  return db
    .select({ pushId: approvals.pushId, expiresAt: approvals.expiresAt })
    .from(approvals)
    .innerJoin(pushes, eq(pushes.id, approvals.pushId))
    .where(and(eq(approvals.status, "approved"), or(isNull(pushes.leaseUntil), lt(pushes.leaseUntil, now))));
}

export async function findExpired(db: Queryable, now: Date): Promise<readonly string[]> {
  const rows = await db
    .select({ id: approvals.id })
    .from(approvals)
    .where(and(eq(approvals.status, "pending"), lte(approvals.expiresAt, now)));
  return rows.map((row) => row.id);
}
