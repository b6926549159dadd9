/** The record of a push; `push-record.ts` writes it. */
import { and, eq, inArray, isNull, lt, or, sql } from "drizzle-orm";
import type { AddedHunk } from "../model/added-hunk.ts";
import type { Finding } from "../model/finding.ts";
import type { CommitFacts } from "../model/push-facts.ts";
import type { Database, Queryable } from "./database.ts";
import { pushes, pushRefs, type PushStatus } from "./schema.ts";

export interface NewPushRef {
  readonly ref: string;
  readonly oldOid: string;
  readonly newOid: string;
  readonly forced: boolean;
  readonly verdict: "allow" | "hold" | "reject";
  readonly reason: string | null;
  /** What checks that are only observed would have said. */
  readonly observed?: readonly RecordedObservation[];
}

export interface RecordedObservation {
  readonly check: string;
  readonly verdict: "hold" | "reject";
  readonly reason: string;
}

export interface NewRefDiff {
  readonly ref: string;
  readonly diff: string;
  readonly truncated: boolean;
}

/** Everything about a push that is known when its verdict is. All texts are masked by the caller. */
export interface NewPush {
  readonly id: string;
  /** The first push of those that came as one; null for that one, and for most. */
  readonly partOf: string | null;
  readonly principalId: string;
  readonly connection: string;
  readonly repository: string;
  readonly upstreamPath: string;
  readonly status: PushStatus;
  readonly policyVersion: string;
  readonly binding: string;
  readonly certificate: string | null;
  readonly objectFormat: "sha1" | "sha256";
  /** Sealed; see `flows/push/sealed-commands.ts`. */
  readonly head: Buffer;
  readonly pushOptions: readonly string[];
  readonly packBlob: string | null;
  readonly packBytes: number;
  readonly linesTruncated: boolean;
  readonly userAgent: string;
  readonly receivedAt: Date;
  readonly finishedAt: Date | null;
  readonly leaseUntil: Date | null;
  readonly error: string | null;
  readonly refs: readonly NewPushRef[];
  readonly findings: readonly Finding[];
  /** How a commit is signed is policy's to judge, and not kept. */
  readonly commits: readonly Omit<CommitFacts, "signature">[];
  readonly hunks: readonly AddedHunk[];
  readonly diffs: readonly NewRefDiff[];
}

/** The hold that the same person's same push opened before, if it still waits. */
export async function findOpenHold(db: Queryable, principalId: string, binding: string): Promise<string | null> {
  const [row] = await db
    .select({ id: pushes.id })
    .from(pushes)
    .where(and(eq(pushes.principalId, principalId), eq(pushes.binding, binding), eq(pushes.status, "held")));
  return row?.id ?? null;
}

/** What delivery needs to know of a push. */
export type DeliverablePush = Pick<
  NewPush,
  "id" | "connection" | "repository" | "upstreamPath" | "principalId" | "head" | "packBlob" | "receivedAt"
> & { readonly refs: readonly Pick<NewPushRef, "ref" | "oldOid" | "newOid">[] };

/** And what has become of it. */
export interface RecordedPush extends DeliverablePush {
  readonly status: PushStatus;
  readonly error: string | null;
  readonly finishedAt: Date | null;
  readonly refs: readonly {
    readonly ref: string;
    readonly oldOid: string;
    readonly newOid: string;
    readonly upstreamStatus: string | null;
  }[];
}

export async function findPush(db: Queryable, pushId: string): Promise<RecordedPush | null> {
  const [push] = await db.select().from(pushes).where(eq(pushes.id, pushId));
  if (push === undefined) return null;
  const refs = await db.select().from(pushRefs).where(eq(pushRefs.pushId, pushId)).orderBy(pushRefs.ordinal);
  return { ...push, refs };
}

export interface PushOutcome {
  readonly status: PushStatus;
  /** By ref: `ok`, or the upstream's reason. */
  readonly upstreamStatus: ReadonlyMap<string, string>;
  readonly error: string | null;
  readonly finishedAt: Date;
}

export async function setStatus(
  db: Queryable,
  pushId: string,
  status: PushStatus,
  leaseUntil: Date | null,
): Promise<void> {
  await db.update(pushes).set({ status, leaseUntil }).where(eq(pushes.id, pushId));
}

/** Says that a gateway works on this push until then; null lets go. */
export async function setLease(db: Queryable, pushId: string, leaseUntil: Date | null): Promise<void> {
  await db.update(pushes).set({ leaseUntil }).where(eq(pushes.id, pushId));
}

/**
 * Takes over pushes that a stopped gateway was delivering. The lease is moved in the same statement, so that of several
 * gateways one gets each.
 */
export async function claimInterrupted(db: Database, now: Date, leaseUntil: Date): Promise<readonly string[]> {
  const rows = await db
    .update(pushes)
    .set({ leaseUntil })
    .where(and(eq(pushes.status, "delivering"), or(isNull(pushes.leaseUntil), lt(pushes.leaseUntil, now))))
    .returning({ id: pushes.id });
  return rows.map((row) => row.id);
}

/** Packs that are still needed; every other blob is an orphan of a crash. */
export async function findKeptPacks(db: Queryable, keys: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db
    .select({ key: pushes.packBlob })
    .from(pushes)
    .where(inArray(pushes.packBlob, [...keys]));
  return new Set(rows.flatMap((row) => (row.key === null ? [] : [row.key])));
}

/** How many pushes stand in each status. */
export async function countPushesByStatus(db: Queryable): Promise<ReadonlyMap<PushStatus, number>> {
  const rows = await db
    .select({ status: pushes.status, count: sql<number>`count(*)::int` })
    .from(pushes)
    .groupBy(pushes.status);
  return new Map(rows.map((row) => [row.status, row.count]));
}
