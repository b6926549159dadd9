/**
 * The kill switch. A stop is a row that every gateway reads again every two seconds: what the person or the session has running ends,
 * what they ask next is refused, and both are on record with the reason. What runs ends as well when the token that it began with is
 * revoked, or its person leaves the groups that may use its connection: an answer can take longer than that may wait.
 */
import { type PeopleProvider, standingGroups } from "../identity/standing.ts";
import { GATEWAY_ISSUER } from "../model/principal.ts";
import { isNamed } from "../model/who.ts";
import { findPrincipalsById } from "../store/principals.ts";
import { findRevokedAmong } from "../store/tokens.ts";
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

/** An exchange that has begun. */
export interface Attended extends Stoppable {
  /** The gateway token that it began with; null: the identity provider's. */
  readonly tokenId: string | null;
  /** Whom its connection is open to. */
  readonly allow: readonly string[];
}

/** Told to the person; `sessionId` null: it is about them, not about one session. */
export type StopReason = Pick<StopRecord, "reason" | "sessionId">;

const REVOKED: StopReason = { reason: "the token that this began with has been revoked", sessionId: null };
const LEFT: StopReason = { reason: "none of your groups may use this connection any more", sessionId: null };

export interface StopWatch {
  /** What stands against it, as far as was known at the last look. */
  standing(subject: Stoppable): StopRecord | null;
  /** Calls `end` once, when a stop comes to stand against it, or who began it may not go on. @returns what takes it off the list */
  attend(subject: Attended, end: (stop: StopReason) => void): () => void;
  /** Looks again, for all that run in one query each. With the database away, what was known last goes on to count. */
  refresh(): Promise<void>;
}

export interface StopWatchDependencies {
  readonly db: Database;
  /** Who speaks for people's groups; null: nobody. */
  readonly provider: PeopleProvider;
  readonly now: () => Date;
}

export function createStopWatch(deps: StopWatchDependencies): StopWatch {
  let known: readonly StopRecord[] = [];
  const attended = new Map<Attended, (stop: StopReason) => void>();

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

  function endAll(reasonFor: (subject: Attended) => StopReason | null): void {
    for (const [subject, end] of attended) {
      const reason = reasonFor(subject);
      if (reason === null) continue;
      attended.delete(subject);
      end(reason);
    }
  }

  /** A token that ends by itself, and groups that nobody has stated lately, end nothing that runs: they wait for the next request. */
  async function endLapsed(): Promise<void> {
    const running = [...attended.keys()];
    const tokenIds = new Set(running.flatMap(({ tokenId }) => tokenId ?? []));
    const revoked = new Set(await findRevokedAmong(deps.db, [...tokenIds]));
    const limited = running.filter(({ allow }) => !allow.includes("*"));
    const people = await findPrincipalsById(deps.db, [...new Set(limited.map(({ principalId }) => principalId))]);
    const byId = new Map(people.map((person) => [person.id, person]));

    endAll(({ tokenId, principalId, allow }) => {
      if (tokenId !== null && revoked.has(tokenId)) return REVOKED;
      const person = byId.get(principalId);
      // Whom operators have made has the groups of the token, which do not change.
      if (person === undefined || person.issuer === GATEWAY_ISSUER) return null;
      const groups = standingGroups(person, [], deps.provider, deps.now());
      return groups.ok && !isNamed({ email: person.email, groups: groups.value }, allow) ? LEFT : null;
    });
  }

  return {
    standing,
    attend(subject, end) {
      attended.set(subject, end);
      return () => void attended.delete(subject);
    },
    async refresh() {
      try {
        known = await findStandingStops(deps.db, deps.now());
        endAll(standing);
        if (attended.size > 0) await endLapsed();
      } catch (error) {
        if (!isDatabaseAway(error)) throw error;
        endAll(standing);
      }
    },
  };
}
