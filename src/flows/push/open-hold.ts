import { newId } from "../../model/id.ts";
import type { Transaction } from "../../store/database.ts";
import { findApprovalOfPush, insertApproval } from "../../store/approvals.ts";
import { insertEvent } from "../../store/events.ts";
import { insertOutbox } from "../../store/outbox.ts";
import { insertPush } from "../../store/push-record.ts";
import { findOpenHold } from "../../store/pushes.ts";
import type { PushDependencies, PushPart } from "./dependencies.ts";
import { holdMessage } from "./hold-message.ts";
import type { PartPack } from "./parts.ts";
import { readRefDiffs } from "./ref-diffs.ts";
import { bindingOf, eventOf, pushRow } from "./record.ts";

/** A question that waits for its answer. */
export interface OpenHold {
  /** The push that it is about: this one, or the same one that was pushed before. */
  readonly pushId: string;
  readonly approvalId: string;
}

/** The hold that the same push opened before, if it still waits. */
export async function findHold(deps: PushDependencies, part: PushPart): Promise<OpenHold | null> {
  const binding = bindingOf(part, deps.policyVersion);
  const pushId = await findOpenHold(deps.db, part.push.request.principal.id, binding);
  const approval = pushId === null ? null : await findApprovalOfPush(deps.db, pushId);
  return pushId === null || approval === null ? null : { pushId, approvalId: approval.id };
}

/** Makes a hold ready. `write` records it with the message about it: to be called in the transaction of the whole push. */
export async function prepareHold(
  deps: PushDependencies,
  part: PushPart,
  pack: PartPack | null,
): Promise<{ readonly hold: OpenHold; readonly write: (tx: Transaction) => Promise<void> }> {
  const { request, reading } = part.push;
  const { holds } = part.verdict;
  const mask = (text: string): string => deps.scanner.maskName(text);
  const refs = new Set(part.head.updates.map(({ ref }) => ref));
  const diffs = await readRefDiffs(reading, deps.scanner, (ref) => refs.has(ref));
  const approvalId = newId();
  const requestedAt = deps.now();
  const expiresAt = new Date(
    requestedAt.getTime() + Math.min(...holds.map(({ requirement }) => requirement.expiresMs)),
  );
  const requirements = holds.map(({ reason, requirement }) => ({
    approvers: requirement.approvers,
    approvals: requirement.approvals,
    reason: mask(reason),
  }));
  const message = holdMessage({
    approvalId,
    pushId: part.id,
    url: `${deps.publicUrl}/approvals/${approvalId}`,
    request,
    facts: part.facts,
    holds,
    requestedAt,
    expiresAt,
    mask,
  });
  return {
    hold: { pushId: part.id, approvalId },
    write: async (tx) => {
      await insertPush(tx, pushRow(deps, part, { status: "held", pack, diffs }));
      await insertEvent(tx, eventOf(deps, part, "push.held"));
      await insertApproval(tx, { id: approvalId, pushId: part.id, requirements, requestedAt, expiresAt });
      await insertOutbox(
        tx,
        deps.notifiers.map((notifier) => ({
          notifier,
          kind: "approval_requested",
          createdAt: requestedAt,
          payload: message,
        })),
      );
    },
  };
}
