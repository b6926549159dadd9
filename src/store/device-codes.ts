import { and, eq, gt, lte, sql } from "drizzle-orm";
import { newId } from "../model/id.ts";
import type { Queryable } from "./database.ts";
import { deviceCodes } from "./schema.ts";

/** A device code's row without its hashes. */
export type DeviceCodeRow = Omit<typeof deviceCodes.$inferSelect, "deviceHash" | "userHash">;

const columns = {
  id: deviceCodes.id,
  clientId: deviceCodes.clientId,
  scope: deviceCodes.scope,
  address: deviceCodes.address,
  userAgent: deviceCodes.userAgent,
  status: deviceCodes.status,
  interval: deviceCodes.interval,
  polledAt: deviceCodes.polledAt,
  createdAt: deviceCodes.createdAt,
  expiresAt: deviceCodes.expiresAt,
  principalId: deviceCodes.principalId,
  groups: deviceCodes.groups,
  tokenId: deviceCodes.tokenId,
};

export interface NewDeviceCode {
  /** SHA-256 of what the client keeps, and of what the person types. */
  readonly deviceHash: Buffer;
  readonly userHash: Buffer;
  readonly clientId: string;
  readonly scope: string;
  readonly address: string | null;
  readonly userAgent: string;
  /** Seconds. */
  readonly interval: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** Who consents, with what they stand for at that moment. */
export interface Consent {
  readonly principalId: string;
  readonly groups: readonly string[];
  /** The gateway token that they are signed in with; null: the identity provider. */
  readonly tokenId: string | null;
}

/** @returns false where another live request has the same user code: make another one */
export async function insertDeviceCode(db: Queryable, code: NewDeviceCode): Promise<boolean> {
  const rows = await db
    .insert(deviceCodes)
    .values({ id: newId(), status: "pending", ...code })
    .onConflictDoNothing()
    .returning({ id: deviceCodes.id });
  return rows.length === 1;
}

/** The request that waits under this user code. */
export async function findPendingDeviceCode(db: Queryable, userHash: Buffer, now: Date): Promise<DeviceCodeRow | null> {
  const [row] = await db
    .select(columns)
    .from(deviceCodes)
    .where(and(eq(deviceCodes.userHash, userHash), eq(deviceCodes.status, "pending"), gt(deviceCodes.expiresAt, now)));
  return row ?? null;
}

/**
 * Decides a request that still waits; consent is null for a refusal.
 * @returns false where it was decided or has expired meanwhile
 */
export async function decideDeviceCode(
  db: Queryable,
  id: string,
  consent: Consent | null,
  now: Date,
): Promise<boolean> {
  const decided: Partial<typeof deviceCodes.$inferInsert> =
    consent === null
      ? { status: "denied" }
      : {
          status: "approved",
          principalId: consent.principalId,
          groups: [...consent.groups],
          tokenId: consent.tokenId,
        };
  const rows = await db
    .update(deviceCodes)
    .set(decided)
    .where(and(eq(deviceCodes.id, id), eq(deviceCodes.status, "pending"), gt(deviceCodes.expiresAt, now)))
    .returning({ id: deviceCodes.id });
  return rows.length === 1;
}

/** RFC 8628, section 3.5: a client that asks too soon has to wait five seconds longer, each time. */
const SLOWER_BY = 5;

export type Poll =
  | { readonly kind: "unknown" | "too_soon" | "expired" }
  | { readonly kind: "pending" | "denied" | "consumed" | "approved"; readonly row: DeviceCodeRow };

/**
 * A client asks how its request stands. Of two questions at once, one is too soon.
 * @param clientId a code is nobody's but the client's that asked for it
 */
export async function pollDeviceCode(
  db: Queryable,
  deviceHash: Buffer,
  clientId: string,
  now: Date,
): Promise<Poll & { readonly interval: number }> {
  return db.transaction(async (tx) => {
    const [row] = await tx
      .select(columns)
      .from(deviceCodes)
      .where(and(eq(deviceCodes.deviceHash, deviceHash), eq(deviceCodes.clientId, clientId)))
      .for("update");
    if (row === undefined) return { kind: "unknown", interval: 0 };
    if (row.expiresAt <= now) return { kind: "expired", interval: row.interval };
    const early = row.polledAt !== null && now.getTime() - row.polledAt.getTime() < row.interval * 1_000 - LENIENCY_MS;
    const interval = early ? row.interval + SLOWER_BY : row.interval;
    await tx.update(deviceCodes).set({ polledAt: now, interval }).where(eq(deviceCodes.id, row.id));
    return early ? { kind: "too_soon", interval } : { kind: row.status, row, interval };
  });
}

/** Timers and networks are not exact: a client that waits as long as it was told must not be told off. */
const LENIENCY_MS = 500;

/** Takes an approved request, once. @returns false where somebody else has */
export async function consumeDeviceCode(db: Queryable, id: string): Promise<boolean> {
  const rows = await db
    .update(deviceCodes)
    .set({ status: "consumed" })
    .where(and(eq(deviceCodes.id, id), eq(deviceCodes.status, "approved")))
    .returning({ id: deviceCodes.id });
  return rows.length === 1;
}

/** How long a row stays after its end, so that a client that asks late is told what happened. */
const KEPT_MS = 60 * 60_000;

export async function deleteOldDeviceCodes(db: Queryable, now: Date): Promise<void> {
  await db.delete(deviceCodes).where(lte(deviceCodes.expiresAt, new Date(now.getTime() - KEPT_MS)));
}

/** Requests that wait for somebody now, in all gateways together. */
export async function countPendingDeviceCodes(db: Queryable, now: Date): Promise<number> {
  const [row] = await db
    .select({ count: sql<number>`count(*)::int` })
    .from(deviceCodes)
    .where(and(eq(deviceCodes.status, "pending"), gt(deviceCodes.expiresAt, now)));
  return row?.count ?? 0;
}
