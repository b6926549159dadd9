/** Which Copilot sessions the commits of delivered pushes came from: the work that is left, and the links. */
import { and, asc, desc, eq, inArray, isNull, lte, notInArray, sql } from "drizzle-orm";
import { GatewayError } from "../errors.ts";
import type { AddedHunk } from "../model/added-hunk.ts";
import type { LineLink, SessionLink } from "../model/attribution.ts";
import type { Queryable, Transaction } from "./database.ts";
import { addedHunks, commits, commitSessions, pushes, sessions } from "./schema.ts";

/** A commit of a delivered push that attribution has yet to read. */
export interface UnattributedCommit {
  readonly pushId: string;
  readonly oid: string;
  /** Masked. */
  readonly message: string;
  /** The verified person who pushed; the commit's own names prove nothing. */
  readonly principalId: string;
  /** When the push came. The commit's own dates are whatever its author wrote. */
  readonly receivedAt: Date;
}

export interface ClaimOptions {
  /** Only of this push. */
  readonly pushId?: string;
  /** Commits to leave alone for now. */
  readonly except?: readonly Pick<UnattributedCommit, "pushId" | "oid">[];
}

/**
 * Locks the oldest commits of delivered pushes that wait for attribution, until the transaction ends. Commits that another gateway has
 * locked are passed over, and those of a gateway that stops come free by themselves.
 */
export async function claimUnattributed(
  tx: Transaction,
  limit: number,
  options: ClaimOptions = {},
): Promise<readonly UnattributedCommit[]> {
  const except = (options.except ?? []).map(({ pushId, oid }) => `${pushId}:${oid}`);
  return tx
    .select({
      pushId: commits.pushId,
      oid: commits.oid,
      message: commits.message,
      principalId: pushes.principalId,
      receivedAt: pushes.receivedAt,
    })
    .from(commits)
    .innerJoin(pushes, eq(pushes.id, commits.pushId))
    .where(
      and(
        isNull(commits.attributedAt),
        eq(pushes.status, "delivered"),
        options.pushId === undefined ? undefined : eq(commits.pushId, options.pushId),
        except.length === 0
          ? undefined
          : notInArray(sql<string>`${commits.pushId}::text || ':' || ${commits.oid}`, except),
      ),
    )
    .orderBy(asc(commits.pushId), asc(commits.oid))
    .limit(limit)
    .for("update", { of: commits, skipLocked: true });
}

/** The commits of one push among `oids` whose recorded lines are no more than so many bytes together, each. */
export async function findSmall(
  db: Queryable,
  pushId: string,
  oids: readonly string[],
  maxBytes: number,
): Promise<ReadonlySet<string>> {
  const large = await db
    .select({ oid: addedHunks.oid })
    .from(addedHunks)
    .where(and(eq(addedHunks.pushId, pushId), inArray(addedHunks.oid, [...oids])))
    .groupBy(addedHunks.oid)
    .having(sql`sum(octet_length(${addedHunks.text})) > ${maxBytes}`);
  const found = new Set(oids);
  for (const { oid } of large) found.delete(oid);
  return found;
}

/** The lines that commits of one push add, as recorded (masked), by commit; for those that {@link findSmall} has found. */
export async function findHunksOf(
  db: Queryable,
  pushId: string,
  oids: readonly string[],
): Promise<ReadonlyMap<string, readonly AddedHunk[]>> {
  const rows = await db
    .select({
      commit: addedHunks.oid,
      path: addedHunks.path,
      startLine: addedHunks.startLine,
      text: addedHunks.text,
    })
    .from(addedHunks)
    .where(and(eq(addedHunks.pushId, pushId), inArray(addedHunks.oid, [...oids])))
    .orderBy(asc(addedHunks.oid), asc(addedHunks.ordinal));
  const hunks = new Map<string, AddedHunk[]>(oids.map((oid) => [oid, []]));
  for (const row of rows) hunks.get(row.commit)?.push(row);
  return hunks;
}

/** Characters of added lines that are read of one commit. */
const MAX_TEXT = 32 * 1024 * 1024;

