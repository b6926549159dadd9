import type { CommitChanges } from "./inspection/commit-changes.ts";
import type { ObjectSource } from "./inspection/object-source.ts";
import { DIRECTORY, hasContent, modeText, SUBMODULE, TreeCursor } from "./inspection/tree.ts";
import type { Turns } from "./inspection/turns.ts";
import type { PackObjects } from "./pack-objects.ts";
import type { CommitNode } from "./push-graph.ts";
import type { Reach } from "./push-reach.ts";
import { pathText } from "./object-text.ts";

/** A file with content that no commit's diff shows: behind a tag, or a ref, on a blob or a tree. */
export interface LooseBlob {
  readonly oid: string;
  /** The object that leads to it: a tag, or {@link root} itself. */
  readonly from: string;
  /** The blob or tree that a tag or a ref points at. */
  readonly root: string;
  readonly path: string;
  readonly mode: string;
}

/** An empty directory or a submodule in a tree that no commit has: a name without content of its own. */
export type LooseName = LooseBlob;

export interface Loose {
  readonly looseBlobs: LooseBlob[];
  readonly looseNames: LooseName[];
}

/** What tags and refs on trees and blobs bring: all of it, files outside the pack too, nobody knows how they got upstream. */
export async function readLoose(reach: Reach, pack: PackObjects, changes: CommitChanges): Promise<Loose> {
  const loose: Loose = { looseBlobs: [], looseNames: [] };
  for (const { oid, from } of reach.direct) {
    pack.meet(oid);
    if (pack.type(oid) === "blob") {
      loose.looseBlobs.push({ oid, from, root: oid, path: "", mode: "100644" });
      continue;
    }
    for (const change of await changes.between(null, oid)) {
      const at = { oid: change.oid, from, root: oid, path: pathText(change.path), mode: modeText(change.mode) };
      (hasContent(change.mode) ? loose.looseBlobs : loose.looseNames).push(at);
    }
  }
  return loose;
}

/**
 * Meets what the client sent although the upstream has it: commits that are old, and in new ones what is as it was in their
 * parents. By these it is reachable upstream, at this very path: nothing of it is new.
 */
export async function meetOld(
  commits: readonly string[],
  { graph, pack, source, idBytes, turns, isDeep }: MeetOldOptions,
): Promise<void> {
  const stack: string[] = [];
  const seen = new Set<string>();
  const enter = (tree: string): void => {
    if (seen.has(tree) || (!isDeep && pack.type(tree) !== "tree")) return;
    seen.add(tree);
    stack.push(tree);
  };
  for (const commit of commits) {
    if (pack.unmet().next().done === true) return;
    pack.meet(commit);
    enter(graph.get(commit)?.tree ?? "");
    for (let tree = stack.pop(); tree !== undefined; tree = stack.pop()) {
      pack.meet(tree);
      const bytes = source.held(tree) ?? (await source.load(tree)) ?? Buffer.alloc(0);
      for (const cursor = new TreeCursor(tree, bytes, idBytes); !cursor.isOver; cursor.next()) {
        if (cursor.mode === SUBMODULE) continue;
        if (cursor.mode === DIRECTORY) enter(cursor.id());
        else pack.meet(cursor.id());
      }
      if (turns.due) await turns.take();
    }
  }
}

export interface MeetOldOptions {
  readonly graph: ReadonlyMap<string, CommitNode>;
  readonly pack: PackObjects;
  readonly source: ObjectSource;
  readonly idBytes: number;
  readonly turns: Turns;
  /** Also through trees that the client did not send. */
  readonly isDeep: boolean;
}
