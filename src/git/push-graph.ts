import { readObjects, type ReadContext } from "./cat-file.ts";
import type { ObjectSource } from "./inspection/object-source.ts";
import { Turns } from "./inspection/turns.ts";
import { overLimit } from "./limits.ts";
import { malformed } from "./object-text.ts";
import type { PackObjects } from "./pack-objects.ts";
import { parseTagObject } from "./tag-object.ts";

export interface CommitNode {
  readonly parents: readonly string[];
  readonly tree: string;
}

interface GraphReading {
  readonly pack: PackObjects;
  readonly source: ObjectSource;
  readonly context: ReadContext;
  /** Bytes of one commit or tag. */
  readonly limit: number;
}

/** Every commit of the pack. @throws GatewayError */
export async function readGraph(reading: GraphReading): Promise<Map<string, CommitNode>> {
  const graph = new Map<string, CommitNode>();
  for await (const { oid, content } of readSmall(reading, "commit")) graph.set(oid, commitLinks(oid, content));
  return graph;
}

/** Every tag object of the pack, and what it points at. @throws GatewayError */
export async function readTagTargets(reading: GraphReading): Promise<Map<string, string>> {
  const targets = new Map<string, string>();
  for await (const { oid, content } of readSmall(reading, "tag")) targets.set(oid, parseTagObject(oid, content).target);
  return targets;
}

/**
 * The lines that a commit begins with: `tree`, and every `parent` right behind it. One further down is an unknown header to
 * git, and here too.
 * @throws GatewayError `pack_invalid`
 */
export function commitLinks(oid: string, content: Buffer): CommitNode {
  const digits = oid.length;
  const idBehind = (at: number, name: string): string | null => {
    const begin = at + name.length + 1;
    if (content.toString("latin1", at, begin) !== `${name} `) return null;
    const id = content.toString("latin1", begin, begin + digits);
    if (content[begin + digits] !== 0x0a || id.length !== digits || !/^[0-9a-f]+$/.test(id))
      throw malformed("commit", oid);
    return id;
  };
  const tree = idBehind(0, "tree");
  if (tree === null) throw malformed("commit", oid);
  const parents: string[] = [];
  let at = "tree ".length + digits + 1;
  for (let parent = idBehind(at, "parent"); parent !== null; parent = idBehind(at, "parent")) {
    parents.push(parent);
    at += "parent ".length + digits + 1;
  }
  return { parents, tree };
}

async function* readSmall(
  { pack, source, context, limit }: GraphReading,
  type: "commit" | "tag",
): AsyncGenerator<{ readonly oid: string; readonly content: Buffer }> {
  const turns = new Turns(context.signal);
  const elsewhere: string[] = [];
  for (const oid of pack.ofType(type)) {
    const size = pack.size(oid) ?? 0;
    if (size > limit) throw overLimit.commitBytes(type, oid, size, limit);
    const content = source.held(oid);
    if (content === null) elsewhere.push(oid);
    else yield { oid, content };
    if (turns.due) await turns.take();
  }
  if (elsewhere.length > 0) yield* readObjects(context, elsewhere);
}
