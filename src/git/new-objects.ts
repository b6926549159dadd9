/**
 * What a push adds: read once, checked whole. The rule behind all of it: every object of the pack has to be met by the
 * reading (`commits.ts`, `additions.ts`) or the push is refused, and everything that new commits stand on has to be
 * reachable from the upstream's advertised refs, or it is refused: presence upstream proves nothing (forks share objects).
 */
import { createWriteStream, type WriteStream } from "node:fs";
import path from "node:path";
import { finished } from "node:stream/promises";
import { GatewayError } from "../errors.ts";
import { isZeroOid, type RefUpdate } from "../model/ref-update.ts";
import { findMissing, isUnreadable, readCommand, readObjects, type ReadContext } from "./cat-file.ts";
import { parseCommitObject } from "./commit-object.ts";
import { splitRecords } from "./git-output.ts";
import { overLimit } from "./limits.ts";
import { PackObjects } from "./pack-objects.ts";
import type { Quarantine } from "./quarantine.ts";
import { isBlobMode, RawDiffParser, SUBMODULE_MODE, TREE_MODE, type RawEntry } from "./raw-diff.ts";
import { parseTagObject } from "./tag-object.ts";

/** A file with content that no commit's diff shows: a tag on a blob or a tree, an object that came along. */
export interface LooseBlob {
  readonly oid: string;
  /** The object that leads to it. */
  readonly from: string;
  readonly path: string;
}

/** A directory or a submodule in a tree that no commit has: a name without content of its own. */
export interface LooseName {
  readonly oid: string;
  /** The object that leads to it. */
  readonly from: string;
  readonly path: string;
  readonly mode: string;
}

export interface CommitNode {
  readonly parents: readonly string[];
  readonly tree: string;
}

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

const RAW_DIFF = [
  "diff-tree",
  "--stdin",
  "--root",
  "--raw",
  "-z",
  "-r",
  "-t",
  "-c",
  "--no-abbrev",
  "--no-renames",
  "--no-ext-diff",
  "--no-textconv",
  "--ignore-submodules=none",
];

/** More pairs than this in one commit and git does not compare contents to find renames: nor are they fetched for that. */
export const RENAME_LIMIT = 400;

