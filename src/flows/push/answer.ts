import { GatewayError } from "../../errors.ts";
import type { PushRequest } from "../../git/push-exchange.ts";
import type { PushReport, RefReport } from "../../git/report-status.ts";
import { findPush, type PushOutcome } from "../../store/pushes.ts";
import type { DeliverOptions } from "../delivery.ts";
import type { PushDependencies } from "./dependencies.ts";

/** How often the record is asked while another gateway delivers; announcements shorten it. */
const ELSEWHERE_MS = 2_000;

/** Relays what the upstream says while it is delivered to, and then its own report; or, where there is none, what the record says. */
export async function deliverToClient(
  request: PushRequest,
  run: (options: DeliverOptions) => Promise<PushOutcome>,
  messages: readonly string[] = [],
): Promise<PushOutcome> {
  let report: PushReport | null = null;
  const outcome = await run({
    clientHeaders: request.clientHeaders,
    onMessage: (text) => request.exchange.relayMessage(text),
    onReport: (upstreams) => {
      report = upstreams;
    },
  });
  await request.exchange.finish(report ?? reportOf(request, outcome), messages);
  return outcome;
}

function reportOf(request: PushRequest, outcome: PushOutcome): PushReport {
  const isDelivered = outcome.status === "delivered";
  return {
    unpack: "ok",
    refs: request.head.updates.map(({ ref }): RefReport => {
      const status = outcome.upstreamStatus.get(ref);
      return isDelivered || status === "ok"
        ? { ref, status: "ok", options: null }
        : { ref, status: "ng", reason: outcome.error ?? status ?? outcome.status };
    }),
  };
}

/** How a push ended that somebody else delivers, or that nobody will. */
export async function outcomeElsewhere(
  deps: PushDependencies,
  pushId: string,
  signal: AbortSignal,
): Promise<PushOutcome> {
  for (;;) {
    const push = await findPush(deps.db, pushId);
    if (push === null) throw new GatewayError("internal", `push ${pushId} has left the record`);
    if (push.finishedAt !== null) {
      const statuses = push.refs.flatMap(({ ref, upstreamStatus }) =>
        upstreamStatus === null ? [] : [[ref, upstreamStatus] as const],
      );
      return { status: push.status, upstreamStatus: new Map(statuses), error: push.error, finishedAt: push.finishedAt };
    }
    if (signal.aborted) throw new GatewayError("client_gone", "the client left while its push was being delivered");
    await deps.heard(pushId, ELSEWHERE_MS, signal);
  }
}
