/**
 * The kill switch. A stop is a row that every gateway reads again every two seconds: what the person or the session has running ends,
 * what they ask next is refused, and both are on record with the reason.
 */
import { type Database, isDatabaseAway } from "../store/database.ts";
import {
  findPrincipalsByEmail,
  findSessionOwner,
  findStandingStops,
  insertStop,
  liftStop,
  type StopRecord,
} from "../store/stops.ts";
import { insertEvent } from "../store/events.ts";
import { err, ok, type Result } from "../errors.ts";

/** Who, or which session of theirs. */
export type StopSubject = { readonly user: string } | { readonly session: string };

export interface StopOrder {
  readonly subject: StopSubject;
  /** Told to the person. Masked. */
  readonly reason: string;
  /** The principal who orders it; null: the command line. */
  readonly by: string | null;
  readonly expiresAt: Date | null;
  readonly at: Date;
}

/** @returns the ids of the stops: one, or one for each issuer at which somebody goes by the address */
export async function orderStop(db: Database, order: StopOrder): Promise<Result<readonly string[], string>> {
  const { subject, reason, by, expiresAt, at } = order;
  return db.transaction(async (tx) => {
    const owner = "session" in subject ? await findSessionOwner(tx, subject.session) : null;
    const people = "user" in subject ? await findPrincipalsByEmail(tx, subject.user) : owner === null ? [] : [owner];
    if (people.length === 0) {
      return err("user" in subject ? "nobody here goes by that address" : "there is no such session");
    }
    const sessionId = "session" in subject ? subject.session : null;
    const ids: string[] = [];
    for (const principalId of people) {
      ids.push(await insertStop(tx, { principalId, sessionId, reason, stoppedBy: by, createdAt: at, expiresAt }));
      await insertEvent(tx, {
        kind: "copilot.stopped",
        principalId: by,
        repository: null,
        subject: sessionId ?? principalId,
        data: { reason },
      });
    }
    return ok(ids);
  });
}

/** @returns false where it does not stand any more */
export async function orderLift(db: Database, stop: StopRecord, by: string | null, at: Date): Promise<boolean> {
  return db.transaction(async (tx) => {
    if (!(await liftStop(tx, stop.id, at))) return false;
    await insertEvent(tx, {
      kind: "copilot.resumed",
      principalId: by,
      repository: null,
      subject: stop.sessionId ?? stop.principalId,
      data: {},
    });
    return true;
  });
}

/** What can be stopped. */
export interface Stoppable {
  readonly principalId: string;
  /** Null: not known yet, or the session waits to be recorded. */
  readonly sessionId: string | null;
}

export interface StopWatch {
  /** What stands against it, as far as was known at the last look. */
  standing(subject: Stoppable): StopRecord | null;
  /** Calls `end` once, when a stop comes to stand against it. @returns what takes it off the list */
  attend(subject: Stoppable, end: (stop: StopRecord) => void): () => void;
  /** Looks again. With the database away, what was known last goes on to count. */
  refresh(): Promise<void>;
}

export function createStopWatch(deps: { readonly db: Database; readonly now: () => Date }): StopWatch {
  let known: readonly StopRecord[] = [];
  const attended = new Map<Stoppable, (stop: StopRecord) => void>();

  const standing = ({ principalId, sessionId }: Stoppable): StopRecord | null => {
    if (known.length === 0) return null;
    const now = deps.now();
    const found = known.find(
      (stop) =>
        stop.principalId === principalId &&
        (stop.sessionId === null || stop.sessionId === sessionId) &&
        (stop.expiresAt === null || stop.expiresAt > now),
    );
    return found ?? null;
  };

  return {
    standing,
    attend(subject, end) {
      attended.set(subject, end);
      return () => void attended.delete(subject);
    },
    async refresh() {
      try {
        known = await findStandingStops(deps.db, deps.now());
      } catch (error) {
        if (!isDatabaseAway(error)) throw error;
      }
      if (known.length === 0) return;
      for (const [subject, end] of attended) {
        const stop = standing(subject);
        if (stop === null) continue;
        attended.delete(subject);
        end(stop);
      }
    },
  };
}
