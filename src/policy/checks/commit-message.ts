import type { Check } from "../check.ts";
import { isFound } from "../linear-pattern.ts";
import { nameCommits } from "../name-commits.ts";

/**
 * The whole message is searched, without the white space at its end: `^` is its beginning, `(?m)` makes `^` and `$` those of
 * each line. Merges and reverts are asked like all others; a pattern that lets them through names them.
 */
export const commitMessage: Check = {
  name: "commit-message",
  judge: ({ policy }, { commits }) => {
    const { message, forbidMessage } = policy.commits;
    const wrong = message === null ? [] : commits.filter((commit) => !isFound(message, commit.message.trimEnd()));
    const forbidden =
      forbidMessage === null ? [] : commits.filter((commit) => isFound(forbidMessage, commit.message.trimEnd()));
    return [
      ...(message === null || wrong.length === 0
        ? []
        : [
            {
              kind: "reject" as const,
              reason: `${nameCommits(wrong.map(({ oid }) => oid))}: the message does not match ${message.pattern}; reword it`,
            },
          ]),
      ...(forbidMessage === null || forbidden.length === 0
        ? []
        : [
            {
              kind: "reject" as const,
              reason: `${nameCommits(forbidden.map(({ oid }) => oid))}: no message may match ${forbidMessage.pattern}; reword it`,
            },
          ]),
    ];
  },
};
