import type { PushReport } from "../../git/report-status.ts";
import type { RefUpdate } from "../../model/ref-update.ts";
import type { PushOutcome } from "../../store/pushes.ts";

const zeroOf = (oid: string): string => "0".repeat(oid.length);

/** What the upstream's refs say about a delivery whose answer nobody saw. */
export function compareRefs(
  updates: readonly RefUpdate[],
  refs: ReadonlyMap<string, string>,
): "delivered" | "untouched" | "unclear" {
  const current = (ref: string, like: string): string => refs.get(ref) ?? zeroOf(like);
  if (updates.every(({ ref, newOid }) => current(ref, newOid) === newOid)) return "delivered";
  if (updates.every(({ ref, oldOid }) => current(ref, oldOid) === oldOid)) return "untouched";
  return "unclear";
}

/** By the upstream's own report; what it says is masked. */
export function outcomeOfReport(report: PushReport, mask: (text: string) => string, finishedAt: Date): PushOutcome {
  const statuses = report.refs.map((ref): readonly [string, string] => [
    ref.ref,
    ref.status === "ok" ? "ok" : mask(ref.reason),
  ]);
  const isDelivered = report.unpack === "ok" && report.refs.every((ref) => ref.status === "ok");
  if (isDelivered) return { status: "delivered", upstreamStatus: new Map(statuses), error: null, finishedAt };
  const why =
    report.unpack === "ok" ? "the upstream refused a ref" : `the upstream could not unpack it: ${report.unpack}`;
  return { status: "undelivered", upstreamStatus: new Map(statuses), error: mask(why), finishedAt };
}
