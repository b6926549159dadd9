/**
 * A push, top to bottom.
 *
 * It stands between two doors: received into a quarantine and read commit by commit, with nothing sent on, until the verdict is
 * written down. Only then does the second door open, or it stays shut. Whatever goes wrong on the way refuses the push: no ref
 * moves upstream without a recorded verdict that allows it.
 */
import type { Advertisement } from "../git/advertisement.ts";
import type { PushRequest } from "../git/push-exchange.ts";
import { openQuarantine } from "../git/quarantine.ts";
import { refusalReport, sameReason } from "../git/refusal.ts";
import { upstreamAddress } from "../git/upstream-address.ts";
import { newId } from "../model/id.ts";
import { isZeroOid } from "../model/ref-update.ts";
import type { Hold } from "../model/verdict.ts";
import { evaluatePush } from "../policy/evaluate.ts";
import { deliverToClient, outcomeElsewhere } from "./push/answer.ts";
import { checkAliases } from "./push/check-aliases.ts";
import { checkStale } from "./push/check-stale.ts";
import type { JudgedPush, PushDependencies } from "./push/dependencies.ts";
import { openHold } from "./push/open-hold.ts";
import { readPush } from "./push/reading.ts";
import { recordVerdict } from "./push/record.ts";
import { refuseBroken } from "./push/refuse-broken.ts";
import { renderHold, renderRejection, renderWaiting, renderWarnings } from "./push/texts.ts";
import { waitForDecision } from "./push/wait-for-decision.ts";

export function createPushFlow(deps: PushDependencies): (request: PushRequest) => Promise<void> {
  return async (request) => {
    const receivedAt = deps.now();
    try {
      await receiveAndDecide(deps, request, receivedAt);
    } catch (error) {
      await refuseBroken(deps, request, error);
    }
  };
}

/** The upstream's refs, and that none of those to be moved is another name for one. */
async function askUpstream(deps: PushDependencies, request: PushRequest): Promise<Advertisement> {
  const upstream = deps.upstream(request.connection.name);
  const advertised = await upstream.advertise(request.upstreamPath, "git-receive-pack", {
    clientHeaders: request.clientHeaders,
    signal: request.signal,
  });
  await checkAliases({ upstream, log: deps.log }, request, advertised);
  return advertised;
}

/** The first door: the pack comes in and is read; the verdict says whether the second one opens. */
async function receiveAndDecide(deps: PushDependencies, request: PushRequest, receivedAt: Date): Promise<void> {
  const { head } = request;
  // While the pack comes in. An upstream that is down has told so before a large one: to the probe that git sends first.
  const asked = askUpstream(deps, request);
  asked.catch(() => {});
  const cache = await deps.cache.open(
    request.repository,
    head.objectFormat,
    upstreamAddress(request.connection, request.upstreamPath, request.clientHeaders, deps.userAgent),
  );
  const blob = await deps.blobs.create();
  try {
    const quarantine = await openQuarantine({
      git: deps.git,
      root: deps.quarantineRoot,
      objectFormat: head.objectFormat,
      limits: deps.limits(request.repository),
      cache,
    });
    try {
      const received = await quarantine
        .receive({
          pack: request.body.rest(),
          sink: blob,
          bases: head.updates.map((update) => update.oldOid).filter((oid) => !isZeroOid(oid)),
          signal: request.signal,
        })
        .catch(async (error: unknown) => {
          // An upstream that does not answer is the reason for whatever else fails.
          await asked;
          throw error;
        });
      const advertised = await asked;
      const reading = await readPush({ request, advertised, quarantine, scanner: deps.scanner });
      const verdict = evaluatePush(deps.policies, reading.facts, {
        onFault: (check, error) => deps.log.error({ check, error }, "a policy check failed; the push is refused"),
      });
      const push: JudgedPush = { id: newId(), request, receivedAt, reading, verdict, cache, quarantine };
      switch (verdict.kind) {
        case "reject":
          return await reject(deps, push);
        case "allow":
          return await allow(deps, push, received.packBytes > 0 ? await blob.commit() : null);
        case "hold":
          checkStale(head.updates, advertised.refs);
          return await hold(deps, push, verdict.holds, received.packBytes > 0 ? await blob.commit() : null);
      }
    } finally {
      await quarantine.remove();
    }
  } finally {
    await blob.abort();
    await cache.release();
  }
}

