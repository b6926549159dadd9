/**
 * What a push adds: read once, checked whole. The rule behind all of it: every object of the pack has to be met by the
 * reading (`commits.ts`, `additions.ts`) or the push is refused, and everything that new commits stand on has to be
 * reachable from the upstream's advertised refs, or it is refused: presence upstream proves nothing (forks share objects).
 */
import path from "node:path";
import { GatewayError } from "../errors.ts";
import { isZeroOid, type RefUpdate } from "../model/ref-update.ts";
import { findMissing, isUnreadable, type ReadContext } from "./cat-file.ts";
import { spoolChanges } from "./changed-paths.ts";
import { overLimit } from "./limits.ts";
import { meetTheRest, type LooseBlob, type LooseName } from "./loose-objects.ts";
import { PackObjects } from "./pack-objects.ts";
import { readGraph, readTagTargets, type CommitNode } from "./push-graph.ts";
import { proveOld, walkPush } from "./push-reach.ts";
import type { Quarantine } from "./quarantine.ts";

export interface NewObjects {
  readonly quarantine: Quarantine;
  /** For reading: the quarantine, able to fetch what is missing. */
  readonly context: ReadContext;
  readonly pack: PackObjects;
  /** New commits (in the pack, not upstream before), parents before children. */
  readonly commits: readonly string[];
  /** Old commits that new ones build on. */
  readonly boundary: ReadonlySet<string>;
  /** Every commit of the pack. */
  readonly graph: ReadonlyMap<string, CommitNode>;
  /** The commits' own bytes, where they are few: so that they are read once. Otherwise empty. */
  readonly commitContents: ReadonlyMap<string, Buffer>;
  /** New annotated tags. */
  readonly tags: readonly string[];
  /** Tag → what it points at, for the tags of the pack. */
  readonly tagTargets: ReadonlyMap<string, string>;
  /** Ids of the upstream's advertised refs, peeled ones included. */
  readonly tips: readonly string[];
  /** Changed paths of all new commits, as `git diff-tree -z --raw -t` wrote them. */
  readonly changesFile: string;
  readonly looseBlobs: readonly LooseBlob[];
  readonly looseNames: readonly LooseName[];
}

export interface ReadNewObjectsOptions {
  readonly updates: readonly RefUpdate[];
  /** Ids of all refs that the upstream advertises, and what its tags peel to; never its `.have` lines. */
  readonly tips: readonly string[];
  readonly signal?: AbortSignal;
}

const refuse = (message: string): GatewayError => new GatewayError("inspection_failed", message);

/**
 * Surveys a received push: its commits and tags, what they build on, every changed path. Fetches the old objects that
 * reading will need.
 * @throws GatewayError `pack_invalid`, `limit_exceeded`, `inspection_failed` (what cannot be inspected whole), and those
 * of fetching from the upstream
 */
export async function readNewObjects(quarantine: Quarantine, options: ReadNewObjectsOptions): Promise<NewObjects> {
  try {
    return await surveyPush(quarantine, options);
  } catch (error) {
    const { cache } = quarantine;
    // git itself stumbled. A damaged or deleted cache looks like that: once more, with a new one.
    if (cache === null || !isUnreadable(error) || !(await cache.reset())) throw error;
    return surveyPush(quarantine, options);
  }
}

async function surveyPush(quarantine: Quarantine, options: ReadNewObjectsOptions): Promise<NewObjects> {
  const { git, gitDir, limits, cache, objectFormat, received } = quarantine;
  const { signal } = options;
  const local: ReadContext = { git, gitDir, timeoutMs: limits.gitTimeoutMs, signal };
  const context: ReadContext = cache === null ? local : { ...local, config: cache.promisorConfig };
  const pack =
    received === null || received.packName === null
      ? PackObjects.none(objectFormat)
      : await PackObjects.read(
          path.join(gitDir, "objects", "pack", `${received.packName}.idx`),
          objectFormat,
          received,
          local,
        );

  const { graph, contents } = await readGraph(pack, local, limits.commitBytes);
  const tagTargets = await readTagTargets(pack, local, limits.commitBytes);
  const newOids = options.updates.map((update) => update.newOid).filter((oid) => !isZeroOid(oid));
  const reach = walkPush(newOids, pack, graph, tagTargets);
  const known = await proveOld(reach.outside, graph, cache, options.tips, signal);

  const commits = reach.commits.filter((oid) => !known.has(oid));
  if (commits.length > limits.commits) throw overLimit.commits(commits.length, limits.commits);
  for (const oid of reach.commits) meetCommit(oid, graph, pack);
  for (const oid of reach.tags) pack.meet(oid);

  const boundary = new Set(commits.flatMap((oid) => graph.get(oid)?.parents ?? []).filter((oid) => !graph.has(oid)));
  await cache?.ensureCommits([...boundary], signal);

  const changesFile = path.join(gitDir, "changes");
  const wanted = await spoolChanges(commits, { graph, pack, context, changesFile });
  const elsewhere = [...wanted].filter((oid) => !pack.holds(oid));
  if (cache !== null && elsewhere.length > 0) {
    await cache.fetchBlobs(await findMissing(local, elsewhere), signal);
  }
  const { looseBlobs, looseNames } = await meetTheRest({ reach, known, graph, pack, context });
  const unmet = [...take(pack.unmet(), 4)];
  if (unmet.length > 0) {
    throw refuse(
      `the pack holds objects that no ref of this push reaches (${unmet.slice(0, 3).join(", ")}${unmet.length > 3 ? ", …" : ""}): ` +
        `repack (git gc) and push again`,
    );
  }
  return {
    quarantine,
    context,
    pack,
    commits,
    boundary,
    graph,
    commitContents: contents,
    tags: reach.tags,
    tagTargets,
    tips: options.tips,
    changesFile,
    looseBlobs,
    looseNames,
  };
}

function meetCommit(oid: string, graph: ReadonlyMap<string, CommitNode>, pack: PackObjects): void {
  pack.meet(oid);
  const tree = graph.get(oid)?.tree;
  if (tree !== undefined) pack.meet(tree);
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- <= 0) return;
    yield item;
  }
}
