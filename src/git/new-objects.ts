/**
 * What a push adds: read once, checked whole. The rule behind all of it: every object of the pack has to be met by the
 * reading (`commits.ts`, `additions.ts`) or the push is refused, and everything that new commits stand on has to be
 * reachable from the upstream's advertised refs, or it is refused: presence upstream proves nothing (forks share objects).
 */
import { GatewayError } from "../errors.ts";
import { isZeroOid, type RefUpdate } from "../model/ref-update.ts";
import { isUnreadable, type ReadContext } from "./cat-file.ts";
import { CommitChanges } from "./inspection/commit-changes.ts";
import { ObjectSource } from "./inspection/object-source.ts";
import { findExactMoves } from "./inspection/renames.ts";
import { EMPTY_TREE, hasContent } from "./inspection/tree.ts";
import type { TreeChange } from "./inspection/tree-diff.ts";
import { Turns } from "./inspection/turns.ts";
import { overLimit } from "./limits.ts";
import { meetOld, readLoose, type LooseBlob, type LooseName } from "./loose-objects.ts";
import type { PackObjects } from "./pack-objects.ts";
import { hashBytes } from "./pack-entry-header.ts";
import { commitLinks, readGraph, readTagTargets, type CommitNode } from "./push-graph.ts";
import { proveOld, walkPush } from "./push-reach.ts";
import type { Quarantine } from "./quarantine.ts";
import { readOlder } from "./ref-range.ts";

export interface NewObjects {
  readonly quarantine: Quarantine;
  /** For reading with git: the quarantine, able to fetch what is missing. */
  readonly context: ReadContext;
  /** For reading without. */
  readonly source: ObjectSource;
  readonly changes: CommitChanges;
  readonly turns: Turns;
  readonly pack: PackObjects;
  /** New commits (in the pack, not upstream before), parents before children. */
  readonly commits: readonly string[];
  /** Commits that are upstream and that refs of the push move over, each behind its parents where these are among them. */
  readonly older: ReadonlyMap<string, CommitNode>;
  /** Ref → those of {@link older} that it moves over; only refs that do. */
  readonly olderOf: ReadonlyMap<string, readonly string[]>;
  /** Old commits that new ones build on. */
  readonly boundary: ReadonlySet<string>;
  /** Every commit of the pack. */
  readonly graph: ReadonlyMap<string, CommitNode>;
  /** New annotated tags. */
  readonly tags: readonly string[];
  /** Tag → what it points at, for the tags of the pack. */
  readonly tagTargets: ReadonlyMap<string, string>;
  /** Ids of the upstream's advertised refs, peeled ones included. */
  readonly tips: readonly string[];
  readonly looseBlobs: readonly LooseBlob[];
  readonly looseNames: readonly LooseName[];
  /**
   * Resolves when the old files that new ones are compared with are here. They are on their way; whoever does not wait has
   * each fetched alone. Nothing else may be read meanwhile.
   * @throws GatewayError those of fetching, `inspection_failed`
   */
  readonly oldFiles: () => Promise<void>;
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
    const { cache, reader } = quarantine;
    // git itself stumbled. A damaged or deleted cache looks like that: once more, with a new one.
    if (cache === null || !isUnreadable(error) || !(await cache.reset())) throw error;
    await reader.close();
    return surveyPush(quarantine, options);
  }
}

