import type { Check } from "../check.ts";
import { matchesAny } from "../match.ts";

/**
 * Hosts give refs outside heads, tags and notes a meaning of their own (`refs/pull/…`, `refs/for/…`, `refs/keep-around/…`):
 * under a shared credential, pushing there could act with the gateway's rights.
 */
export const namespaces: Check = {
  name: "namespaces",
  judge: ({ policy }, { update }) =>
    matchesAny(policy.namespaces, update.ref)
      ? []
      : [
          {
            kind: "reject",
            reason: `this ref is outside of what may be pushed here (${policy.namespaces.join(", ") || "nothing"})`,
          },
        ],
};
