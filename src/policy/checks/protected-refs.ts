import type { Check } from "../check.ts";
import { protectionOf } from "../match.ts";

/** A protected ref moves, appears or goes away only with approval. */
export const protectedRefs: Check = {
  name: "protected-refs",
  judge: ({ policy }, { update }) =>
    protectionOf(policy, update.ref).map(({ refs, ...requirement }) => ({
      kind: "hold",
      reason: `protected (${refs.join(", ")}): needs ${
        requirement.approvals === 1 ? "1 approval" : `${requirement.approvals} approvals`
      } of ${requirement.approvers.join(", ")}`,
      requirement,
    })),
};
