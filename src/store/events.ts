import { newId } from "../model/id.ts";
import type { Queryable } from "./database.ts";
import { events } from "./schema.ts";

export type EventRow = typeof events.$inferSelect;

export interface NewEvent {
  /** `<what>.<happened>`, e.g. `token.created`, `push.rejected`. */
  readonly kind: string;
  /** Null: the gateway itself. */
  readonly principalId: string | null;
  /** `<connection>/<path>`; null where none is concerned. */
  readonly repository: string | null;
  /** The id of what it happened to. */
  readonly subject: string | null;
  /** Masked; never a secret. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** Adds to the record of what happened; within the transaction that makes it happen, so that neither is without the other. */
export async function insertEvent(db: Queryable, event: NewEvent): Promise<void> {
  await db.insert(events).values({ id: newId(), ...event });
}