/** The lines that a commit adds, as recorded (masked), up to 32 Mi characters and bytes. */
export async function findAddedHunks(
  db: Queryable,
  { pushId, oid }: Pick<UnattributedCommit, "pushId" | "oid">,
): Promise<readonly AddedHunk[]> {
  const before = db.$with("before").as(
    db
      .select({
        ordinal: addedHunks.ordinal,
        bytes: sql<number>`sum(octet_length(${addedHunks.text})) over (order by ${addedHunks.ordinal})
          - octet_length(${addedHunks.text})`.as("bytes"),
      })
      .from(addedHunks)
      .where(and(eq(addedHunks.pushId, pushId), eq(addedHunks.oid, oid))),
  );
  return db
    .with(before)
    .select({
      commit: addedHunks.oid,
      path: addedHunks.path,
      startLine: addedHunks.startLine,
      text: sql<string>`left(${addedHunks.text}, ${MAX_TEXT})`,
    })
    .from(before)
    .innerJoin(
      addedHunks,
      and(eq(addedHunks.pushId, pushId), eq(addedHunks.oid, oid), eq(addedHunks.ordinal, before.ordinal)),
    )
    .where(lte(before.bytes, MAX_TEXT))
    .orderBy(asc(addedHunks.ordinal));
}

/**
 * The session that this person's client opened under the id that a trailer quotes, if it began before `until`. Other people's sessions
 * are out of reach: a trailer is text that anybody can write.
 */
export async function findOwnSession(
  db: Queryable,
  own: { readonly principalId: string; readonly clientKey: string; readonly until: Date },
): Promise<string | null> {
  const [row] = await db
    .select({ id: sessions.id })
    .from(sessions)
    .where(
      and(
        eq(sessions.principalId, own.principalId),
        eq(sessions.clientKey, own.clientKey),
        lte(sessions.startedAt, own.until),
      ),
    )
    .orderBy(desc(sessions.startedAt), desc(sessions.id))
    .limit(1);
  return row?.id ?? null;
}

export interface CommitLinks {
  readonly pushId: string;
  readonly oid: string;
  readonly sessions: readonly SessionLink[];
  readonly lines: readonly LineLink[];
  readonly attributedAt: Date;
}

/** Rows per INSERT: PostgreSQL takes 65,534 parameters in one statement. */
const BATCH = 1_000;

/**
 * Writes what commits came from and, in the same transaction, that they are done: a gateway killed in between leaves neither.
 * @throws GatewayError `conflict` when one of them is not in the record or was attributed before
 */
export async function insertLinks(tx: Transaction, links: readonly CommitLinks[]): Promise<void> {
  const asked = links.map(({ pushId, oid, attributedAt }) => ({ push: pushId, oid, at: attributedAt.toISOString() }));
  const done = await tx.execute<{ push_id: string; oid: string }>(sql`
    update commits set attributed_at = asked.at
    from json_to_recordset(${JSON.stringify(asked)}::json) as asked(push uuid, oid text, at timestamptz)
    where commits.push_id = asked.push and commits.oid = asked.oid and commits.attributed_at is null
    returning commits.push_id, commits.oid`);
  const isDone = new Set(done.map((row) => `${row.push_id}:${row.oid}`));
  for (const { pushId, oid } of links) {
    if (isDone.has(`${pushId}:${oid}`)) continue;
    throw new GatewayError(
      "conflict",
      `commit ${oid} of push ${pushId} does not wait for attribution: it is done, or unknown`,
    );
  }
  const linked = links.flatMap(({ pushId, oid, sessions: of }) =>
    of.map((link) => ({ pushId, oid, ...link, exchangeIds: [...link.exchangeIds] })),
  );
  for (let at = 0; at < linked.length; at += BATCH)
    await tx.insert(commitSessions).values(linked.slice(at, at + BATCH));
  const rows = links.flatMap(({ pushId, oid, lines }) =>
    lines.map((line, ordinal) => ({ pushId, oid, ordinal, ...line })),
  );
  // As one parameter: building and binding one for each value takes longer than all of the rest.
  for (let at = 0; at < rows.length; at += BATCH) {
    await tx.execute(sql`
      insert into commit_lines (push_id, oid, ordinal, path, "from", "to", verdict, exchange_id, session_id, score)
      select row.* from json_to_recordset(${JSON.stringify(rows.slice(at, at + BATCH))}::json) as row(
        "pushId" uuid, oid text, ordinal integer, path text, "from" integer, "to" integer, verdict text,
        "exchangeId" uuid, "sessionId" uuid, score double precision)`);
  }
}
