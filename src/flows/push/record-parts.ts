import type { Transaction } from "../../store/database.ts";
import type { PushDependencies, PushPart } from "./dependencies.ts";
import { findHold, prepareHold, type OpenHold } from "./open-hold.ts";
import { packOfPart, type PartPack } from "./parts.ts";
import { writePart } from "./record.ts";

/**
 * The record comes before anything else that can be seen from outside: all parts of a push, the questions that they ask and the
 * messages about these, in one transaction.
 * @param ownPack makes a blob of the client's own pack; null where it sent none
 * @returns the hold of the part that waits
 */
export async function recordParts(
  deps: PushDependencies,
  parts: readonly PushPart[],
  ownPack: () => Promise<PartPack | null>,
): Promise<OpenHold | null> {
  const writes: ((tx: Transaction) => Promise<void>)[] = [];
  let hold: OpenHold | null = null;
  let isNewHold = false;
  for (const part of parts) {
    if (part.verdict.kind === "reject") {
      writes.push((tx) => writePart(deps, tx, part, { status: "rejected", pack: null }));
      continue;
    }
    const makePack = () => (part.isWhole ? ownPack() : packOfPart(deps.blobs, part));
    if (part.verdict.kind === "allow") {
      const pack = await makePack();
      writes.push((tx) => writePart(deps, tx, part, { status: "delivering", pack }));
      continue;
    }
    hold = await findHold(deps, part);
    if (hold !== null) continue;
    const prepared = await prepareHold(deps, part, await makePack());
    writes.push(prepared.write);
    hold = prepared.hold;
    isNewHold = true;
  }
  await deps.db.transaction(async (tx) => {
    for (const write of writes) await write(tx);
  });
  if (isNewHold) deps.onTold();
  return hold;
}
