/** Which Copilot sessions the commits of delivered pushes came from: the work that is left, the links, and the answer. */
import { and, asc, desc, eq, inArray, isNull, lte, notInArray, sql } from "drizzle-orm";
import { GatewayError } from "../errors.ts";
import type { AddedHunk } from "../model/added-hunk.ts";
import type { LineLink, LineVerdict, SessionLink } from "../model/attribution.ts";
import type { Queryable, Transaction } from "./database.ts";
import { addedHunks, commitLines, commits, commitSessions, principals, pushes, sessions } from "./schema.ts";

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

/** `GET /api/v1/commits/:sha`, as it goes over the wire. */
export interface CommitAnswer {
  readonly sha: string;
  readonly repository: string;
  /** E-mail address. */
  readonly pusher: string;
  /** The push that brought it upstream. */
  readonly push: string;
  /** ISO 8601; null while attribution has not read it: `sessions` and `files` are empty then. */
  readonly attributed_at: string | null;
  /** Surest first. A session can be here twice, once for each reason. */
  readonly sessions: readonly {
    readonly id: string;
    readonly client: string;
    readonly confidence: number;
    readonly reason: "trailer" | "content";
    readonly exchanges: readonly string[];
  }[];
  readonly files: readonly CommitFileAnswer[];
}

export interface CommitFileAnswer {
  readonly path: string;
  /** Runs of added lines, 1-based and inclusive, in the new file. */
  readonly lines: readonly {
    readonly from: number;
    readonly to: number;
    readonly verdict: LineVerdict;
    readonly exchange: string | null;
    readonly session: string | null;
    readonly score: number;
  }[];
}

/** @param rows by path and line */
function groupByFile(rows: readonly (typeof commitLines.$inferSelect)[]): CommitFileAnswer[] {
  const files = new Map<string, CommitFileAnswer["lines"][number][]>();
  for (const { path, from, to, verdict, exchangeId, sessionId, score } of rows) {
    const lines = files.get(path) ?? [];
    if (lines.length === 0) files.set(path, lines);
    lines.push({ from, to, verdict, exchange: exchangeId, session: sessionId, score });
  }
  return [...files].map(([path, lines]) => ({ path, lines }));
}

/**
 * Where a commit came from, by its latest push that went through; one that attribution has read comes before one that it has not.
 * Pushes that were refused, held or failed did not bring it anywhere, and are not told of here.
 * @param sha the whole object id, lower case
 * @param repository `<connection>/<path>`; without it, whichever repository got the commit last
 * @returns null when no delivered push brought it
 */
export async function findCommit(db: Queryable, sha: string, repository?: string): Promise<CommitAnswer | null> {
  const [found] = await db
    .select({
      pushId: commits.pushId,
      repository: commits.repository,
      pusher: principals.email,
      attributedAt: commits.attributedAt,
    })
    .from(commits)
    .innerJoin(pushes, eq(pushes.id, commits.pushId))
    .innerJoin(principals, eq(principals.id, pushes.principalId))
    .where(
      and(
        eq(commits.oid, sha),
        eq(pushes.status, "delivered"),
        repository === undefined ? undefined : eq(commits.repository, repository),
      ),
    )
    .orderBy(sql`${commits.attributedAt} is null`, desc(pushes.receivedAt), desc(pushes.id))
    .limit(1);
  if (found === undefined) return null;
  const linked = await db
    .select({
      id: sessions.id,
      client: sessions.client,
      confidence: commitSessions.confidence,
      reason: commitSessions.reason,
      exchanges: commitSessions.exchangeIds,
    })
    .from(commitSessions)
    .innerJoin(sessions, eq(sessions.id, commitSessions.sessionId))
    .where(and(eq(commitSessions.pushId, found.pushId), eq(commitSessions.oid, sha)))
    .orderBy(desc(commitSessions.confidence), desc(commitSessions.reason), asc(sessions.id));
  const lines = await db
    .select()
    .from(commitLines)
    .where(and(eq(commitLines.pushId, found.pushId), eq(commitLines.oid, sha)))
    .orderBy(asc(commitLines.ordinal));
  return {
    sha,
    repository: found.repository,
    pusher: found.pusher,
    push: found.pushId,
    attributed_at: found.attributedAt?.toISOString() ?? null,
    sessions: linked,
    files: groupByFile(lines),
  };
}
