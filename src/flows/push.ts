/**
 * A push, top to bottom.
 *
 * It stands between two doors: received into a quarantine and read commit by commit, with nothing sent on, until the verdict is
 * written down. Only then does the second door open, or it stays shut. Whatever goes wrong on the way refuses the push: no ref
 * moves upstream without a recorded verdict that allows it.
 */
import { GatewayError } from "../errors.ts";
import type { Advertisement } from "../git/advertisement.ts";
import { createCommitVerifier } from "../git/commit-signature.ts";
import type { PushRequest } from "../git/push-exchange.ts";
import { openQuarantine, type Quarantine } from "../git/quarantine.ts";
import { refusalReport, sameReason } from "../git/refusal.ts";
import { upstreamAddress } from "../git/upstream-address.ts";
import { isZeroOid } from "../model/ref-update.ts";
import type { Verdict } from "../model/verdict.ts";
import { evaluatePush } from "../policy/evaluate.ts";
import { policyFor } from "../policy/match.ts";
import type { NewPush } from "../store/pushes.ts";
import { answerClient, deliverPart, outcomeElsewhere, type PartAnswer } from "./push/answer.ts";
import { checkAliases } from "./push/check-aliases.ts";
import { branchOf } from "./push/check-dangling.ts";
import { checkCreated } from "./push/check-created.ts";
import { checkSigned } from "./push/check-signed.ts";
import { checkPointers } from "./push/check-pointers.ts";
import { refuseStale } from "./push/check-stale.ts";
import { createBaseline } from "./push/baseline.ts";
import type { PushDependencies, PushPart } from "./push/dependencies.ts";
import type { OpenHold } from "./push/open-hold.ts";
import { cutByVerdict } from "./push/parts.ts";
import { readPush, type PushReading } from "./push/reading.ts";
import { recordParts, type RecordedParts } from "./push/record-parts.ts";
import { refusePointers } from "./push/refuse-pointers.ts";
import { noteBroken, refuseBroken } from "./push/refuse-broken.ts";
import { renderHold, renderRejection, renderWaiting, renderWarnings } from "./push/texts.ts";
import { waitForDecision } from "./push/wait-for-decision.ts";

export function createPushFlow(deps: PushDependencies): (request: PushRequest) => Promise<void> {
  return async (request) => {
    const receivedAt = deps.now();
    const leave = deps.load.enter();
    try {
      await receiveAndDecide(deps, request, { receivedAt, leave });
    } catch (error) {
      await refuseBroken(deps, request, error);
    } finally {
      leave();
    }
  };
}

/** Unpacked bytes of a pack that is named while the upstream is asked, and before its turn to be read: it is quick. */
const NAMED_AT_ONCE = 256 * 1024;

/** The upstream's refs, and that none of those to be moved is another name for one. */
async function askUpstream(deps: PushDependencies, request: PushRequest): Promise<Advertisement> {
  const upstream = deps.upstream(request.connection.name);
  const advertised = await upstream.advertise(request.upstreamPath, "git-receive-pack", {
    clientHeaders: request.clientHeaders,
    signal: request.signal,
  });
  checkSigned(request, advertised);
  await checkAliases({ upstream, log: deps.log }, request, advertised);
  return advertised;
}

/**
 * The first door: the pack comes in and is read; the verdict says whether the second one opens.
 * @param leave to be called once the verdict is recorded: from then on the push only waits
 */
async function receiveAndDecide(
  deps: PushDependencies,
  request: PushRequest,
  { receivedAt, leave }: { readonly receivedAt: Date; readonly leave: () => void },
): Promise<void> {
  const { head } = request;
  // While the pack comes in. An upstream that is down has told so before a large one: to the probe that git sends first.
  const asked = askUpstream(deps, request);
  asked.catch(() => {});
  const making = deps.blobs.create();
  making.catch(() => {});
  const opening = deps.cache.open(
    request.repository,
    head.objectFormat,
    upstreamAddress(request.connection, request.upstreamPath, request.clientHeaders, deps.userAgent),
  );
  opening.catch(() => {});
  try {
    const cache = await opening;
    const blob = await making;
    const quarantine = await openQuarantine({
      git: deps.git,
      root: deps.quarantineRoot,
      objectFormat: head.objectFormat,
      limits: deps.limits(request.repository),
      cache,
    });
    let named: Promise<unknown> = Promise.resolve();
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
      if (received.packBytes > 0) blob.flush();
      // What fails there is told to whoever reads it.
      if (received.inflatedBytes < NAMED_AT_ONCE) named = quarantine.objects(request.signal).catch(() => {});
      const advertised = await asked;
      const { reading, verdict } = await judge(deps, request, advertised, quarantine);
      const parts = cutByVerdict({
        request,
        receivedAt,
        reading,
        verdict,
        known: branchOf(advertised.refs),
        cache,
        quarantine,
      });
      const recorded = await recordParts(deps, parts, async () =>
        received.packBytes > 0 ? { key: await blob.commit(), bytes: received.packBytes } : null,
      );
      leave();
      const answers: PartAnswer[] = [];
      for (const part of parts) answers.push(await endPart(deps, part, recorded));
      await answerClient(request, answers);
      const [only, ...others] = parts;
      if (only !== undefined && others.length === 0 && answers[0]?.isDelivered === true) await adopt(deps, only);
      await checkCreated(
        deps,
        request,
        parts.filter((_, index) => answers[index]?.isDelivered === true),
      );
    } finally {
      await named;
      await quarantine.remove();
    }
  } finally {
    const nothing = (): void => {};
    await making.then((blob) => blob.abort(), nothing);
    await opening.then((cache) => cache.release(), nothing);
  }
}

