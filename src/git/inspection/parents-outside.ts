import { createHash } from "node:crypto";
import { GatewayError } from "../../errors.ts";
import { commitLinks } from "../push-graph.ts";
import type { ObjectFormat } from "../push-command.ts";
import { COMMIT, type PackEntries } from "./pack-entries.ts";

/** Parents of a pack's commits that are not in it themselves: of the commits that are in memory, and no deltas. */
export function parentsOutside(entries: PackEntries, format: ObjectFormat): readonly string[] {
  const inside = new Set<string>();
  const parents = new Set<string>();
  for (let at = 0; at < entries.count; at++) {
    const content = entries.type(at) === COMMIT && entries.base(at) === null ? entries.content(at) : null;
    if (content === null) continue;
    const oid = createHash(format).update(`commit ${content.length}\0`).update(content).digest("hex");
    inside.add(oid);
    for (const parent of linksOf(oid, content)) parents.add(parent);
  }
  return [...parents].filter((oid) => !inside.has(oid));
}

/** None of what is no commit: who reads it in earnest refuses it. */
function linksOf(oid: string, content: Buffer): readonly string[] {
  try {
    return commitLinks(oid, content).parents;
  } catch (error) {
    if (error instanceof GatewayError) return [];
    throw error;
  }
}
