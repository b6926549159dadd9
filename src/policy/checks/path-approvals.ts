import type { RefFacts } from "../../model/push-facts.ts";
import type { Check } from "../check.ts";
import { matchesAny, matchesAnyFolded } from "../match.ts";
import { howMany } from "../requirement-text.ts";
import type { PathsRule } from "../schema.ts";

/**
 * Paths that change only with approval, as the ref's old tree and its new one differ. Every rule that matches holds, each with
 * approvers of its own: there is no last rule that wins over the others.
 */
export const pathApprovals: Check = {
  name: "path-approvals",
  judge: ({ policy }, ref) =>
    policy.paths
      .filter(({ refs }) => refs === null || matchesAnyFolded(refs, ref.update.ref))
      .flatMap(({ refs, paths, ...requirement }) => {
        const what = whatMoves({ refs, paths }, ref);
        return what === null ? [] : [{ kind: "hold" as const, reason: `${what} ${howMany(requirement)}`, requirement }];
      }),
};

/**
 * A new ref has no old tree. A rule for all refs has seen whatever it holds when that came; a rule for some has not: what was
 * pushed to a branch that is free would slip past it by making a new ref there, of which nothing is new.
 */
function whatMoves(
  { refs, paths }: Pick<PathsRule, "refs" | "paths">,
  { kind, paths: changed }: RefFacts,
): string | null {
  if (changed.some((path) => matchesAny(paths, path))) return `a change of ${paths.join(", ")}`;
  return kind === "create" && refs !== null ? `a new ref with ${paths.join(", ")}` : null;
}
