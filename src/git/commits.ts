import { createReadStream } from "node:fs";
import { readObjects } from "./cat-file.ts";
import { parseCommitObject, type NewCommit } from "./commit-object.ts";
import { splitRecords } from "./git-output.ts";
import type { NewObjects } from "./new-objects.ts";
import { ABSENT_MODE, EMPTY_TREE, isBlobMode, RawDiffParser, TREE_MODE, type RawEntry } from "./raw-diff.ts";
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
  if (objects.commits.length === 0) return;
  if (objects.commitContents.size > 0) {
    for (const oid of objects.commits) yield parseCommitObject(oid, objects.commitContents.get(oid) ?? Buffer.alloc(0));
    return;
  }
  for await (const { oid, content } of readObjects(objects.context, objects.commits)) {
    yield parseCommitObject(oid, content);
  }
}

/** Every new annotated tag. @throws GatewayError */
export async function* readNewTags(objects: NewObjects): AsyncGenerator<NewTag, void, undefined> {
  if (objects.tags.length === 0) return;
  for await (const { oid, content } of readObjects(objects.context, objects.tags)) yield parseTagObject(oid, content);
}

/**
 * Every path that new commits touch, in the order of {@link readNewCommits}; of a merge, those that differ from all of its
 * parents. Renames are a deletion and an addition. Then the paths of files that no commit has.
 */
export async function* readChanges(objects: NewObjects): AsyncGenerator<FileChange, void, undefined> {
  const parser = new RawDiffParser();
  for await (const records of splitRecords(createReadStream(objects.changesFile), 0)) {
    for (const record of records) {
      const entry = parser.parse(record);
      if (entry === null) continue;
      const oldMode = entry.oldModes.find((mode) => mode !== ABSENT_MODE && mode !== TREE_MODE) ?? ABSENT_MODE;
      const isDeleted = entry.newMode === ABSENT_MODE || entry.newMode === TREE_MODE;
      // A directory, on both sides: its files have entries of their own. An empty one has none, and its name is read here or never.
      if (isDeleted && oldMode === ABSENT_MODE) {
        if (entry.newOid === EMPTY_TREE[objects.quarantine.objectFormat]) yield emptyDirectory(entry);
        continue;
      }
      yield {
        commit: entry.commit,
        kind: isDeleted ? "delete" : oldMode === ABSENT_MODE ? "add" : "change",
        path: entry.path.toString("utf8"),
        mode: isDeleted ? ABSENT_MODE : entry.newMode,
        oldMode,
        oid: entry.newOid,
        size: isBlobMode(entry.newMode) ? objects.pack.size(entry.newOid) : null,
      };
    }
  }
  for (const { oid, from, path, mode } of objects.looseNames) {
    yield { commit: from, kind: "add", path, mode, oldMode: ABSENT_MODE, oid, size: null };
  }
  for (const { oid, from, path } of objects.looseBlobs) {
    yield {
      commit: from,
      kind: "add",
      path,
      mode: "100644",
      oldMode: ABSENT_MODE,
      oid,
      size: objects.pack.size(oid),
    };
  }
}

const emptyDirectory = ({ commit, path, newOid }: RawEntry): FileChange => ({
  commit,
  kind: "add",
  path: path.toString("utf8"),
  mode: TREE_MODE,
  oldMode: ABSENT_MODE,
  oid: newOid,
  size: null,
});
