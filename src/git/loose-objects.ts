import { GatewayError } from "../errors.ts";
import { readCommand } from "./cat-file.ts";
import { diffLine, meetEntry, RAW_DIFF, type Survey } from "./changed-paths.ts";
import { splitRecords } from "./git-output.ts";
import type { Reach } from "./push-reach.ts";
import { isBlobMode, RawDiffParser, SUBMODULE_MODE } from "./raw-diff.ts";

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

export interface Loose {
  readonly looseBlobs: LooseBlob[];
  readonly looseNames: LooseName[];
}

/**
 * Meets what no diff of a new commit shows: files behind tags on trees and blobs, objects that the client sent although
 * they are old, or that equal an old file. What is new among them must be read as a whole.
 */
export async function meetTheRest({
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
        throw new GatewayError("inspection_failed", "git ls-tree answered with no tree");
      }
      if (mode !== SUBMODULE_MODE) pack.meet(oid);
      if (isBlobMode(mode)) loose.looseBlobs.push({ oid, from, path });
      else loose.looseNames.push({ oid, from, path, mode });
    }
  }
}
