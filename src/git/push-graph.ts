import { readObjects, type ReadContext } from "./cat-file.ts";
import { parseCommitObject } from "./commit-object.ts";
import { overLimit } from "./limits.ts";
import type { PackObjects } from "./pack-objects.ts";
import { parseTagObject } from "./tag-object.ts";

export interface CommitNode {
  readonly parents: readonly string[];
  readonly tree: string;
}

/** Commits of more bytes than this are read again when they are told. */
const KEPT_COMMIT_BYTES = 256 * 1024;

/** Every commit of the pack. `contents` holds the bytes of all of them, or is empty. @throws GatewayError */
export async function readGraph(
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

/** Every tag object of the pack, and what it points at. @throws GatewayError */
export async function readTagTargets(
  pack: PackObjects,
  context: ReadContext,
  limit: number,
): Promise<Map<string, string>> {
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
  if (oids.every((oid) => pack.content(oid) !== null)) {
    for (const oid of oids) yield { oid, content: pack.content(oid) ?? Buffer.alloc(0) };
    return;
  }
  yield* readObjects(context, oids);
}
