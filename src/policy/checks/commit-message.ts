import type { CommitFacts, RefFacts } from "../../model/push-facts.ts";
import type { Opinion } from "../../model/verdict.ts";
import type { Check } from "../check.ts";
import { isFound, type LinearPattern } from "../linear-pattern.ts";
import { nameCommits } from "../name-commits.ts";

/**
 * The whole message is searched, without the white space at its end: `^` is its beginning, `(?m)` makes `^` and `$` those of
 * each line. Merges and reverts are asked like all others; a pattern that lets them through names them.
 */
export const commitMessage: Check = {
  name: "commit-message",
  judge: ({ policy }, ref) => {
    const { message, forbidMessage } = policy.commits;
    return [
      ...refuse(message, ref, false, ({ pattern }) => `the message does not match ${pattern}; reword it`),
      ...refuse(forbidMessage, ref, true, ({ pattern }) => `no message may match ${pattern}; reword it`),
    ];
  },
};

function refuse(
  pattern: LinearPattern | null,
  ref: RefFacts,
  wrong: boolean,
  why: (pattern: LinearPattern) => string,
): readonly Opinion[] {
  if (pattern === null) return [];
  const commits = ref.commits.filter((commit) => matches(pattern, commit) === wrong);
  return commits.length === 0
    ? []
    : [{ kind: "reject", reason: `${nameCommits(commits.map(({ oid }) => oid))}: ${why(pattern)}` }];
}

/** A thousand refs may move over the same commits. */
const answers = new WeakMap<LinearPattern, WeakMap<CommitFacts, boolean>>();

function matches(pattern: LinearPattern, commit: CommitFacts): boolean {
  let ofPattern = answers.get(pattern);
  if (ofPattern === undefined) answers.set(pattern, (ofPattern = new WeakMap()));
  let answer = ofPattern.get(commit);
  if (answer === undefined) ofPattern.set(commit, (answer = isFound(pattern, commit.message.trimEnd())));
  return answer;
}
