import { readCommand } from "./cat-file.ts";
import { splitRecords } from "./git-output.ts";
import type { NewObjects } from "./new-objects.ts";
import { walkPush } from "./push-reach.ts";

/**
 * A pack of just what some ids of a push reach: of the objects that the client sent those, and no other. For a push of which
 * a part is refused: the client's own pack would carry what was refused to the upstream, where anybody who knows an id can
 * fetch it. Complete by itself, since its deltas build on nothing that it does not hold.
 * @param newOids ids that refs are to be moved to
 * @throws GatewayError `inspection_failed`
 */
export async function* repack(
  objects: NewObjects,
  newOids: readonly string[],
): AsyncGenerator<Buffer, void, undefined> {
  const { pack, graph, tagTargets, context, quarantine } = objects;
  await quarantine.unpack(context.signal);
  const { commits, tags, direct } = walkPush(newOids, pack, graph, tagTargets);
  const wanted = new Set<string>();
  // No commit is walked past those that are named. Files that the gateway has not got are old ones: they are not sent.
  const args = ["rev-list", "--objects", "--no-object-names", "--no-walk=unsorted", "--missing=allow-any", "--stdin"];
  const start = [...commits, ...tags, ...direct.map(({ oid }) => oid)];
  if (start.length > 0) {
    const listed = context.git.stream({ ...readCommand(context, args), input: asLines(start) });
    for await (const records of splitRecords(listed, 0x0a)) {
      for (const record of records) {
        const oid = record.toString("latin1");
        if (pack.has(oid)) wanted.add(oid);
      }
    }
  }
  yield* context.git.stream({
    ...readCommand(context, ["pack-objects", "--stdout", "-q", "--delta-base-offset"]),
    input: asLines(wanted),
  });
}

function* asLines(oids: Iterable<string>): Generator<string> {
  for (const oid of oids) yield `${oid}\n`;
}
