import type { Transaction } from "../../store/database.ts";
import { insertEvent, type NewEvent } from "../../store/events.ts";
import { insertPush, recordPushes } from "../../store/push-record.ts";
import type { NewPush } from "../../store/pushes.ts";
import type { PushDependencies, PushPart } from "./dependencies.ts";
import { findHold, prepareHold, type OpenHold } from "./open-hold.ts";
import { packOfPart, type PartPack } from "./parts.ts";
import { eventOf, pushRow } from "./record.ts";

export interface RecordedParts {
  /** Of the part that waits. */
  readonly hold: OpenHold | null;
  /** Of the part that is allowed: as it stands in the record now. */
  readonly allowed: NewPush | null;
}

/**
 * The record comes before anything else that can be seen from outside: all parts of a push, the questions that they ask and the
 * messages about these, at once or not at all.
 * @param ownPack makes a blob of the client's own pack; null where it sent none
 */
export async function recordParts(
  deps: PushDependencies,
  parts: readonly PushPart[],
  ownPack: () => Promise<PartPack | null>,
): Promise<RecordedParts> {
  const decided: { readonly push: NewPush; readonly event: NewEvent }[] = [];
  let allowed: NewPush | null = null;
  let hold: OpenHold | null = null;
  let writeHold: ((tx: Transaction) => Promise<void>) | null = null;
  for (const part of parts) {
    if (part.verdict.kind === "reject") {
      const push = pushRow(deps, part, { status: "rejected", pack: null });
      decided.push({ push, event: eventOf(deps, part, "push.rejected") });
      continue;
    }
    const makePack = () => (part.isWhole ? ownPack() : packOfPart(deps.blobs, part));
    if (part.verdict.kind === "allow") {
      allowed = pushRow(deps, part, { status: "delivering", pack: await makePack() });
      decided.push({ push: allowed, event: eventOf(deps, part, "push.allowed") });
      continue;
    }
    hold = await findHold(deps, part);
    if (hold !== null) continue;
    const prepared = await prepareHold(deps, part, await makePack());
    writeHold = prepared.write;
    hold = prepared.hold;
  }
  if (writeHold === null) await recordPushes(deps.db, decided);
  else {
    const write = writeHold;
    await deps.db.transaction(async (tx) => {
      for (const { push, event } of decided) {
        await insertPush(tx, push);
        await insertEvent(tx, event);
      }
      await write(tx);
    });
    deps.onTold();
  }
  return { hold, allowed };
}