async function surveyPush(quarantine: Quarantine, options: ReadNewObjectsOptions): Promise<NewObjects> {
  const { git, gitDir, limits, cache, objectFormat, reader } = quarantine;
  const { signal, updates, tips } = options;
  const local: ReadContext = { git, gitDir, timeoutMs: limits.gitTimeoutMs, signal };
  const context: ReadContext = cache === null ? local : { ...local, config: cache.promisorConfig };
  const pack = await quarantine.objects(signal);
  // Of an attempt before this one.
  pack.forget();
  const source = new ObjectSource({ pack, objectFormat, reader, context: local, cache, signal });
  const turns = new Turns(signal);
  const idBytes = hashBytes(objectFormat);

  const reading = { pack, source, context: local, limit: limits.commitBytes };
  const graph = await readGraph(reading);
  const tagTargets = await readTagTargets(reading);
  const newOids = updates.map((update) => update.newOid).filter((oid) => !isZeroOid(oid));
  const reach = walkPush(newOids, pack, graph, tagTargets);
  const known = await proveOld(reach.outside, graph, cache, tips, signal);

  const commits = reach.commits.filter((oid) => !known.has(oid));
  if (commits.length > limits.commits) throw overLimit.commits(commits.length, limits.commits);
  for (const oid of [...commits, ...reach.tags]) pack.meet(oid);

  const olderOf = await readOlder({ updates, graph, tagTargets, known, cache, tips, limit: limits.commits, signal });
  const ranges = new Set([...olderOf.values()].flat());
  if (ranges.size > limits.commits) throw overLimit.rangeCommits("the push", ranges.size, limits.commits);
  const boundary = new Set(commits.flatMap((oid) => graph.get(oid)?.parents ?? []).filter((oid) => !graph.has(oid)));
  await cache?.ensureCommits([...boundary, ...ranges], signal);
  const older = new Map<string, CommitNode>();
  for (const oid of ranges) older.set(oid, commitLinks(oid, (await source.load(oid)) ?? Buffer.alloc(0)));
  const below = [...older.values()]
    .flatMap(({ parents }) => parents)
    .filter((oid) => !older.has(oid) && !graph.has(oid));
  await cache?.ensureCommits([...new Set(below)], signal);

  const nodeOf = (oid: string): CommitNode | undefined => graph.get(oid) ?? older.get(oid);
  const emptyTree = EMPTY_TREE[objectFormat];
  const changes = new CommitChanges({ pack, source, idBytes, emptyTree, limits, turns, nodeOf });
  const wanted = new Set<string>();
  for (const oid of [...older.keys(), ...commits]) {
    for (const blob of blobsElsewhere(await changes.survey(oid), pack)) wanted.add(blob);
  }
  const { looseBlobs, looseNames } = await readLoose(reach, pack, changes);
  for (const { oid } of looseBlobs) if (!pack.holds(oid)) wanted.add(oid);
  const oldFiles = await fetchOldFiles({ cache, source, wanted, signal });

  const old = { graph, pack, source, idBytes, turns };
  await meetOld(reach.commits, { ...old, isDeep: false });
  await meetOld(commits, { ...old, isDeep: true });
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
    source,
    changes,
    turns,
    pack,
    commits,
    older,
    olderOf,
    boundary,
    graph,
    tags: reach.tags,
    tagTargets,
    tips,
    looseBlobs,
    looseNames,
    oldFiles,
  };
}

/** Asks for old files at once, and does not wait for them. */
async function fetchOldFiles({
  cache,
  source,
  wanted,
  signal,
}: {
  readonly cache: Quarantine["cache"];
  readonly source: ObjectSource;
  readonly wanted: ReadonlySet<string>;
  readonly signal: AbortSignal | undefined;
}): Promise<NewObjects["oldFiles"]> {
  if (cache === null || wanted.size === 0) return () => Promise.resolve();
  const fetched = cache.fetchBlobs(await source.missing(wanted), signal);
  fetched.catch(() => {});
  let here: Promise<void> | null = null;
  return () => (here ??= fetched.then(() => source.readAhead(wanted)));
}

/** Files from outside the pack that comparing a commit's files will read: what was there before, and what may have moved. */
function* blobsElsewhere(changes: readonly TreeChange[], pack: PackObjects): Generator<string> {
  const { files, open, gone } = findExactMoves(changes);
  const versions = [
    ...files.filter(({ change, before }) => !before.some(({ oid }) => oid === change.oid)),
    ...open.map((change) => ({ change, before: [] })),
    ...gone.map((change) => ({ change: null, before: change.before })),
  ];
  for (const { change, before } of versions) {
    if (change !== null && !pack.holds(change.oid)) yield change.oid;
    for (const { mode, oid } of before) if (hasContent(mode) && !pack.holds(oid)) yield oid;
  }
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- <= 0) return;
    yield item;
  }
}