const KEPT_COMMIT_BYTES = 256 * 1024;

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
  const reach = walk(newOids, pack, graph, tagTargets);
  const known = await proveOld(reach.outside, graph, quarantine, options);

  const commits = reach.commits.filter((oid) => !known.has(oid));
  if (commits.length > limits.commits) throw overLimit.commits(commits.length, limits.commits);
  for (const oid of reach.commits) meetCommit(oid, graph, pack);
  for (const oid of reach.tags) pack.meet(oid);

  const boundary = new Set(commits.flatMap((oid) => graph.get(oid)?.parents ?? []).filter((oid) => !graph.has(oid)));
  await cache?.ensureCommits([...boundary], signal);

  const changesFile = path.join(gitDir, "changes");
  const wanted = await spoolChanges(commits, { graph, pack, context, changesFile });
  if (cache !== null && wanted.size > 0) {
    await cache.fetchBlobs(await findMissing(local, wanted), signal);
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

async function readGraph(
  pack: PackObjects,
  context: ReadContext,
  limit: number,
): Promise<{ graph: Map<string, CommitNode>; contents: Map<string, Buffer> }> {
  const graph = new Map<string, CommitNode>();
  const contents = new Map<string, Buffer>();
  let bytes = 0;
  for await (const { oid, content } of readSmall(pack, "commit", context, limit)) {
    const { facts, tree } = parseCommitObject(oid, content);
    graph.set(oid, { parents: facts.parents, tree });
    bytes += content.length;
    if (bytes <= KEPT_COMMIT_BYTES) contents.set(oid, Buffer.from(content));
  }
  if (bytes > KEPT_COMMIT_BYTES) contents.clear();
  return { graph, contents };
}

async function readTagTargets(pack: PackObjects, context: ReadContext, limit: number): Promise<Map<string, string>> {
  const targets = new Map<string, string>();
  for await (const { oid, content } of readSmall(pack, "tag", context, limit)) {
    targets.set(oid, parseTagObject(oid, content).target);
  }
  return targets;
}

async function* readSmall(
  pack: PackObjects,
  type: "commit" | "tag",
  context: ReadContext,
  limit: number,
): AsyncGenerator<{ readonly oid: string; readonly content: Buffer }> {
  const oids = [...pack.ofType(type)];
  if (oids.length === 0) return;
  for (const oid of oids) {
    const size = pack.size(oid) ?? 0;
    if (size > limit) throw overLimit.commitBytes(type, oid, size, limit);
  }
  yield* readObjects(context, oids);
}

interface Reach {
  /** Commits of the pack that the new ids reach, parents before children. */
  readonly commits: readonly string[];
  readonly tags: readonly string[];
  /** Trees and blobs that a ref or a tag points at, with what leads there. */
  readonly direct: readonly { readonly oid: string; readonly from: string }[];
  /** What the new ids and commits stand on that is not in the pack. */
  readonly outside: ReadonlySet<string>;
}

function walk(
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
async function proveOld(
  outside: ReadonlySet<string>,
  graph: ReadonlyMap<string, CommitNode>,
  { cache }: Quarantine,
  { tips, signal }: ReadNewObjectsOptions,
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
    throw refuse(
      `the push builds on ${lost}, which is not in it and which no ref of the upstream reaches: ` +
        `fetch and rebase, or push the branch that it belongs to as well`,
    );
  }
  return new Set(packed.filter((oid) => reachable.has(oid)));
}

function meetCommit(oid: string, graph: ReadonlyMap<string, CommitNode>, pack: PackObjects): void {
  pack.meet(oid);
  const tree = graph.get(oid)?.tree;
  if (tree !== undefined) pack.meet(tree);
}

/** One line for `diff-tree --stdin`. Parents are named, so that nothing on disk (grafts, shallow) can say otherwise. */
const diffLine = (oid: string, graph: ReadonlyMap<string, CommitNode>): string =>
  `${[oid, ...(graph.get(oid)?.parents ?? [])].join(" ")}\n`;

interface Survey {
  readonly graph: ReadonlyMap<string, CommitNode>;
  readonly pack: PackObjects;
  readonly context: ReadContext;
}

/** Lists every changed path of `commits` into a file. @returns blobs from outside the pack whose content is needed */
async function spoolChanges(
  commits: readonly string[],
  { graph, pack, context, changesFile }: Survey & { readonly changesFile: string },
): Promise<Set<string>> {
  const file = createWriteStream(changesFile, { mode: 0o600 });
  const parser = new RawDiffParser();
  const wanted = new Set<string>();
  let ofCommit: RawEntry[] = [];
  const output = context.git.stream({
    ...readCommand(context, RAW_DIFF),
    input: commits.map((oid) => diffLine(oid, graph)),
  });
  const copied = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of output) {
      if (!file.write(chunk)) await roomIn(file);
      yield chunk;
    }
  };
  const closed = finished(file);
  closed.catch(() => {});
  try {
    for await (const records of splitRecords(copied(), 0)) {
      for (const record of records) {
        const entry = parser.parse(record);
        if (entry === null) continue;
        meetEntry(entry, pack);
        if (ofCommit[0] !== undefined && ofCommit[0].commit !== entry.commit) {
          addWanted(ofCommit, pack, wanted);
          ofCommit = [];
        }
        if (entry.newMode !== TREE_MODE) ofCommit.push(entry);
      }
    }
    addWanted(ofCommit, pack, wanted);
    file.end();
    await closed;
  } catch (cause) {
    file.destroy();
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError("storage_failed", "the gateway could not write to its disk", { cause });
  }
  return wanted;
}

/**
 * What a submodule's entry names is another repository's commit: nothing here reads it, so an object of the pack is not met by
 * it. Otherwise anything could be carried upstream under such an entry.
 */
function meetEntry(entry: RawEntry, pack: PackObjects): void {
  if (entry.newMode !== SUBMODULE_MODE) pack.meet(entry.newOid);
}

const roomIn = (file: WriteStream): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      file.off("drain", done).off("close", done);
      resolve();
    };
    file.on("drain", done).on("close", done);
  });

