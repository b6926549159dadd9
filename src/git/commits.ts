import { parseCommitObject, type NewCommit } from "./commit-object.ts";
import type { VerifyCommit } from "./commit-signature.ts";
import { hasContent, modeText } from "./inspection/tree.ts";
import type { TreeChange } from "./inspection/tree-diff.ts";
import type { NewObjects } from "./new-objects.ts";
import { pathText } from "./object-text.ts";
import type { PackObjects } from "./pack-objects.ts";
import { parseTagObject, type NewTag } from "./tag-object.ts";

/** A path that a new commit adds, changes or deletes. */
export interface FileChange {
  readonly commit: string;
  readonly kind: "add" | "change" | "delete";
  /** As UTF-8; bytes that are not UTF-8 are replaced. */
  readonly path: string;
  /** Octal, e.g. `100755`; `120000` is a symbolic link, `160000` a submodule, `040000` an empty directory, `000000` absent. */
  readonly mode: string;
  readonly oldMode: string;
  readonly oid: string;
  /** Bytes of the new content; null when it is not in the pack (a rename, a submodule, a deletion). */
  readonly size: number | null;
}

/** Every new commit, parents before children, also those that a later one undoes. @throws GatewayError */
export async function* readNewCommits(objects: NewObjects): AsyncGenerator<NewCommit, void, undefined> {
  for (const oid of objects.commits) yield readCommit(objects, oid);
}

/**
 * A commit that is new, or that a ref moves over.
 * @param verify asked whose an SSH signature is; absent: it is nobody's
 * @throws GatewayError
 */
export async function readCommit({ source }: NewObjects, oid: string, verify?: VerifyCommit): Promise<NewCommit> {
  return parseCommitObject(oid, await whole(source, oid), verify);
}

/** Every new annotated tag. @throws GatewayError */
export async function* readNewTags({ source, tags }: NewObjects): AsyncGenerator<NewTag, void, undefined> {
  for (const oid of tags) yield parseTagObject(oid, await whole(source, oid));
}

async function whole(source: NewObjects["source"], oid: string): Promise<Buffer> {
  const content = source.held(oid) ?? (await source.load(oid));
  if (content !== null) return content;
  // A bound on commits that an operator has lifted.
  const pieces: Buffer[] = [];
  for await (const chunk of source.chunks(oid)) pieces.push(chunk);
  return Buffer.concat(pieces);
}

/**
 * Every path that new commits touch, in the order of {@link readNewCommits}; of a merge, those that differ from all of its
 * parents. Renames are a deletion and an addition. Then the paths of files that no commit has.
 */
export async function* readChanges(objects: NewObjects): AsyncGenerator<FileChange, void, undefined> {
  for (const commit of objects.commits) {
    for (const change of await objects.changes.of(commit)) yield fileChange(commit, change, objects.pack);
  }
  for (const { oid, from, path, mode } of [...objects.looseNames, ...objects.looseBlobs]) {
    yield { commit: from, kind: "add", path, mode, oldMode: ABSENT_MODE, oid, size: objects.pack.size(oid) };
  }
}

const ABSENT_MODE = "000000";

/** @param commit what the change belongs to */
export function fileChange(commit: string, change: TreeChange, pack: PackObjects): FileChange {
  const oldMode = change.before.find(({ mode }) => mode !== 0)?.mode ?? 0;
  return {
    commit,
    kind: change.mode === 0 ? "delete" : oldMode === 0 ? "add" : "change",
    path: pathText(change.path),
    mode: modeText(change.mode),
    oldMode: modeText(oldMode),
    oid: change.oid,
    size: hasContent(change.mode) ? pack.size(change.oid) : null,
  };
}
