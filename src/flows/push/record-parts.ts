import { GatewayError } from "../../errors.ts";
import { violatedUnique, type Transaction } from "../../store/database.ts";
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
  const decided: Decided[] = [];
  let allowed: NewPush | null = null;
  let hold: OpenHold | null = null;
  let opening: Opening | null = null;
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
    hold = prepared.hold;
    opening = { part, write: prepared.write };
  }
  try {
    await writeAll(deps, decided, opening);
  } catch (error) {
    const against = violatedUnique(error);
    if (against === "pushes_certificate") {
      throw new GatewayError(
        "forbidden",
        "this push certificate has been used for a push before, and is good for one: push again",
        { cause: error },
      );
    }
    // The same push, sent twice at the same moment, asks once: the other one was quicker.
    const other = against === "pushes_open_binding" && opening !== null ? await findHold(deps, opening.part) : null;
    if (other === null) throw error;
    await writeAll(deps, decided, null);
    return { hold: other, allowed };
  }
  if (opening !== null) deps.onTold();
  return { hold, allowed };
}

interface Decided {
  readonly push: NewPush;
  readonly event: NewEvent;
}

/** The part that waits, and what writes it down. */
interface Opening {
  readonly part: PushPart;
  readonly write: (tx: Transaction) => Promise<void>;
}

async function writeAll({ db }: PushDependencies, decided: readonly Decided[], opening: Opening | null): Promise<void> {
  if (opening === null) return recordPushes(db, decided);
  await db.transaction(async (tx) => {
    for (const { push, event } of decided) {
      await insertPush(tx, push);
      await insertEvent(tx, event);
    }
    await opening.write(tx);
  });
}
