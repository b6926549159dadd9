import { sameEmail } from "../../model/email.ts";
import type { CommitFacts, PushFacts } from "../../model/push-facts.ts";
import type { Opinion } from "../../model/verdict.ts";
import { isNamed } from "../../model/who.ts";
import type { Check } from "../check.ts";
import { nameCommits } from "../name-commits.ts";

/**
 * A commit says of itself who made it, and anybody may write anything there: here it has to be the person who pushes, or a bot.
 * Asked of commits that are new to the upstream alone: what another branch has brought there was asked of whoever brought it,
 * and whoever merges it is somebody else.
 */
export const commitIdentity: Check = {
  name: "commit-identity",
  judge: ({ policy, facts }, ref) => {
    const { author, committer, bots, others } = policy.commits;
    if ((!author && !committer) || isNamed(facts.principal, others)) return [];
    const fresh = newCommits(facts);
    // All that a new ref gains is new to the upstream, however it came there.
    const commits = ref.kind === "create" ? ref.commits : ref.commits.filter(({ oid }) => fresh.has(oid));
    const accepted = [facts.principal.email, ...bots];
    const isStranger = (email: string): boolean => !accepted.some((own) => sameEmail(own, email));
    return [
      ...refuse("author", author ? commits.filter((commit) => isStranger(commit.authorEmail)) : []),
      ...refuse("committer", committer ? commits.filter((commit) => isStranger(commit.committerEmail)) : []),
    ];
  },
};

const refuse = (what: string, commits: readonly CommitFacts[]): readonly Opinion[] =>
  commits.length === 0
    ? []
    : [
        {
          kind: "reject",
          reason: `${nameCommits(commits.map(({ oid }) => oid))}: the ${what} is not you; set user.email to your verified address and recommit`,
        },
      ];

/** Asked once for each ref of a push, and the same for all of them. */
const ids = new WeakMap<PushFacts, ReadonlySet<string>>();

function newCommits(facts: PushFacts): ReadonlySet<string> {
  const known = ids.get(facts);
  if (known !== undefined) return known;
  const fresh = new Set(facts.commits.map(({ oid }) => oid));
  ids.set(facts, fresh);
  return fresh;
}
