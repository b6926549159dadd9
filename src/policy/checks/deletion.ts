import type { Check } from "../check.ts";
import { protectionOf } from "../match.ts";

export const deletion: Check = {
  name: "deletion",
  judge: ({ policy }, { update, kind }) =>
    kind === "delete" && policy.refuse.includes("delete") && protectionOf(policy, update.ref).length > 0
      ? [{ kind: "reject", reason: "a protected ref cannot be deleted through the gateway" }]
      : [],
};
