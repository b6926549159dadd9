import type { Check } from "../check.ts";
import { protectionOf } from "../match.ts";
import { howMany } from "../requirement-text.ts";

/** Named where it is not plain: a rule that has the ref's own name needs no saying. */
const ruleOf = (refs: readonly string[], ref: string): string =>
  refs.includes(ref) ? "" : `protected by ${refs.join(", ")}: `;

/** A protected ref moves, appears or goes away only with approval. */
export const protectedRefs: Check = {
  name: "protected-refs",
  judge: ({ policy }, { update }) =>
    protectionOf(policy, update.ref).map(({ refs, ...requirement }) => ({
      kind: "hold",
      reason: `${ruleOf(refs, update.ref)}${howMany(requirement)}`,
      requirement,
    })),
};
