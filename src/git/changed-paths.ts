import { createWriteStream, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { GatewayError } from "../errors.ts";
import { readCommand, type ReadContext } from "./cat-file.ts";
import { splitRecords } from "./git-output.ts";
import type { PackObjects } from "./pack-objects.ts";
import type { CommitNode } from "./push-graph.ts";
import { isBlobMode, RawDiffParser, SUBMODULE_MODE, TREE_MODE, type RawEntry } from "./raw-diff.ts";

/** Changed paths with their ids, directories too; of merges those that differ from all parents. */
export const RAW_DIFF = [
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

/** One line for `diff-tree --stdin`. Parents are named, so that nothing on disk (grafts, shallow) can say otherwise. */
export const diffLine = (oid: string, graph: ReadonlyMap<string, CommitNode>): string =>
  `${[oid, ...(graph.get(oid)?.parents ?? [])].join(" ")}\n`;

export interface Survey {
  readonly graph: ReadonlyMap<string, CommitNode>;
  readonly pack: PackObjects;
  readonly context: ReadContext;
}

/** Lists every changed path of `commits` into a file. @returns blobs from outside the pack whose content is needed */
export async function spoolChanges(
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
export function meetEntry(entry: RawEntry, pack: PackObjects): void {
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
