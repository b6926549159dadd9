/**
 * What of a commit's new files was moved: a file of the same content, or of half of it, that the same commit takes away. Only
 * lines that the old name did not have count as added then. A move hides nothing: the lines that it takes along stood in the
 * parent, where they were looked at or were upstream.
 */
import { hasContent, modeText } from "./tree.ts";
import type { TreeChange, TreeEntry } from "./tree-diff.ts";
import type { Turns } from "./turns.ts";

/** So many files of one commit on either side are compared by what is in them; by id they all are. */
const MAX_COMPARED = 100;
/** Larger files are not compared. */
const MAX_BYTES = 1024 * 1024;

/** A path that a commit adds or changes, and the versions that it is compared with. */
export interface FileVersions {
  readonly change: TreeChange;
  /** Of the same file, or of what it was moved from: contents of the parents. */
  readonly before: readonly TreeEntry[];
  /** Where it was moved from; null where it stood here before, or stands here for the first time. */
  readonly movedFrom: TreeChange | null;
}

export interface Moves {
  readonly files: readonly FileVersions[];
  /** New files that may have come from one of {@link gone}; empty where there are too many. */
  readonly open: readonly TreeChange[];
  readonly gone: readonly TreeChange[];
}

const versions = (change: TreeChange): FileVersions => ({
  change,
  before: change.before.filter(({ mode }) => hasContent(mode)),
  movedFrom: null,
});

/** Pairs by id, which needs no content. */
export function findExactMoves(changes: readonly TreeChange[]): Moves {
  const added = changes.filter(({ mode, before }) => hasContent(mode) && !before.some((old) => hasContent(old.mode)));
  const isAdded = new Set(added);
  const files = changes.filter((change) => hasContent(change.mode) && !isAdded.has(change)).map(versions);
  const gone = changes.filter(
    ({ mode, before }) => mode === 0 && before.length === 1 && before.every((old) => hasContent(old.mode)),
  );
  if (added.length === 0 || gone.length === 0) {
    return { files: changes.filter(({ mode }) => hasContent(mode)).map(versions), open: [], gone: [] };
  }
  const byOid = new Map(gone.map((change) => [change.before[0]?.oid, change]));
  const left = new Set(gone);
  const open: TreeChange[] = [];
  for (const change of added) {
    const from = byOid.get(change.oid);
    if (from === undefined) {
      open.push(change);
      continue;
    }
    files.push({ change, before: from.before, movedFrom: from });
    left.delete(from);
  }
  const isComparable = left.size > 0 && open.length <= MAX_COMPARED && left.size <= MAX_COMPARED;
  if (open.length > 0 && isComparable) return { files, open, gone: [...left] };
  const all = [...files, ...open.map(versions)].sort((a, b) => (a.change.path < b.change.path ? -1 : 1));
  return { files: all, open: [], gone: [] };
}

/** Pairs the rest by content. @param read null for what is too large */
export async function findMoves(
  changes: readonly TreeChange[],
  read: (oid: string) => Promise<Buffer | null>,
  turns: Turns,
): Promise<readonly FileVersions[]> {
  const { files, open, gone } = findExactMoves(changes);
  if (open.length === 0) return files;
  const olds: { readonly change: TreeChange; readonly print: Print }[] = [];
  for (const change of gone) {
    const print = await printOf(change.before[0]?.oid ?? "", read, turns);
    if (print !== null) olds.push({ change, print });
  }
  const found: FileVersions[] = [];
  for (const change of open) {
    const print = olds.length === 0 ? null : await printOf(change.oid, read, turns);
    let best: TreeChange | null = null;
    let bestShare = 0.5;
    for (const old of print === null ? [] : olds) {
      if (modeText(old.change.before[0]?.mode ?? 0).slice(0, 3) !== modeText(change.mode).slice(0, 3)) continue;
      const share = print === null ? 0 : shareOf(print, old.print);
      if (share < bestShare) continue;
      best = old.change;
      bestShare = share;
    }
    found.push(best === null ? versions(change) : { change, before: best.before, movedFrom: best });
  }
  return [...files, ...found].sort((a, b) => (a.change.path < b.change.path ? -1 : 1));
}

interface Print {
  readonly bytes: number;
  /** Hash of a line → bytes of all lines like it. */
  readonly lines: ReadonlyMap<number, number>;
}

async function printOf(
  oid: string,
  read: (oid: string) => Promise<Buffer | null>,
  turns: Turns,
): Promise<Print | null> {
  const content = await read(oid);
  if (content === null || content.length > MAX_BYTES) return null;
  if (turns.due) await turns.take();
  const lines = new Map<number, number>();
  // FNV-1a. Lines that only look alike make a move where there was none: which lines are new is compared afterwards.
  let hash = 0x811c9dc5;
  let begin = 0;
  for (let at = 0; at <= content.length; at++) {
    const byte = content[at];
    if (byte !== undefined) hash = Math.imul(hash ^ byte, 0x01000193);
    if (byte !== 0x0a && byte !== undefined && at - begin < 256) continue;
    const bytes = Math.min(at + 1, content.length) - begin;
    if (bytes > 0) lines.set(hash, (lines.get(hash) ?? 0) + bytes);
    hash = 0x811c9dc5;
    begin = at + 1;
  }
  return { bytes: content.length, lines };
}

/** How much of the larger one the two have in common, from 0 to 1. */
function shareOf(one: Print, other: Print): number {
  const [small, large] = one.bytes < other.bytes ? [one, other] : [other, one];
  if (large.bytes === 0 || small.bytes * 2 < large.bytes) return 0;
  let common = 0;
  for (const [hash, bytes] of small.lines) common += Math.min(bytes, large.lines.get(hash) ?? 0);
  return common / large.bytes;
}
