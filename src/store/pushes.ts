/** The record of a push: written before anything is forwarded, and finished after the upstream has answered. */
import { and, eq, inArray, isNull, lt, or, sql } from "drizzle-orm";
import type { AddedHunk } from "../model/added-hunk.ts";
import type { Finding } from "../model/finding.ts";
import { newId } from "../model/id.ts";
import type { CommitFacts } from "../model/push-facts.ts";
import type { Database, Queryable, Transaction } from "./database.ts";
import { findings, pushes, pushRefs, refDiffs, type PushStatus } from "./schema.ts";

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

/**
 * Rows per INSERT: PostgreSQL takes 65,534 parameters in one statement. Commits and their lines, of which there may be tens of
 * thousands, go as one parameter of JSON: building and binding a parameter for each value takes longer than all of the rest.
 * Other people's streams wait while a statement is built, so that none has more than some milliseconds' worth.
 */
const BATCH = 1_000;
const BOUND_BATCH = 100;
const BATCH_CHARACTERS = 512 * 1024;

/** @param lengthOf characters of a row */
function* batches<T>(rows: readonly T[], most = BOUND_BATCH, lengthOf: (row: T) => number = () => 0): Generator<T[]> {
  for (let at = 0; at < rows.length;) {
    let [end, characters] = [at, 0];
    do characters += lengthOf(rows[end++]!);
    while (end < rows.length && end - at < most && characters < BATCH_CHARACTERS);
    yield rows.slice(at, end);
    at = end;
  }
}

/**
 * PostgreSQL's text cannot hold U+0000; what a pusher wrote is kept readable instead of failing the push.
 * Lone surrogates become U+FFFD, because the driver could not send them as UTF-8.
 */
const storable = (text: string): string => text.replaceAll("\0", "\u2400").toWellFormed();

/** Writes a push with its refs, findings, commits, added lines and diffs. Call inside a transaction. */
export async function insertPush(tx: Transaction, push: NewPush): Promise<void> {
  await tx.insert(pushes).values({
    ...push,
    pushOptions: push.pushOptions.map(storable),
    userAgent: storable(push.userAgent),
    error: push.error === null ? null : storable(push.error),
  });
  for (const refs of batches(push.refs.map((ref, ordinal) => ({ pushId: push.id, ordinal, ...ref })))) {
    await tx.insert(pushRefs).values(refs);
  }
  for (const rows of batches(push.findings)) {
    await tx.insert(findings).values(
      rows.map((finding) => ({
        id: newId(),
        pushId: push.id,
        ...finding,
        path: finding.path === null ? null : storable(finding.path),
        allowed: finding.allowed === null ? null : { ...finding.allowed, reason: storable(finding.allowed.reason) },
      })),
    );
  }
  const commits = push.commits.map((commit, ordinal) => ({ ...commit, ordinal }));
  for (const rows of batches(commits, BATCH, ({ message }) => message.length)) {
    const json = rows.map((commit) => ({
      oid: commit.oid,
      ordinal: commit.ordinal,
      parents: commit.parents,
      author_name: storable(commit.authorName),
      author_email: storable(commit.authorEmail),
      authored_at: commit.authoredAt,
      committer_name: storable(commit.committerName),
      committer_email: storable(commit.committerEmail),
      committed_at: commit.committedAt,
      message: storable(commit.message),
    }));
    await tx.execute(sql`
      insert into commits (push_id, repository, oid, ordinal, parents, author_name, author_email, authored_at,
                           committer_name, committer_email, committed_at, message)
      select ${push.id}::uuid, ${push.repository}, row.*
      from json_to_recordset(${JSON.stringify(json)}::json) as row(
        oid text, ordinal integer, parents text[], author_name text, author_email text, authored_at timestamptz,
        committer_name text, committer_email text, committed_at timestamptz, message text)`);
  }
  const ordinals = new Map<string, number>();
  for (const rows of batches(push.hunks, BATCH, ({ text }) => text.length)) {
    const json = rows.map((hunk) => {
      const ordinal = ordinals.get(hunk.commit) ?? 0;
      ordinals.set(hunk.commit, ordinal + 1);
      return {
        oid: hunk.commit,
        ordinal,
        path: storable(hunk.path),
        start_line: hunk.startLine,
        text: storable(hunk.text),
      };
    });
    await tx.execute(sql`
      insert into added_hunks (push_id, oid, ordinal, path, start_line, text)
      select ${push.id}::uuid, row.*
      from json_to_recordset(${JSON.stringify(json)}::json) as row(
        oid text, ordinal integer, path text, start_line integer, text text)`);
  }
  for (const rows of batches(push.diffs)) {
    await tx.insert(refDiffs).values(rows.map((row) => ({ pushId: push.id, ...row, diff: storable(row.diff) })));
  }
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
export interface DeliverablePush {
  readonly id: string;
  readonly status: PushStatus;
  readonly connection: string;
  readonly repository: string;
  readonly upstreamPath: string;
  readonly principalId: string;
  readonly head: Buffer;
  readonly packBlob: string | null;
  readonly objectFormat: "sha1" | "sha256";
  readonly receivedAt: Date;
  readonly error: string | null;
  readonly finishedAt: Date | null;
  readonly refs: readonly {
    readonly ref: string;
    readonly oldOid: string;
    readonly newOid: string;
    readonly upstreamStatus: string | null;
  }[];
}

export async function findPush(db: Queryable, pushId: string): Promise<DeliverablePush | null> {
  const [push] = await db.select().from(pushes).where(eq(pushes.id, pushId));
  if (push === undefined) return null;
  const refs = await db.select().from(pushRefs).where(eq(pushRefs.pushId, pushId)).orderBy(pushRefs.ordinal);
  return { ...push, refs };
}

const NOTHING = Buffer.alloc(0);

export interface PushOutcome {
  readonly status: PushStatus;
  /** By ref: `ok`, or the upstream's reason. */
  readonly upstreamStatus: ReadonlyMap<string, string>;
  readonly error: string | null;
  readonly finishedAt: Date;
}

/**
 * Writes how a push ended; what it would be sent with is no longer kept. Call inside a transaction.
 * @returns the blob of its pack, which is no longer needed: to be deleted once the transaction has committed
 */
export async function finishPush(tx: Transaction, pushId: string, outcome: PushOutcome): Promise<string | null> {
  const [before] = await tx
    .select({ packBlob: pushes.packBlob })
    .from(pushes)
    .where(eq(pushes.id, pushId))
    .for("update");
  await tx
    .update(pushes)
    .set({
      status: outcome.status,
      error: outcome.error === null ? null : storable(outcome.error),
      finishedAt: outcome.finishedAt,
      leaseUntil: null,
      packBlob: null,
      head: NOTHING,
    })
    .where(eq(pushes.id, pushId));
  for (const [ref, status] of outcome.upstreamStatus) {
    await tx
      .update(pushRefs)
      .set({ upstreamStatus: storable(status) })
      .where(and(eq(pushRefs.pushId, pushId), eq(pushRefs.ref, ref)));
  }
  return before?.packBlob ?? null;
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