/** What the push brings, and what the policy says of it. */
async function judge(
  deps: PushDependencies,
  request: PushRequest,
  advertised: Advertisement,
  quarantine: Quarantine,
): Promise<{ readonly reading: PushReading; readonly verdict: Verdict }> {
  const { signers } = policyFor(deps.policies, request.repository).commits;
  const verify = createCommitVerifier(signers, request.principal.email);
  const reading = await deps.load.read(() =>
    readPush({
      request,
      advertised,
      quarantine,
      scanner: deps.scanner,
      scanPool: deps.scanPool,
      readBaseline: createBaseline(deps.db, request.repository, deps.scanner, deps.now),
      verify,
    }),
  );
  const judged = evaluatePush(deps.policies, reading.facts, {
    onFault: (check, error) => deps.log.error({ check, error }, "a policy check failed; the push is refused"),
  });
  const unseen = await checkPointers(
    {
      db: deps.db,
      mask: (text) => deps.scanner.maskName(text),
      lfs: deps.lfsUpstream(request.connection.name),
      now: deps.now,
    },
    request,
    reading.pointers,
  );
  return { reading, verdict: refusePointers(refuseStale(judged, advertised.refs), reading.facts, unseen) };
}

/** The second door, for the refs of one verdict. What breaks behind it is this part's answer: the others have theirs. */
async function endPart(deps: PushDependencies, part: PushPart, recorded: RecordedParts): Promise<PartAnswer> {
  try {
    switch (part.verdict.kind) {
      case "reject":
        return reject(deps, part);
      case "allow":
        if (recorded.allowed === null) throw new GatewayError("internal", "a push was not recorded");
        return await allow(deps, part, recorded.allowed);
      case "hold":
        if (recorded.hold === null) throw new GatewayError("internal", "a hold was not recorded");
        return await hold(deps, part, recorded.hold);
    }
  } catch (error) {
    const reason = await noteBroken(deps, part.push.request, error);
    return sayNo(part, reason);
  }
}

/** It stays shut. */
function reject(deps: PushDependencies, { id, isWhole, head, verdict, facts }: PushPart): PartAnswer {
  const reasons = new Map(
    verdict.refs.map(({ update, opinion }) => [
      update.ref,
      opinion.kind === "reject"
        ? deps.scanner.maskName(opinion.reason)
        : "not delivered: another ref of this push was refused",
    ]),
  );
  const url = `${deps.publicUrl}/pushes/${id}`;
  return {
    report: refusalReport({ head, reasons }),
    // Masked: the secret may be a ref's name, and these lines end in the logs of build machines.
    messages: renderRejection({ url, refs: verdict.refs, findings: facts.findings, isWhole }).map((line) =>
      deps.scanner.maskName(line),
    ),
    isDelivered: false,
  };
}

/** It opens at once. */
async function allow(deps: PushDependencies, part: PushPart, recorded: NewPush): Promise<PartAnswer> {
  const answer = await deliverPart(part, (options) => deps.delivery.deliver(recorded, options));
  const warnings = renderWarnings({ findings: part.facts.findings, refs: part.verdict.refs });
  return { ...answer, messages: warnings.map((line) => deps.scanner.maskName(line)) };
}

/** The push stands between the doors until a human has decided; its client is kept company for a while. */
async function hold(deps: PushDependencies, part: PushPart, { pushId, approvalId }: OpenHold): Promise<PartAnswer> {
  const { isWhole, verdict } = part;
  const { repository, exchange, signal, connection } = part.push.request;
  const url = `${deps.publicUrl}/approvals/${approvalId}`;
  const waitMs = Math.min(...verdict.holds.map(({ requirement }) => requirement.waitMs));
  const lease = deps.delivery.holdLease(pushId);
  try {
    const { findings } = part.facts;
    for (const line of renderHold({ repository, url, refs: verdict.refs, findings, waitMs, isWhole })) {
      exchange.progress(deps.scanner.maskName(line));
    }
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
        if (connection.credential.kind === "passthrough") await deps.withdraw(pushId, CLIENT_LEFT);
        // Before the answer: whoever approves at once would otherwise find the push still taken, and wait for the next round.
        await lease.release();
        return sayNo(part, `held for approval: ${url}`);
      case "approved": {
        exchange.progress("Approved; delivering.");
        return await deliverPart(part, async (options) => {
          // Null: another gateway was quicker, and its outcome is this client's answer too.
          return (await deps.delivery.deliverApproved(pushId, options)) ?? outcomeElsewhere(deps, pushId, signal);
        });
      }
      case "closed":
        return await deliverPart(part, () => outcomeElsewhere(deps, pushId, signal));
    }
  } finally {
    await lease.release();
  }
}

/**
 * What the upstream has taken is what the next push builds on. Never of a push in parts: beside one lie the refused ones. It is
 * delivered and answered: what fails here costs the next push a fetch.
 */
async function adopt({ log }: PushDependencies, { head, push }: PushPart): Promise<void> {
  const tips = head.updates.map(({ newOid }) => newOid);
  try {
    await push.quarantine.unpack();
    await push.cache.adopt(
      push.quarantine,
      tips.filter((oid) => push.reading.objects.graph.has(oid)),
    );
  } catch (error) {
    log.warn({ repository: push.request.repository, error }, "a delivered push could not be kept for the next one");
  }
}

const sayNo = ({ head }: PushPart, reason: string): PartAnswer => ({
  report: refusalReport({ head, reasons: sameReason(head, reason) }),
  messages: [],
  isDelivered: false,
});

/** Nobody's password is stored: without the client's own credential there is nothing to deliver with. */
const CLIENT_LEFT = "the client stopped waiting, and its credential for the upstream left with it: push again";
