import type { PushHeadLimits, PushLimits } from "../model/push-limits.ts";
import { policyFor } from "./match.ts";
import type { PushPolicy } from "./schema.ts";

/** The bounds of a push to a repository (`<connection>/<path>`): the usual ones, but for what its entry says otherwise. */
export function limitsFor(
  policies: readonly PushPolicy[],
  repository: string,
  usual: { readonly push: PushLimits; readonly head: PushHeadLimits },
): { readonly push: PushLimits; readonly head: PushHeadLimits } {
  const { limits } = policyFor(policies, repository);
  return { push: { ...usual.push, ...limits.push }, head: { ...usual.head, ...limits.head } };
}
