/** The kill switch: who may not speak to a model any more, and in which session. */
import { and, desc, eq, gt, isNull, or, sql, type SQL } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import { isId, newId } from "../model/id.ts";
import type { Queryable } from "./database.ts";
import { principals, sessions, stops } from "./schema.ts";

export interface StopRecord {
  readonly id: string;
  readonly principalId: string;
  readonly user: string;
  readonly userKind: "person" | "service";
  /** Null: all of the person's sessions, those to come too. */
  readonly sessionId: string | null;
  readonly reason: string;
  /** Null: whoever runs the gateway, at its command line. */
  readonly stoppedBy: string | null;
  readonly stoppedByKind: "person" | "service" | null;
  readonly createdAt: Date;
  /** Null: until it is lifted. */
  readonly expiresAt: Date | null;
}

export interface NewStop {
  readonly principalId: string;
  readonly sessionId: string | null;
  readonly reason: string;
  readonly stoppedBy: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
}

export async function insertStop(db: Queryable, stop: NewStop): Promise<string> {
  const id = newId();
  await db.insert(stops).values({ ...stop, id });
  return id;
}

const stopper = alias(principals, "stopper");

async function select(db: Queryable, now: Date, condition?: SQL): Promise<readonly StopRecord[]> {
  return db
    .select({
      id: stops.id,
      principalId: stops.principalId,
      user: principals.email,
      userKind: principals.kind,
      sessionId: stops.sessionId,
      reason: stops.reason,
      stoppedBy: stopper.email,
      stoppedByKind: stopper.kind,
      createdAt: stops.createdAt,
      expiresAt: stops.expiresAt,
    })
    .from(stops)
    .innerJoin(principals, eq(principals.id, stops.principalId))
    .leftJoin(stopper, eq(stopper.id, stops.stoppedBy))
    .where(and(isNull(stops.liftedAt), or(isNull(stops.expiresAt), gt(stops.expiresAt, now)), condition))
    .orderBy(desc(stops.id));
}

/** All that stand, the latest first. */
export const findStandingStops = (db: Queryable, now: Date): Promise<readonly StopRecord[]> => select(db, now);

export async function findStandingStop(db: Queryable, id: string, now: Date): Promise<StopRecord | null> {
  if (!isId(id)) return null;
  const [stop] = await select(db, now, eq(stops.id, id));
  return stop ?? null;
}

/** @returns false where it does not stand any more */
export async function liftStop(db: Queryable, id: string, now: Date): Promise<boolean> {
  const rows = await db
    .update(stops)
    .set({ liftedAt: now })
    .where(and(eq(stops.id, id), isNull(stops.liftedAt)))
    .returning({ id: stops.id });
  return rows.length > 0;
}

/** Who goes by this e-mail address, at whatever issuer: all of them are meant. */
export async function findPrincipalsByEmail(db: Queryable, email: string): Promise<readonly string[]> {
  const rows = await db
    .select({ id: principals.id })
    .from(principals)
    .where(sql`lower(${principals.email}) = lower(${email})`);
  return rows.map(({ id }) => id);
}

/** Whose session it is; null where there is none. */
export async function findSessionOwner(db: Queryable, sessionId: string): Promise<string | null> {
  if (!isId(sessionId)) return null;
  const [row] = await db.select({ principalId: sessions.principalId }).from(sessions).where(eq(sessions.id, sessionId));
  return row?.principalId ?? null;
}
