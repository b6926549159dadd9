import { GatewayError } from "../../errors.ts";
import type { PushRequest } from "../../git/push-exchange.ts";
import type { PushReport, RefReport } from "../../git/report-status.ts";
import { findPush, type PushOutcome } from "../../store/pushes.ts";
import type { DeliverOptions } from "../delivery.ts";
import type { PushDependencies, PushPart } from "./dependencies.ts";

/** What the client is told of one part. */
export interface PartAnswer {
  readonly report: PushReport;
  /** Lines for the person, shown as `remote: …`. */
  readonly messages: readonly string[];
  /** Whether the upstream has taken all of it. */
  readonly isDelivered: boolean;
}

/** How often the record is asked while another gateway delivers; announcements shorten it. */
const ELSEWHERE_MS = 2_000;

/** Relays what the upstream says while it is delivered to. The report is its own; or, where there is none, what the record says. */
export async function deliverPart(
  part: PushPart,
  run: (options: DeliverOptions) => Promise<PushOutcome>,
): Promise<PartAnswer> {
  const { request, known } = part.push;
  let report: PushReport | null = null;
  const outcome = await run({
    clientHeaders: request.clientHeaders,
    ...(known === undefined ? {} : { known }),
    onMessage: (text) => request.exchange.relayMessage(text),
    onReport: (upstreams) => {
      report = upstreams;
    },
  });
  return { report: report ?? reportOf(part, outcome), messages: [], isDelivered: outcome.status === "delivered" };
}

function reportOf({ head }: PushPart, outcome: PushOutcome): PushReport {
  const isDelivered = outcome.status === "delivered";
  return {
    unpack: "ok",
    refs: head.updates.map(({ ref }): RefReport => {
      const status = outcome.upstreamStatus.get(ref);
      return isDelivered || status === "ok"
        ? { ref, status: "ok", options: null }
        : { ref, status: "ng", reason: outcome.error ?? status ?? outcome.status };
    }),
  };
}

/** Answers the push with what came of its parts, in the order of the client's commands. */
export async function answerClient({ head, exchange }: PushRequest, answers: readonly PartAnswer[]): Promise<void> {
  if (exchange.isOver) return;
  const messages = answers.flatMap((answer) => answer.messages);
  const [only, ...others] = answers;
  if (only !== undefined && others.length === 0) return exchange.finish(only.report, messages);
  const entries = answers.flatMap(({ report }) => report.refs);
  const refs = head.updates.flatMap(({ ref }) => entries.filter((entry) => entry.ref === ref));
  // One part's pack that was not unpacked is told at its refs: the word for all of them would be wrong for the others.
  return exchange.finish({ unpack: "ok", refs }, messages);
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
