import { newId } from "../../model/id.ts";
import type { Hold } from "../../model/verdict.ts";
import { findApprovalOfPush, insertApproval } from "../../store/approvals.ts";
import { insertEvent } from "../../store/events.ts";
import { insertOutbox } from "../../store/outbox.ts";
import { findOpenHold, insertPush } from "../../store/pushes.ts";
import type { JudgedPush, PushDependencies } from "./dependencies.ts";
import { holdMessage } from "./hold-message.ts";
import { readRefDiffs } from "./reading.ts";
import { bindingOf, eventOf, pushRow } from "./record.ts";

/** The hold and the message about it, in one transaction; or the hold that the same push opened before. */
export async function openHold(
  deps: PushDependencies,
  push: JudgedPush,
  holds: readonly Hold[],
  packBlob: string | null,
): Promise<{ readonly pushId: string; readonly approvalId: string }> {
  const { request } = push;
  const binding = bindingOf(request, deps.policyVersion);
  const open = await findOpenHold(deps.db, request.principal.id, binding);
  if (open !== null) {
    const approval = await findApprovalOfPush(deps.db, open);
    if (approval !== null) {
      if (packBlob !== null) await deps.blobs.delete(packBlob);
      return { pushId: open, approvalId: approval.id };
    }
  }
  const diffs = await readRefDiffs(push.reading, deps.scanner);
  const approvalId = newId();
  const requestedAt = deps.now();
  const expiresAt = new Date(
    requestedAt.getTime() + Math.min(...holds.map(({ requirement }) => requirement.expiresMs)),
  );
  await deps.db.transaction(async (tx) => {
    await insertPush(tx, pushRow(deps, push, { status: "held", packBlob, diffs }));
    await insertEvent(tx, eventOf(push, "push.held"));
    const requirements = holds.map(({ reason, requirement }) => ({
      approvers: requirement.approvers,
      approvals: requirement.approvals,
      reason,
    }));
    await insertApproval(tx, { id: approvalId, pushId: push.id, requirements, requestedAt, expiresAt });
    await insertOutbox(
      tx,
      deps.notifiers.map((notifier) => ({
        notifier,
        kind: "approval_requested",
        createdAt: requestedAt,
        payload: holdMessage({
          approvalId,
          pushId: push.id,
          url: `${deps.publicUrl}/approvals/${approvalId}`,
          request,
          facts: push.reading.facts,
          holds,
          requestedAt,
          expiresAt,
          mask: (text) => deps.scanner.mask(text).text,
        }),
      })),
    );
  });
  deps.onTold();
  return { pushId: push.id, approvalId };
}
