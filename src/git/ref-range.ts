/**
 * What a ref moves over: all commits that its new id reaches and its old one does not, also those that came upstream earlier by
 * another ref. These are not in the pack; which they are is told by the upstream's history.
 */
import { isZeroOid, type RefUpdate } from "../model/ref-update.ts";
import type { CommitNode } from "./push-graph.ts";
import type { CachedRepository } from "./repository-cache.ts";

export interface OlderOptions {
  readonly updates: readonly RefUpdate[];
  readonly graph: ReadonlyMap<string, CommitNode>;
  readonly tagTargets: ReadonlyMap<string, string>;
  /** Commits of the pack that are upstream already. */
  readonly known: ReadonlySet<string>;
  readonly cache: CachedRepository | null;
  readonly tips: readonly string[];
  /** Of all commits that the refs move over. */
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
}

/** Ref → the commits that are upstream already and that it moves over, parents before children; only refs that have any. */
export async function readOlder(options: OlderOptions): Promise<ReadonlyMap<string, readonly string[]>> {
  const { updates, graph, tagTargets, known, cache, tips, limit, signal } = options;
  const older = new Map<string, readonly string[]>();
  if (cache === null || tips.length === 0) return older;
  const moves: Move[] = [];
  for (const { ref, oldOid, newOid } of updates) {
    if (isZeroOid(oldOid) || isZeroOid(newOid) || oldOid === newOid) continue;
    const starts = upstreamStarts(peel(newOid, tagTargets), graph, known);
    starts.delete(oldOid);
    if (starts.size > 0) moves.push({ ref, oldOid, starts });
  }
  const isBelow = await findBelow(moves, (olds, start) => cache.findDescendants(olds, start, tips, signal));
  const asked = new Map<string, readonly string[]>();
  for (const { ref, oldOid, starts } of moves) {
    const gained = [...starts].filter((start) => !isBelow(start, oldOid)).sort();
    if (gained.length === 0) continue;
    const key = [oldOid, ...gained].join(" ");
    const range = asked.get(key) ?? (await cache.listRange(gained, oldOid, { tips, ref, limit, signal }));
    asked.set(key, range);
    if (range.length > 0) older.set(ref, range);
  }
  return older;
}

interface Move {
  readonly ref: string;
  readonly oldOid: string;
  /** Where the new history first meets what is upstream. */
  readonly starts: ReadonlySet<string>;
}

/**
 * A thousand branches that are set anew on one commit, which all of them had before, gain nothing of the upstream's. Asked for all
 * of them at once; of a commit that one ref alone stands on, the range itself tells.
 * @returns whether an old id had a start already; false also where that was not asked
 */
async function findBelow(
  moves: readonly Move[],
  findDescendants: (olds: readonly string[], start: string) => Promise<ReadonlySet<string>>,
): Promise<(start: string, oldOid: string) => boolean> {
  const oldsOf = new Map<string, Set<string>>();
  for (const { oldOid, starts } of moves) {
    for (const start of starts) oldsOf.set(start, (oldsOf.get(start) ?? new Set()).add(oldOid));
  }
  const above = new Map<string, ReadonlySet<string>>();
  for (const [start, olds] of oldsOf) if (olds.size > 1) above.set(start, await findDescendants([...olds], start));
  return (start, oldOid) => above.get(start)?.has(oldOid) === true;
}

/** Where the way down from a commit first meets what is upstream. */
function upstreamStarts(
  start: string,
  graph: ReadonlyMap<string, CommitNode>,
  known: ReadonlySet<string>,
): Set<string> {
  const starts = new Set<string>();
  const seen = new Set([start]);
  const stack = [start];
  for (let oid = stack.pop(); oid !== undefined; oid = stack.pop()) {
    const node = known.has(oid) ? undefined : graph.get(oid);
    if (node === undefined) {
      starts.add(oid);
      continue;
    }
    for (const parent of node.parents) {
      if (seen.has(parent)) continue;
      seen.add(parent);
      stack.push(parent);
    }
  }
  return starts;
}

/** What a tag of the push leads to in the end; anything else is itself. */
export function peel(oid: string, tagTargets: ReadonlyMap<string, string>): string {
  let target = oid;
  for (let next = tagTargets.get(target); next !== undefined; next = tagTargets.get(target)) target = next;
  return target;
}
