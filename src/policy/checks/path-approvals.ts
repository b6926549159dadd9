import type { Check } from "../check.ts";
import { matchesAny, matchesAnyFolded } from "../match.ts";
import { howMany } from "../requirement-text.ts";

/**
 * Paths that change only with approval, as the ref's old tree and its new one differ. Every rule that matches holds, each with
 * approvers of its own: there is no last rule that wins over the others.
 */
export const pathApprovals: Check = {
  name: "path-approvals",
  judge: ({ policy }, { update, paths: changed }) =>
    policy.paths
      .filter(({ refs }) => refs === null || matchesAnyFolded(refs, update.ref))
      .filter(({ paths }) => changed.some((path) => matchesAny(paths, path)))
      .map(({ paths, refs: _refs, ...requirement }) => ({
        kind: "hold",
        reason: `a change of ${paths.join(", ")} ${howMany(requirement)}`,
        requirement,
      })),
};
