/**
 * Sending a push to its upstream: once, by the gateway itself, also when the client is gone or the gateway was stopped in between.
 *
 * The client's own command section and pack are sent again byte for byte, so the upstream makes the same compare-and-swap on
 * the old object ids that the client asked for: a ref that has moved meanwhile is refused by the upstream, never forced.
 */
import { GatewayError } from "../errors.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import type { PushReport } from "../git/report-status.ts";
import { DeliveryError } from "../git/upstream-delivery.ts";
import type { ClientHeaders } from "../git/upstream-headers.ts";
import type { GitUpstream } from "../git/upstream.ts";
import type { Logger } from "../model/log.ts";
import type { PushPolicy } from "../policy/schema.ts";
import { claimApproval } from "../store/approvals.ts";
import type { Database } from "../store/database.ts";
import { recordEnd } from "../store/push-record.ts";
import {
  claimInterrupted,
  findPush,
  setLease,
  setStatus,
  type DeliverablePush,
  type PushOutcome,
} from "../store/pushes.ts";
import type { PushStatus } from "../store/schema.ts";
import { checkDangling, hasRulesForRefs } from "./push/check-dangling.ts";
import { keepLease, leaseEnd } from "./push/lease.ts";
import { compareRefs, outcomeOfReport } from "./push/outcomes.ts";
import type { CommandSeal, PushCommands } from "./push/sealed-commands.ts";

/** For so long an interrupted delivery waits for the gateway that has its pack: then the pack counts as lost. */
const PACK_LOST_MS = 24 * 60 * 60_000;

export interface DeliveryDependencies {
  readonly db: Database;
  readonly blobs: BlobStore;
  /** @throws GatewayError `not_found` when the connection is no longer configured */
  readonly upstream: (connection: string) => GitUpstream;
  readonly policies: readonly PushPolicy[];
  readonly mask: (text: string) => string;
  readonly seal: CommandSeal;
  /** Of signals: on which waiting clients of every gateway hear how the push ended. */
  readonly channel: string;
  /** Called after a push has been delivered: attribution reads it then. */
  readonly onDelivered: () => void;
  readonly log: Logger;
  readonly now: () => Date;
}

export interface Delivery {
  /**
   * Delivers a push that is recorded as `delivering`, with a lease that this gateway has just got. Never throws for what the upstream
   * does.
   */
  deliver(push: DeliverablePush, options?: DeliverOptions): Promise<PushOutcome>;
  /** Delivers an approved push if nobody else has begun to. @returns null when somebody else has */
  deliverApproved(pushId: string, options?: DeliverOptions): Promise<PushOutcome | null>;
  /** Whether this gateway can deliver the push: gateways that share a database need not share their data directories, or keys. */
  hasPack(pushId: string): Promise<boolean>;
  /** Finishes what a stopped gateway was delivering: asks the upstream's refs what became of it. @returns how many */
  recoverInterrupted(): Promise<number>;
  /** Tells other gateways, until `release` is called, that this one works on the push. */
  holdLease(pushId: string): { release(): Promise<void> };
}

export interface DeliverOptions {
  /** The upstream's own progress text (sideband 2), as it comes. */
  readonly onMessage?: (text: string) => void;
  /** The upstream's own report, when there is one. */
  readonly onReport?: (report: PushReport) => void;
  /** The client's own headers, where its credentials go through untouched (`credential: passthrough`). */
  readonly clientHeaders?: ClientHeaders;
  /** A commit that the upstream has. */
  readonly known?: string;
}

