import { isZeroOid, type RefUpdate } from "../model/ref-update.ts";
import { readCommand } from "./cat-file.ts";
import { findExactMoves } from "./inspection/renames.ts";
import { EMPTY_TREE, hasContent } from "./inspection/tree.ts";
import type { NewObjects } from "./new-objects.ts";
import { decodeText } from "./object-text.ts";
import { peel } from "./ref-range.ts";

export interface RefDiff {
  /** Unified, three lines of context, as `git diff` prints it. Untrusted: escape it for where it is shown. */
  readonly text: string;
  /** True when there is more than `maxBytes`; the text then ends with the last whole line. */
  readonly truncated: boolean;
  /** What the new version is compared with: the old one; for a new ref, what its commits build on; null: nothing. */
  readonly base: string | null;
}

/** More pairs than this and git does not compare contents to find renames. */
const RENAME_LIMIT = 400;

const PATCH_OPTIONS = [
  "-p",
  "--full-index",
  "--src-prefix=a/",
  "--dst-prefix=b/",
  "--find-renames",
  `-l${RENAME_LIMIT}`,
  "--no-color",
  "--no-ext-diff",
  "--no-textconv",
  "--submodule=short",
  "--ignore-submodules=none",
];

const NOTHING: RefDiff = { text: "", truncated: false, base: null };

/** For more files than this the blobs are not fetched ahead: the text will be cut long before. */
const MAX_PREFETCHED = 5_000;

/**
 * What a ref's whole move from old to new changes, for the person who approves: also what came upstream earlier by another
 * branch. Empty for deletions and for new refs at what the upstream has.
 * @throws GatewayError `inspection_failed` and those of fetching
 */
export async function readRefDiff(objects: NewObjects, update: RefUpdate, maxBytes: number): Promise<RefDiff> {
  const { pack, quarantine, context } = objects;
  if (isZeroOid(update.newOid)) return NOTHING;
  const target = peel(update.newOid, objects.tagTargets);
  if (pack.type(target) === "blob") return NOTHING;
  const base = isZeroOid(update.oldOid) ? baseOfNew(objects, target) : update.oldOid;
  if (base === undefined) return NOTHING;
  const outside = [base, target].filter((oid): oid is string => oid !== null && !pack.has(oid));
  await quarantine.cache?.ensureCommits(outside, context.signal);
  const from = base ?? EMPTY_TREE[quarantine.objectFormat];
  // Where the range is what the pack brings, the survey has fetched what its diff needs.
  const isOfPack = pack.has(target) && (base === null || objects.boundary.has(base));
  if (!isOfPack) await prefetchBlobs(objects, from, target);

  await quarantine.unpack(context.signal);
  const args = ["diff-tree", "-r", "-U3", ...PATCH_OPTIONS, "--end-of-options", from, target];
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of context.git.stream(readCommand(context, args))) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxBytes) break;
  }
  const all = Buffer.concat(chunks);
  if (bytes <= maxBytes) return { text: decodeText(all), truncated: false, base };
  const cut = all.lastIndexOf(0x0a, maxBytes - 1);
  return { text: decodeText(all.subarray(0, cut + 1)), truncated: true, base };
}

/**
 * The refs whose update drops commits that they had. Creations and deletions drop none.
 * @throws GatewayError `inspection_failed` and those of fetching
 */
export async function findForced(objects: NewObjects, updates: readonly RefUpdate[]): Promise<ReadonlySet<string>> {
  const { tips, turns, quarantine, context } = objects;
  const open: { readonly ref: string; readonly oldOid: string; readonly border: ReadonlySet<string> }[] = [];
  for (const { ref, oldOid, newOid } of updates) {
    if (isZeroOid(oldOid) || isZeroOid(newOid) || oldOid === newOid) continue;
    const border = borderBefore(objects, newOid, oldOid);
    if (border !== null) open.push({ ref, oldOid, border });
    if (turns.due) await turns.take();
  }
  const forced = new Set(open.map(({ ref }) => ref));
  if (quarantine.cache === null || open.length === 0) return forced;
  const asked = new Set(open.flatMap(({ oldOid, border }) => [oldOid, ...border]));
  const known = await quarantine.cache.findReachable([...asked], tips, context.signal);
  // By what they stand on: of all that were moved to one place, the upstream's history is asked once.
  const standingOn = new Map<string, { readonly ref: string; readonly oldOid: string }[]>();
  for (const { ref, oldOid, border } of open) {
    if (!known.has(oldOid)) continue;
    for (const oid of border) {
      if (!known.has(oid)) continue;
      const others = standingOn.get(oid);
      if (others === undefined) standingOn.set(oid, [{ ref, oldOid }]);
      else others.push({ ref, oldOid });
    }
  }
  for (const [oid, moved] of standingOn) {
    const olds = [...new Set(moved.map(({ oldOid }) => oldOid))];
    const ancestors = await quarantine.cache.findAncestors(olds, oid, tips, context.signal);
    for (const { ref, oldOid } of moved) if (ancestors.has(oldOid)) forced.delete(ref);
  }
  return forced;
}

/**
 * Down through the pack: whoever is reached there or at its border is an ancestor, whatever lies below.
 * @returns the border, what the new id stands on; null where the old one is reached
 */
function borderBefore({ graph, tagTargets }: NewObjects, newOid: string, oldOid: string): ReadonlySet<string> | null {
  const border = new Set<string>();
  const seen = new Set<string>();
  const stack = [peel(newOid, tagTargets)];
  for (let oid = stack.pop(); oid !== undefined; oid = stack.pop()) {
    if (oid === oldOid) return null;
    if (seen.has(oid)) continue;
    seen.add(oid);
    const node = graph.get(oid);
    if (node === undefined) border.add(oid);
    else stack.push(...node.parents);
  }
  return border;
}

/** The first old commit down the line of first parents; null at a root, undefined where nothing is new. */
function baseOfNew({ graph }: NewObjects, oid: string): string | null | undefined {
  if (!graph.has(oid)) return undefined;
  let commit = oid;
  for (let node = graph.get(commit); node !== undefined; node = graph.get(commit)) {
    const parent = node.parents[0];
    if (parent === undefined) return null;
    commit = parent;
  }
  return commit;
}

/** What the new side of a ref's net difference is compared with: a commit or a tree; null: nothing; undefined: it has none. */
export function baseOf(objects: NewObjects, { oldOid, newOid }: RefUpdate): string | null | undefined {
  return isZeroOid(oldOid) ? baseOfNew(objects, peel(newOid, objects.tagTargets)) : oldOid;
}

async function prefetchBlobs(
  { pack, quarantine, context, changes, source }: NewObjects,
  from: string | null,
  to: string,
): Promise<void> {
  if (quarantine.cache === null) return;
  const differing = await changes.between(from === null ? null : await changes.treeOf(from), await changes.treeOf(to));
  if (differing.length > MAX_PREFETCHED) return;
  const { files, open, gone } = findExactMoves(differing);
  const isOutside = ({ mode, oid }: { mode: number; oid: string }): boolean => hasContent(mode) && !pack.holds(oid);
  const wanted = [
    ...files.flatMap(({ change, before }) => [change, ...before]),
    ...open,
    ...gone.flatMap(({ before }) => before),
  ].filter(isOutside);
  await quarantine.cache.fetchBlobs(await source.missing(new Set(wanted.map(({ oid }) => oid))), context.signal);
}
