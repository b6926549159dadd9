import { isDatabaseAway, type Database } from "../../store/database.ts";
import { findApprovalOfPush } from "../../store/approvals.ts";

/** How a wait ended. `closed`: denied, expired, or delivered by another gateway: the record of the push says which. */
export type WaitEnd = "approved" | "closed" | "timeout" | "interrupted";

/** Sideband text this often keeps git, proxies and people content; silence dies at 60 s behind a default nginx. */
const KEEPALIVE_MS = 5_000;

export interface WaitOptions {
  readonly db: Database;
  readonly pushId: string;
  readonly waitMs: number;
  /** Resolves early when something about this push was announced; true then, false after `timeoutMs`. */
  readonly heard: (pushId: string, timeoutMs: number, signal: AbortSignal) => Promise<boolean>;
  /** Called at every keepalive with the time that has passed. */
  readonly onKeepalive: (elapsedMs: number) => void;
  /** Ends the wait at once: the client is gone, or the gateway is being stopped. */
  readonly signal: AbortSignal;
  readonly now: () => Date;
}

/** Keeps the client company until somebody has decided, its patience ends, or it leaves. */
export async function waitForDecision(options: WaitOptions): Promise<WaitEnd> {
  const begun = options.now().getTime();
  for (;;) {
    const status = await findStatus(options);
    if (status === "approved") return "approved";
    if (status === "closed") return "closed";
    if (options.signal.aborted) return "interrupted";
    const elapsed = options.now().getTime() - begun;
    if (elapsed >= options.waitMs) return "timeout";
    // The announcement only shortens the wait: the record is asked again in any case, so a lost one costs seconds, not the push.
    const isHeard = await options.heard(
      options.pushId,
      Math.min(KEEPALIVE_MS, options.waitMs - elapsed),
      options.signal,
    );
    if (!isHeard && !options.signal.aborted) options.onKeepalive(options.now().getTime() - begun);
  }
}

/** A database that is away is no decision: the hold is recorded, and the client may as well wait until there is news again. */
async function findStatus({ db, pushId }: WaitOptions): Promise<"approved" | "pending" | "closed"> {
  try {
    const approval = await findApprovalOfPush(db, pushId);
    return approval?.status === "approved" || approval?.status === "pending" ? approval.status : "closed";
  } catch (error) {
    if (isDatabaseAway(error)) return "pending";
    throw error;
  }
}