export function createDelivery(deps: DeliveryDependencies): Delivery {
  /** Null: another gateway has sealed them, with a key of its own. */
  const openCommands = (push: DeliverablePush): PushCommands | null => deps.seal.open(push.id, push.head);
  /** As they are upstream, or, where only another gateway can read that, as the record names them. */
  const placeOf = (push: DeliverablePush): Pick<PushCommands, "updates" | "upstreamPath"> =>
    openCommands(push) ?? {
      updates: push.refs,
      upstreamPath: push.upstreamPath,
    };

  const finish = async (push: DeliverablePush, outcome: PushOutcome): Promise<PushOutcome> => {
    const recorded = [...outcome.upstreamStatus].map(([ref, status]) => [deps.mask(ref), status] as const);
    const released = await recordEnd(deps.db, push.id, {
      outcome: { ...outcome, upstreamStatus: new Map(recorded) },
      event: {
        kind: `push.${outcome.status}`,
        principalId: push.principalId,
        repository: push.repository,
        subject: push.id,
        data: { refs: push.refs.map((ref) => ref.ref) },
      },
      channel: deps.channel,
    });
    if (released !== null) await deps.blobs.delete(released);
    if (outcome.status === "delivered") deps.onDelivered();
    return outcome;
  };

  const outcomeOf = (
    status: PushStatus,
    refs: Iterable<readonly [string, string]>,
    error: string | null,
  ): PushOutcome => ({ status, upstreamStatus: new Map(refs), error, finishedAt: deps.now() });

  /** The request was sent and no answer came back: the upstream's refs are the only witness. */
  const outcomeUnseen = async (push: DeliverablePush, cause: GatewayError): Promise<PushOutcome> => {
    const { updates, upstreamPath } = placeOf(push);
    const refs = updates.map(({ ref }) => ref);
    try {
      const advertised = await deps.upstream(push.connection).advertise(upstreamPath, "git-receive-pack");
      if (compareRefs(updates, advertised.refs) === "delivered") {
        return outcomeOf(
          "delivered",
          refs.map((ref) => [ref, "ok"] as const),
          null,
        );
      }
    } catch (error) {
      deps.log.warn({ push: push.id, error }, "the upstream could not be asked what became of a push");
    }
    const text = `the upstream did not say what became of this push (${cause.message}): look at its refs before pushing again`;
    return outcomeOf(
      "indeterminate",
      refs.map((ref) => [ref, "unknown"] as const),
      text,
    );
  };

  /** Null where this gateway has not got what the push is delivered with. */
  const bytesHere = async (push: DeliverablePush): Promise<number | null> => {
    const { packBlob } = push;
    if (openCommands(push) === null) return null;
    if (packBlob === null) return 0;
    try {
      return await deps.blobs.size(packBlob);
    } catch (error) {
      if (error instanceof GatewayError && error.code === "not_found") return null;
      throw error;
    }
  };

  const hasPack = async (pushId: string): Promise<boolean> => {
    const push = await findPush(deps.db, pushId);
    return push !== null && (await bytesHere(push)) !== null;
  };

  const send = async (push: DeliverablePush, options: DeliverOptions): Promise<PushOutcome> => {
    try {
      const commands = openCommands(push);
      const packBytes = await bytesHere(push);
      if (commands === null || packBytes === null)
        throw new GatewayError("not_found", "the gateway no longer has what was pushed: push it again");
      const upstream = deps.upstream(push.connection);
      if (hasRulesForRefs(deps.policies, push.repository)) {
        const { upstreamPath, updates } = commands;
        await checkDangling({ ...options, upstream, upstreamPath, updates, log: deps.log });
      }
      const pack = push.packBlob === null ? null : await deps.blobs.open(push.packBlob);
      const { report } = await upstream.deliver(commands.upstreamPath, {
        head: commands.head,
        pack,
        packBytes,
        ...(options.clientHeaders === undefined ? {} : { clientHeaders: options.clientHeaders }),
        ...(options.onMessage === undefined ? {} : { onMessage: options.onMessage }),
      });
      options.onReport?.(report);
      return outcomeOfReport(report, deps.mask, deps.now());
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      deps.log.warn({ push: push.id, repository: push.repository, error }, "a push could not be delivered");
      if (error instanceof DeliveryError && error.outcome === "unknown") return outcomeUnseen(push, error);
      return outcomeOf("undelivered", [], deps.mask(error.message));
    }
  };

  const holdLease: Delivery["holdLease"] = (pushId) => {
    const lease = keepLease(deps, pushId);
    lease.renew();
    return lease;
  };

  const deliver = async (push: DeliverablePush, options: DeliverOptions = {}): Promise<PushOutcome> => {
    const lease = keepLease(deps, push.id);
    try {
      // The record of the end lets go of the lease as well.
      return await finish(push, await send(push, options));
    } catch (error) {
      await lease.release();
      throw error;
    } finally {
      lease.stop();
    }
  };

  const deliverApproved = async (pushId: string, options: DeliverOptions = {}): Promise<PushOutcome | null> => {
    const isMine = await deps.db.transaction(async (tx) => {
      if (!(await claimApproval(tx, pushId))) return false;
      await setStatus(tx, pushId, "delivering", leaseEnd(deps.now()));
      return true;
    });
    if (!isMine) return null;
    const push = await findPush(deps.db, pushId);
    if (push === null) throw new GatewayError("not_found", `push ${pushId} is not in the record`);
    return deliver(push, options);
  };

  const recover = async (pushId: string): Promise<void> => {
    const push = await findPush(deps.db, pushId);
    if (push === null) return;
    const { updates, upstreamPath } = placeOf(push);
    const advertised = await deps.upstream(push.connection).advertise(upstreamPath, "git-receive-pack");
    const refs = updates.map(({ ref }) => ref);
    switch (compareRefs(updates, advertised.refs)) {
      case "delivered":
        await finish(
          push,
          outcomeOf(
            "delivered",
            refs.map((ref) => [ref, "ok"] as const),
            null,
          ),
        );
        return;
      case "untouched":
        // The gateway that has its pack may come back; without a lease it can take over at once.
        if ((await bytesHere(push)) === null && deps.now().getTime() - push.receivedAt.getTime() < PACK_LOST_MS) {
          await setLease(deps.db, pushId, null);
          return;
        }
        // Sending it again is safe: the upstream compares the old ids, so it can take effect once at most.
        await setLease(deps.db, pushId, leaseEnd(deps.now()));
        await deliver(push);
        return;
      case "unclear":
        await finish(
          push,
          outcomeOf(
            "indeterminate",
            refs.map((ref) => [ref, "unknown"] as const),
            "the gateway was stopped while it delivered this push, and the upstream's refs have moved since: compare them by hand",
          ),
        );
    }
  };

  const recoverInterrupted = async (): Promise<number> => {
    const now = deps.now();
    const claimed = await claimInterrupted(deps.db, now, leaseEnd(now));
    for (const pushId of claimed) {
      try {
        await recover(pushId);
      } catch (error) {
        // It stays `delivering`, and the next round asks again: the upstream may just be down.
        deps.log.warn({ push: pushId, error }, "an interrupted delivery could not be finished yet");
      }
    }
    return claimed.length;
  };

  return { deliver, deliverApproved, hasPack, recoverInterrupted, holdLease };
}
