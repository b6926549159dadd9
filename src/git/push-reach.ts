import { GatewayError } from "../errors.ts";
import type { PackObjects } from "./pack-objects.ts";
import type { CommitNode } from "./push-graph.ts";
import type { CachedRepository } from "./repository-cache.ts";

/** What the new ids of a push lead to. */
export interface Reach {
  /** Commits of the pack that the new ids reach, parents before children. */
  readonly commits: readonly string[];
  readonly tags: readonly string[];
  /** Trees and blobs that a ref or a tag points at, with what leads there. */
  readonly direct: readonly { readonly oid: string; readonly from: string }[];
  /** What the new ids and commits stand on that is not in the pack. */
  readonly outside: ReadonlySet<string>;
}

/** Follows the new ids through the pack. */
export function walkPush(
  newOids: readonly string[],
  pack: PackObjects,
  graph: ReadonlyMap<string, CommitNode>,
  tagTargets: ReadonlyMap<string, string>,
): Reach {
  const commits: string[] = [];
  const tags: string[] = [];
  const direct: { oid: string; from: string }[] = [];
  const outside = new Set<string>();
  const seen = new Set<string>();
  // Depth first without recursion (histories are deep): a commit is listed when all of its parents are.
  const stack: { readonly oid: string; readonly from: string; readonly isDone: boolean }[] = [];
  for (const oid of newOids) stack.push({ oid, from: oid, isDone: false });
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { oid, from } = top;
    if (top.isDone) {
      commits.push(oid);
      continue;
    }
    if (seen.has(oid)) continue;
    seen.add(oid);
    const node = graph.get(oid);
    const target = tagTargets.get(oid);
    if (node !== undefined) {
      stack.push({ oid, from, isDone: true });
      for (const parent of node.parents) stack.push({ oid: parent, from: oid, isDone: false });
    } else if (target !== undefined) {
      tags.push(oid);
      stack.push({ oid: target, from: oid, isDone: false });
    } else if (pack.has(oid)) {
      direct.push({ oid, from });
    } else {
      outside.add(oid);
    }
  }
  return { commits, tags, direct, outside };
}

/**
 * Proves that what the push stands on is reachable upstream, and finds the commits of the pack that are there already
 * (a client that knows none of the advertised ids sends its whole history).
 * @returns those commits
 */
export async function proveOld(
  outside: ReadonlySet<string>,
  graph: ReadonlyMap<string, CommitNode>,
  cache: CachedRepository | null,
  tips: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<string>> {
  const advertised = new Set(tips);
  const unproven = [...outside].filter((oid) => !advertised.has(oid));
  const hasRoot = [...graph.values()].some((node) => node.parents.length === 0);
  if (unproven.length === 0 && (!hasRoot || advertised.size === 0)) return new Set();
  const packed = hasRoot || unproven.length > 0 ? [...graph.keys()] : [];
  const reachable =
    cache === null || advertised.size === 0
      ? new Set<string>()
      : await cache.findReachable([...unproven, ...packed], tips, signal);
  const lost = unproven.find((oid) => !reachable.has(oid));
  if (lost !== undefined) {
    throw new GatewayError(
      "inspection_failed",
      `the push builds on ${lost}, which is not in it and which no ref of the upstream reaches: ` +
        `fetch and rebase, or push the branch that it belongs to as well`,
    );
  }
  return new Set(packed.filter((oid) => reachable.has(oid)));
}
