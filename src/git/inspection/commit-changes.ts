import { unreadable } from "../cat-file.ts";
import type { PackObjects } from "../pack-objects.ts";
import { commitLinks, type CommitNode } from "../push-graph.ts";
import type { PushLimits } from "../../model/push-limits.ts";
import { parseTagObject } from "../tag-object.ts";
import type { ObjectSource } from "./object-source.ts";
import { findMoves, type FileVersions } from "./renames.ts";
import { DIRECTORY, TreeCursor } from "./tree.ts";
import { diffTrees, type PathCount, type TreeChange, type TreeEntry, type TreeReading } from "./tree-diff.ts";
import type { Turns } from "./turns.ts";

/** Changes are kept until there are so many; those of later commits are found once more when they are asked for. */
const KEPT_CHANGES = 30_000;
/** So many commits' moves are remembered: whoever reads a commit asks for them a few times in a row. */
const KEPT_MOVES = 16;

export interface CommitChangesOptions {
  readonly pack: PackObjects;
  readonly source: ObjectSource;
  readonly idBytes: number;
  readonly emptyTree: string;
  readonly limits: Pick<PushLimits, "changedPaths" | "treeDepth">;
  readonly turns: Turns;
  /** Commits whose links are known without reading them. */
  readonly nodeOf: (oid: string) => CommitNode | undefined;
}

/** What commits change, from their trees and their parents' trees. */
export class CommitChanges {
  readonly #options: CommitChangesOptions;
  readonly #reading: TreeReading;
  readonly #kept = new Map<string, readonly TreeChange[]>();
  readonly #moves = new Map<string, readonly FileVersions[]>();
  readonly #old = new Map<string, CommitNode>();
  readonly #count: PathCount = { paths: 0 };
  #keptChanges = 0;

  constructor(options: CommitChangesOptions) {
    const { pack, source, idBytes, emptyTree, limits, turns } = options;
    this.#options = options;
    this.#reading = {
      idBytes,
      emptyTree,
      limits,
      turns,
      held: (oid) => source.held(oid),
      load: (oid) => source.load(oid),
      isNew: (oid) => pack.has(oid),
      meet: (oid) => void pack.meet(oid),
    };
  }

  /** As {@link of}, the first time for this commit: what it changes counts. */
  survey(commit: string): Promise<readonly TreeChange[]> {
    return this.#read(commit, this.#count);
  }

  /** In the order of their paths. @throws GatewayError `inspection_failed`, `limit_exceeded`, and those of fetching */
  of(commit: string): Promise<readonly TreeChange[]> {
    return this.#read(commit, { paths: 0 });
  }

  async #read(commit: string, count: PathCount): Promise<readonly TreeChange[]> {
    const kept = this.#kept.get(commit);
    if (kept !== undefined) return kept;
    const { tree, parents } = await this.node(commit);
    const trees: string[] = [];
    for (const parent of parents) trees.push((await this.node(parent)).tree);
    const changes = await diffTrees(tree, trees, this.#reading, count);
    if (this.#keptChanges < KEPT_CHANGES) {
      this.#keptChanges += changes.length + 1;
      this.#kept.set(commit, changes);
    }
    return changes;
  }

  /** What differs between two trees. @param to null: nothing */
  between(from: string | null, to: string | null): Promise<TreeChange[]> {
    return diffTrees(to, from === null ? [] : [from], this.#reading, { paths: 0 });
  }

  /** Files that a commit adds or changes, moves found, in the order of their paths. @throws GatewayError as {@link of} */
  async files(commit: string): Promise<readonly FileVersions[]> {
    const known = this.#moves.get(commit);
    if (known !== undefined) return known;
    const { source, turns } = this.#options;
    const files = await findMoves(await this.of(commit), (oid) => source.load(oid), turns);
    if (this.#moves.size >= KEPT_MOVES) this.#moves.clear();
    this.#moves.set(commit, files);
    return files;
  }

  /** What a commit has at a path; null: nothing, or a directory. @throws GatewayError as {@link node} */
  async at(commit: string, path: string): Promise<TreeEntry | null> {
    const { source, idBytes } = this.#options;
    const names = path.split("/");
    let oid = (await this.node(commit)).tree;
    for (const [depth, name] of names.entries()) {
      const bytes = source.held(oid) ?? (await source.load(oid)) ?? Buffer.alloc(0);
      const isLast = depth === names.length - 1;
      const cursor = new TreeCursor(oid, bytes, idBytes);
      while (!cursor.isOver && (cursor.name() !== name || (cursor.mode === DIRECTORY) === isLast)) cursor.next();
      if (cursor.isOver) return null;
      if (isLast) return { mode: cursor.mode, oid: cursor.id() };
      oid = cursor.id();
    }
    return null;
  }

  /** The tree behind a commit, a tag or a tree; null behind a file. @throws GatewayError as {@link node} */
  async treeOf(oid: string): Promise<string | null> {
    const { source, nodeOf } = this.#options;
    for (let at = oid; ;) {
      const type = nodeOf(at) === undefined ? await source.type(at) : "commit";
      if (type === "commit") return (await this.node(at)).tree;
      if (type !== "tag") return type === "tree" ? at : null;
      at = parseTagObject(at, (await source.load(at)) ?? Buffer.alloc(0)).target;
    }
  }

  /** Tree and parents of a commit, also of an old one. @throws GatewayError `inspection_failed`, and those of fetching */
  async node(oid: string): Promise<CommitNode> {
    const known = this.#options.nodeOf(oid) ?? this.#old.get(oid);
    if (known !== undefined) return known;
    const content = await this.#options.source.load(oid);
    if (content === null) throw unreadable();
    const node = commitLinks(oid, content);
    this.#old.set(oid, node);
    return node;
  }
}
