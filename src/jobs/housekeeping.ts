import type { BlobStore } from "../blobs/blob-store.ts";
import type { ApprovalFlow } from "../flows/approval.ts";
import type { Logger } from "../model/log.ts";
import { deleteOldAttempts } from "../store/attempts.ts";
import type { Database } from "../store/database.ts";
import { closeAbandonedExchanges, touchGateway } from "../store/exchanges.ts";
import { deleteOldAuthorizationCodes } from "../store/authorization-codes.ts";
import { deleteOldDeviceCodes } from "../store/device-codes.ts";
import { deleteExpiredCopilotTokens } from "../store/oauth-copilot-tokens.ts";
import { findKeptPacks } from "../store/pushes.ts";
import { deleteOldFetches, FETCH_BATCH } from "../store/fetches.ts";
import { deleteOldExchanges, hasMoreToDelete } from "../store/retention.ts";
import { deleteExpiredUpstreamIds } from "../store/upstream-ids.ts";
import { deleteExpiredWebSessions } from "../store/web-sessions.ts";
import { createLoop, type Loop } from "./loop.ts";

const EVERY_MS = 15_000;
/** A blob younger than this may belong to a push whose record is still being written. */
const ORPHAN_AGE_MS = 60 * 60_000;
/** One of before the start may not: nobody is left to write its record, once the database has taken what was on its way to it. */
const LEFT_BEHIND_MS = 60_000;
/** A gateway says every round that it is there. One that has missed several is gone, and so is what it had open. */
const UNSEEN_MS = 2 * 60_000;
const BATCH = 500;

/** Closes what nobody decided in time, and clears away what a stopped gateway left. */
export function createHousekeepingJob(deps: {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly approvals: Pick<ApprovalFlow, "expire">;
  /** This gateway, and when it was started: what it had open before is what it left when it was killed. */
  readonly gateway: { readonly id: string; readonly startedAt: Date };
  /** How long exchanges and fetches are kept, in milliseconds. */
  readonly keepMs: number;
  readonly log: Logger;
  readonly now: () => Date;
}): Loop {
  const removeOrphans = async (keys: readonly string[]): Promise<void> => {
    const kept = await findKeptPacks(deps.db, keys);
    for (const key of keys) if (!kept.has(key)) await deps.blobs.delete(key);
  };

  const sweepBlobs = async (): Promise<void> => {
    let candidates: string[] = [];
    const [now, startedAt] = [deps.now().getTime(), deps.gateway.startedAt.getTime()];
    const before = now - startedAt < LEFT_BEHIND_MS ? now - ORPHAN_AGE_MS : Math.max(startedAt, now - ORPHAN_AGE_MS);
    for await (const { key, createdAt } of deps.blobs.list()) {
      if (createdAt >= before) continue;
      candidates.push(key);
      if (candidates.length === BATCH) {
        await removeOrphans(candidates);
        candidates = [];
      }
    }
    if (candidates.length > 0) await removeOrphans(candidates);
  };

  const forgetOld = async (): Promise<void> => {
    const before = new Date(deps.now().getTime() - deps.keepMs);
    while ((await deleteOldFetches(deps.db, before)) >= FETCH_BATCH);
    for (let count = await deleteOldExchanges(deps.db, before); hasMoreToDelete(count);) {
      count = await deleteOldExchanges(deps.db, before);
    }
  };

  return createLoop({
    name: "housekeeping",
    everyMs: EVERY_MS,
    log: deps.log,
    run: async () => {
      await touchGateway(deps.db, deps.gateway.id, deps.now());
      await closeAbandonedExchanges(deps.db, deps.gateway, new Date(deps.now().getTime() - UNSEEN_MS));
      await deps.approvals.expire();
      await forgetOld();
      await deleteExpiredWebSessions(deps.db, deps.now());
      await deleteExpiredUpstreamIds(deps.db, deps.now());
      await deleteOldDeviceCodes(deps.db, deps.now());
      await deleteOldAuthorizationCodes(deps.db, deps.now());
      await deleteExpiredCopilotTokens(deps.db, deps.now());
      await deleteOldAttempts(deps.db, deps.now());
      await sweepBlobs();
    },
  });
}