/** The second door stays shut. */
async function reject(deps: PushDependencies, push: JudgedPush): Promise<void> {
  await recordVerdict(deps, push, { status: "rejected", packBlob: null });
  const { request, verdict, reading } = push;
  const reasons = new Map(
    verdict.refs.map(({ update, opinion }) => [
      update.ref,
      opinion.kind === "reject" ? opinion.reason : "not delivered: another ref of this push was refused",
    ]),
  );
  await request.exchange.finish(
    refusalReport({ head: request.head, reasons }),
    // Masked: the secret may be a ref's name, and these lines end in the logs of build machines.
    renderRejection({
      url: `${deps.publicUrl}/pushes/${push.id}`,
      refs: verdict.refs,
      findings: reading.facts.findings,
    }).map((line) => deps.scanner.mask(line).text),
  );
}

/** The second door opens at once. */
async function allow(deps: PushDependencies, push: JudgedPush, packBlob: string | null): Promise<void> {
  await recordVerdict(deps, push, { status: "delivering", packBlob });
  const warnings = renderWarnings(push.reading.facts.findings);
  const outcome = await deliverToClient(push.request, (options) => deps.delivery.deliver(push.id, options), warnings);
  if (outcome.status === "delivered") await adopt(push);
}

/** The push stands between the doors until a human has decided; its client is kept company for a while. */
async function hold(
  deps: PushDependencies,
  push: JudgedPush,
  holds: readonly Hold[],
  packBlob: string | null,
): Promise<void> {
  const { request, verdict } = push;
  const { exchange, signal } = request;
  const { pushId, approvalId } = await openHold(deps, push, holds, packBlob);
  const url = `${deps.publicUrl}/approvals/${approvalId}`;
  const waitMs = Math.min(...holds.map(({ requirement }) => requirement.waitMs));
  const lease = deps.delivery.holdLease(pushId);
  try {
    for (const line of renderHold({ repository: request.repository, url, refs: verdict.refs, waitMs }))
      exchange.progress(line);
    const end = await waitForDecision({
      db: deps.db,
      pushId,
      waitMs,
      heard: deps.heard,
      onKeepalive: (elapsedMs) => exchange.progress(renderWaiting(elapsedMs, waitMs)),
      signal: AbortSignal.any([signal, deps.stopping]),
      now: deps.now,
    });
    switch (end) {
      case "interrupted":
      case "timeout":
        if (request.connection.credential.kind === "passthrough") await deps.withdraw(pushId, CLIENT_LEFT);
        // Before the answer: whoever approves at once would otherwise find the push still taken, and wait for the next round.
        await lease.release();
        if (!signal.aborted) await answerHeld(request, url);
        return;
      case "approved": {
        exchange.progress("Approved; delivering.");
        const outcome = await deliverToClient(request, async (options) => {
          // Null: another gateway was quicker, and its outcome is this client's answer too.
          return (await deps.delivery.deliverApproved(pushId, options)) ?? outcomeElsewhere(deps, pushId, signal);
        });
        if (outcome.status === "delivered") await adopt(push);
        return;
      }
      case "closed":
        await deliverToClient(request, () => outcomeElsewhere(deps, pushId, signal));
        return;
    }
  } finally {
    await lease.release();
  }
}

/** What the upstream has taken is what the next push builds on. */
function adopt({ cache, quarantine, request, reading }: JudgedPush): Promise<void> {
  const tips = request.head.updates.map(({ newOid }) => newOid);
  return cache.adopt(
    quarantine,
    tips.filter((oid) => reading.objects.graph.has(oid)),
  );
}

/** Its patience is over, not the hold. */
const answerHeld = (request: PushRequest, url: string): Promise<void> =>
  request.exchange.finish(
    refusalReport({ head: request.head, reasons: sameReason(request.head, `held for approval: ${url}`) }),
  );

/** Nobody's password is stored: without the client's own credential there is nothing to deliver with. */
const CLIENT_LEFT = "the client stopped waiting, and its credential for the upstream left with it: push again";
