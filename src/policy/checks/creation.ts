import type { Check } from "../check.ts";
import { protectionOf } from "../match.ts";

/** For refs that are made by others than people: tags of releases, branches that a tool cuts. */
export const creation: Check = {
  name: "creation",
  judge: ({ policy }, { update, kind }) =>
    kind === "create" && policy.refuse.includes("create") && protectionOf(policy, update.ref).length > 0
      ? [{ kind: "reject", reason: "a protected ref cannot be created through the gateway; use another name" }]
      : [],
};
