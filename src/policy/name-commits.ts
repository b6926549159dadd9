/**
 * Commits in a reason, by id: ids are hex, so nothing that somebody wrote gets into it, and `git show` finds the rest.
 * @param oids at least one; ids that stand twice count once
 */
export function nameCommits(oids: Iterable<string>): string {
  const distinct = [...new Set(oids)];
  const first = `commit ${(distinct[0] ?? "").slice(0, 10)}`;
  return distinct.length === 1 ? first : `${first} and ${distinct.length - 1} more`;
}
