import type { Delivery } from "../flows/delivery.ts";
import type { Logger } from "../model/log.ts";
import { findApprovedUnattended } from "../store/approvals.ts";
import type { Database } from "../store/database.ts";
import { createLoop, type Loop } from "./loop.ts";

/** Rounds are also begun by every decision; this is for what a stopped gateway left behind. */
const EVERY_MS = 10_000;

/** Delivers approved pushes whose client no longer waits, and finishes deliveries that a stopped gateway had begun. */
export function createDeliveriesJob(deps: {
  readonly db: Database;
  readonly delivery: Delivery;
  readonly log: Logger;
  readonly now: () => Date;
}): Loop {
  return createLoop({
    name: "deliveries",
    everyMs: EVERY_MS,
    log: deps.log,
    run: async () => {
      await deps.delivery.recoverInterrupted();
      for (const { pushId, expiresAt } of await findApprovedUnattended(deps.db, deps.now())) {
        // Its pack may be with another gateway, which is away: the push waits for that one, as long as a decision may take.
        const isOverdue = expiresAt <= deps.now();
        if (!isOverdue && !(await deps.delivery.hasPack(pushId))) continue;
        const outcome = await deps.delivery.deliverApproved(pushId);
        if (outcome === null) continue;
        const told = { push: pushId, status: outcome.status };
        if (outcome.status === "delivered") deps.log.info(told, "an approved push was delivered");
        else deps.log.warn({ ...told, reason: outcome.error }, "an approved push was not delivered");
      }
    },
  });
}
