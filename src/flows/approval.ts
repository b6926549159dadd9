/**
 * Deciding on a held push.
 *
 * An approval belongs to one push, and a push to one connection, repository, set of old and new ids and policy version: nothing
 * else can be approved by it. Approvers are distinct humans, never the pusher, never counted twice.
 */
import type { BlobStore } from "../blobs/blob-store.ts";
import { err, ok, type Result } from "../errors.ts";
import {
  findApprovalOfPush,
  findExpired,
  insertDecision,
  listDecisions,
  lockApproval,
  moveApproval,
  type Approval,
} from "../store/approvals.ts";
import type { Database, Queryable, Transaction } from "../store/database.ts";
import { insertEvent } from "../store/events.ts";
import { finishPush } from "../store/push-record.ts";
import { isApprover, whyNotDecide, type Decider, type SignInRule } from "./approval/decider.ts";

export interface ApprovalRequest {
  readonly approvalId: string;
  readonly decider: Decider;
  readonly decision: "approve" | "deny";
  /** Why, in the decider's words; shown to others, escaped. */
  readonly reason: string;
}

export interface DecisionRefusal {
  readonly kind: "not_found" | "forbidden" | "not_pending";
  readonly message: string;
}

export interface ApprovalDependencies {
  readonly db: Database;
  /** Where the packs of pushes that wait are. */
  readonly blobs: Pick<BlobStore, "delete">;
  /** Tells waiting clients and the delivery job of every gateway, when the transaction commits. */
  readonly announce: (tx: Queryable, pushId: string) => Promise<void>;
  readonly mask: (text: string) => string;
  /** Of the policy in force. */
  readonly policyVersion: string;
  /** Null: there is no identity provider. */
  readonly signIns: SignInRule | null;
  readonly now: () => Date;
}

export interface ApprovalFlow {
  decide(request: ApprovalRequest): Promise<Result<void, DecisionRefusal>>;
  /** Closes what nobody decided in time. @returns how many */
  expire(): Promise<number>;
  /** Closes a hold for another reason than a decision; does nothing where it is closed already. */
  withdraw(pushId: string, why: string): Promise<void>;
}

const refuse = (kind: DecisionRefusal["kind"], message: string): Result<never, DecisionRefusal> =>
  err({ kind, message });

/** Whether every requirement has its own count of distinct approvers. */
async function isSatisfied(tx: Transaction, approval: Approval): Promise<boolean> {
  const approving = (await listDecisions(tx, approval.id)).filter((decision) => decision.decision === "approve");
  return approval.requirements.every((requirement) => {
    const count = approving.filter(
      (decision) => decision.principalId !== approval.pusherId && isApprover(decision, requirement.approvers),
    ).length;
    return count >= requirement.approvals;
  });
}

export function createApprovalFlow(deps: ApprovalDependencies): ApprovalFlow {
  const close = async (
    tx: Transaction,
    approval: Approval,
    status: "denied" | "expired",
    error: string,
    now: Date,
  ): Promise<{ readonly pack: string | null } | null> => {
    if (!(await moveApproval(tx, approval.id, "pending", status, now))) return null;
    const pack = await finishPush(tx, approval.pushId, { status, upstreamStatus: new Map(), error, finishedAt: now });
    await deps.announce(tx, approval.pushId);
    return { pack };
  };

  /**
   * Deletes the pack of a push that ended: it lies in clear, and may hold what nobody should keep. Call it when that is written; a pack of
   * another gateway's, or one that cannot be deleted now, housekeeping finds.
   */
  const release = async (closed: { readonly pack: string | null } | null): Promise<void> => {
    if (closed?.pack != null) await deps.blobs.delete(closed.pack).catch(() => {});
  };

  const decide = async (request: ApprovalRequest): Promise<Result<void, DecisionRefusal>> => {
    let closed: Awaited<ReturnType<typeof close>> = null;
    const decided = await deps.db.transaction(async (tx): Promise<Result<void, DecisionRefusal>> => {
      closed = null;
      const now = deps.now();
      const approval = await lockApproval(tx, request.approvalId);
      if (approval === null) return refuse("not_found", `there is no approval ${request.approvalId}`);
      const { principal } = request.decider;
      const reason = whyNotDecide(request.decider, approval, deps.signIns, now);
      if (reason !== null) return refuse("forbidden", reason.message);
      if (approval.status !== "pending")
        return refuse(
          "not_pending",
          // `consumed` is a word of ours: approved, and the approval used up by a delivery.
          `this push is no longer pending: it is ${approval.status === "consumed" ? "approved" : approval.status} already`,
        );
      if (approval.policyVersion !== deps.policyVersion) {
        // Its question was asked under another policy: who may answer, and how many must, may not be what it is now.
        closed = await close(
          tx,
          approval,
          "expired",
          "the policy has changed since this push was held: push again",
          now,
        );
        return refuse("not_pending", "the policy has changed since this push was held: it has to be pushed again");
      }
      if (approval.expiresAt <= now) return refuse("not_pending", "this request has expired: push again to ask anew");

      const isFirst = await insertDecision(tx, {
        approvalId: approval.id,
        principalId: principal.id,
        decision: request.decision,
        reason: deps.mask(request.reason),
        groups: principal.groups,
        decidedAt: now,
      });
      if (!isFirst) return refuse("not_pending", "you have decided on this push before; the first decision stands");
      await insertEvent(tx, {
        kind: `approval.${request.decision}`,
        principalId: principal.id,
        repository: null,
        subject: approval.id,
        data: { push: approval.pushId },
      });

      if (request.decision === "deny") {
        closed = await close(tx, approval, "denied", `denied by ${principal.email}`, now);
      } else if (await isSatisfied(tx, approval)) {
        await moveApproval(tx, approval.id, "pending", "approved", now);
        await deps.announce(tx, approval.pushId);
      }
      return ok(undefined);
    });
    await release(closed);
    return decided;
  };

  const expire = async (): Promise<number> => {
    let count = 0;
    for (const approvalId of await findExpired(deps.db, deps.now())) {
      const closed = await deps.db.transaction(async (tx) => {
        const approval = await lockApproval(tx, approvalId);
        if (approval === null) return null;
        return close(tx, approval, "expired", "nobody approved it in time: push again to ask anew", deps.now());
      });
      if (closed !== null) count += 1;
      await release(closed);
    }
    return count;
  };

  const withdraw = async (pushId: string, why: string): Promise<void> => {
    const closed = await deps.db.transaction(async (tx) => {
      const found = await findApprovalOfPush(tx, pushId);
      const approval = found === null ? null : await lockApproval(tx, found.id);
      return approval === null ? null : close(tx, approval, "expired", why, deps.now());
    });
    await release(closed);
  };

  return { decide, expire, withdraw };
}
