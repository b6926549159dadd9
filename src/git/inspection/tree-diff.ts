/**
 * What a commit changes, path by path, from the trees themselves. Of a merge, the paths that differ from all of its parents,
 * as `git diff-tree -c` tells them: what is as one of the parents has it was looked at there.
 *
 * Sound for trees of any make: a path counts as unchanged only where a parent has the very same entry under the very same name.
 */
import { GatewayError } from "../../errors.ts";
import { overLimit } from "../limits.ts";
import type { Turns } from "./turns.ts";
import { checkTree, DIRECTORY, SUBMODULE, TreeCursor } from "./tree.ts";

/** What stands at a path; mode 0: nothing. */
export interface TreeEntry {
  readonly mode: number;
  readonly oid: string;
}

export interface TreeChange extends TreeEntry {
  /** One character a byte, names separated by slashes. */
  readonly path: string;
  /** Of each parent. */
  readonly before: readonly TreeEntry[];
}

export const ABSENT: TreeEntry = { mode: 0, oid: "" };

export interface TreeReading {
  readonly idBytes: number;
  readonly emptyTree: string;
  readonly limits: { readonly treeDepth: number; readonly changedPaths: number };
  readonly turns: Turns;
  /** What is in memory. */
  held(oid: string): Buffer | null;
  load(oid: string): Promise<Buffer | null>;
  /** Whether it came with the push. */
  isNew(oid: string): boolean;
  /** Told of every object that is met on the way. */
  meet(oid: string): void;
}

/** Counts over a whole push: a few trees that hold each other many times over make more paths than anybody can read. */
export interface PathCount {
  paths: number;
}

interface Frame {
  readonly prefix: string;
  readonly depth: number;
  readonly oid: string | null;
  readonly parents: readonly (string | null)[];
}

/**
 * @param tree null: nothing, everything was deleted
 * @param parents trees; null where there is none. None at all: everything is new
 * @throws GatewayError `inspection_failed` for new trees that are malformed, `limit_exceeded`
 */
export async function diffTrees(
  tree: string | null,
  parents: readonly (string | null)[],
  reading: TreeReading,
  count: PathCount,
): Promise<TreeChange[]> {
  const changes: TreeChange[] = [];
  if (tree !== null) reading.meet(tree);
  if (tree !== null && parents.includes(tree)) return changes;
  const stack: Frame[] = [{ prefix: "", depth: 0, oid: tree, parents }];
  for (let frame = stack.pop(); frame !== undefined; frame = stack.pop()) {
    if (frame.depth > reading.limits.treeDepth) throw overLimit.treeDepth(reading.limits.treeDepth);
    const before = changes.length;
    const cursor = frame.oid === null ? null : await openTree(frame.oid, reading, reading.isNew(frame.oid));
    const olds: (TreeCursor | null)[] = [];
    for (const oid of frame.parents) olds.push(oid === null ? null : await openTree(oid, reading, false));
    compare(frame, cursor, olds, reading, changes, stack);
    count.paths += changes.length - before;
    if (count.paths > reading.limits.changedPaths) throw overLimit.changedPaths(reading.limits.changedPaths);
    if (reading.turns.due) await reading.turns.take();
  }
  return changes.length > 1 ? changes.sort((a, b) => (a.path < b.path ? -1 : 1)) : changes;
}

async function openTree(oid: string, reading: TreeReading, mustBeStrict: boolean): Promise<TreeCursor | null> {
  const bytes = reading.held(oid) ?? (await reading.load(oid));
  if (bytes === null)
    throw new GatewayError("limit_exceeded", `tree ${oid} has more entries than can be read: split the directory`);
  if (mustBeStrict) checkTree(oid, bytes, reading.idBytes);
  return bytes.length === 0 ? null : new TreeCursor(oid, bytes, reading.idBytes);
}

/** Goes through all of the trees at once, in their common order. */
function compare(
  { prefix, depth }: Frame,
  cursor: TreeCursor | null,
  olds: readonly (TreeCursor | null)[],
  reading: TreeReading,
  changes: TreeChange[],
  stack: Frame[],
): void {
  for (;;) {
    if (cursor !== null && olds.length > 0 && olds.every((old) => old !== null && cursor.isIdentical(old))) {
      cursor.next();
      for (const old of olds) old?.next();
      continue;
    }
    let first: TreeCursor | null = cursor !== null && !cursor.isOver ? cursor : null;
    for (const old of olds) {
      if (old !== null && !old.isOver && (first === null || old.compare(first) < 0)) first = old;
    }
    if (first === null) return;
    const isHere = (other: TreeCursor | null): other is TreeCursor =>
      other !== null && !other.isOver && (other === first || other.compare(first) === 0);
    const entry = isHere(cursor) ? cursor : null;
    const known = olds.map((old) => (isHere(old) ? old : null));
    // Told before any of them moves on. What is in no parent's version and not here either is nothing.
    const isSame = entry !== null && known.some((old) => old !== null && entry.isSame(old));
    const isDeleted = entry === null && known.length > 0 && known.every((old) => old !== null);
    if (!isSame && (entry !== null || isDeleted)) {
      const path = prefix + first.name();
      if (first.mode === DIRECTORY) {
        const oid = entry?.id() ?? null;
        const before = known.map((old) => old?.id() ?? null);
        if (oid !== null) reading.meet(oid);
        if (oid === reading.emptyTree) changes.push({ path, mode: DIRECTORY, oid, before: before.map(() => ABSENT) });
        stack.push({ prefix: `${path}/`, depth: depth + 1, oid, parents: before });
      } else {
        const before = known.map((old) => (old === null ? ABSENT : { mode: old.mode, oid: old.id() }));
        const mode = entry?.mode ?? 0;
        const oid = entry?.id() ?? "";
        // What a submodule's entry names is another repository's commit: nothing here reads it, so it meets nothing.
        if (entry !== null && mode !== SUBMODULE) reading.meet(oid);
        changes.push({ path, mode, oid, before });
      }
    }
    if (entry !== null) entry.next();
    for (const old of known) old?.next();
  }
}