/** Notes which blobs from outside the pack a diff of one commit's entries will read. Exact renames are found by id and read nothing. */
export function addWanted(entries: readonly RawEntry[], pack: PackObjects, wanted: Set<string>): void {
  const deleted = entries.filter((entry) => !isBlobMode(entry.newMode));
  const deletedOids = new Set(deleted.flatMap((entry) => entry.oldOids));
  const added = entries.filter(
    (entry) => isBlobMode(entry.newMode) && !entry.oldModes.some(isBlobMode) && !deletedOids.has(entry.newOid),
  );
  const comparesRenames = added.length > 0 && added.length * deleted.length <= RENAME_LIMIT ** 2;
  const want = (oid: string, mode: string | undefined): void => {
    if (mode !== undefined && isBlobMode(mode) && !pack.has(oid)) wanted.add(oid);
  };
  for (const entry of entries) {
    const isDeleted = !isBlobMode(entry.newMode);
    if (isDeleted && !comparesRenames) continue;
    if (!isDeleted && !(deletedOids.has(entry.newOid) && !entry.oldModes.some(isBlobMode))) {
      want(entry.newOid, entry.newMode);
    }
    for (const [parent, oid] of entry.oldOids.entries()) want(oid, entry.oldModes[parent]);
  }
}

interface Loose {
  readonly looseBlobs: LooseBlob[];
  readonly looseNames: LooseName[];
}

/**
 * Meets what no diff of a new commit shows: files behind tags on trees and blobs, objects that the client sent although
 * they are old, or that equal an old file. What is new among them must be read as a whole.
 */
async function meetTheRest({
  reach,
  known,
  graph,
  pack,
  context,
}: Survey & { readonly reach: Reach; readonly known: ReadonlySet<string> }): Promise<Loose> {
  const loose: Loose = { looseBlobs: [], looseNames: [] };
  for (const { oid, from } of reach.direct) {
    pack.meet(oid);
    if (pack.type(oid) === "blob") loose.looseBlobs.push({ oid, from, path: "" });
    else await listTree(loose, { tree: oid, from, pack, context });
  }
  if (pack.unmet().next().done === true) return loose;

  const old = reach.commits.filter((oid) => known.has(oid));
  if (old.length > 0) {
    const parser = new RawDiffParser();
    const input = old.map((oid) => diffLine(oid, graph));
    const output = context.git.stream({ ...readCommand(context, RAW_DIFF), input });
    for await (const records of splitRecords(output, 0)) {
      for (const record of records) {
        const entry = parser.parse(record);
        if (entry !== null) meetEntry(entry, pack);
      }
    }
    if (pack.unmet().next().done === true) return loose;
  }
  // Missing objects are passed over, not fetched: what is not met in the end refuses the push.
  const args = ["rev-list", "--objects", "--no-walk=unsorted", "--missing=allow-any", "--stdin"];
  const output = context.git.stream({
    ...readCommand(context, args),
    input: reach.commits.map((oid) => `${oid}\n`),
  });
  const from = reach.commits.at(-1) ?? "";
  for await (const records of splitRecords(output, 0x0a)) {
    for (const record of records) {
      const line = record.toString("utf8");
      const space = line.indexOf(" ");
      const oid = space === -1 ? line : line.slice(0, space);
      if (pack.meet(oid) && pack.type(oid) === "blob") {
        loose.looseBlobs.push({ oid, from, path: line.slice(oid.length + 1) });
      }
    }
  }
  return loose;
}

/** Everything in a tree that no commit has: the files outside the pack too, nobody knows how they got upstream. */
async function listTree(
  loose: Loose,
  { tree, from, pack, context }: Pick<Survey, "pack" | "context"> & { readonly tree: string; readonly from: string },
): Promise<void> {
  const args = ["ls-tree", "-r", "-t", "-z", "--full-tree", "--end-of-options", tree];
  for await (const records of splitRecords(context.git.stream(readCommand(context, args)), 0)) {
    for (const record of records) {
      const entry = /^([0-7]+) \w+ ([0-9a-f]+)\t(.*)$/s.exec(record.toString("utf8")) ?? [];
      const [, mode, oid, path] = entry;
      if (mode === undefined || oid === undefined || path === undefined) {
        throw refuse("git ls-tree answered with no tree");
      }
      if (mode !== SUBMODULE_MODE) pack.meet(oid);
      if (isBlobMode(mode)) loose.looseBlobs.push({ oid, from, path });
      else loose.looseNames.push({ oid, from, path, mode });
    }
  }
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- <= 0) return;
    yield item;
  }
}
