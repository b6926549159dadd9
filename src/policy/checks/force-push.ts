import type { Check } from "../check.ts";
import { protectionOf } from "../match.ts";

/** Dropping commits that a protected ref has; taking it away whole is `deletion`'s. */
export const forcePush: Check = {
  name: "force-push",
  judge: ({ policy }, { update, forced, kind }) =>
    forced && kind !== "delete" && policy.refuse.includes("force-push") && protectionOf(policy, update.ref).length > 0
      ? [{ kind: "reject", reason: "a protected ref takes no force-push; put new commits on top of what it has" }]
      : [],
};
