/**
 * The record of a push: written before anything is forwarded, and finished after the upstream has answered. Its client waits for
 * both, so that each is one statement, prepared, and one round trip; only a large push takes several.
 */
import { sql, type SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import type { AddedHunk } from "../model/added-hunk.ts";
import { newId } from "../model/id.ts";
import type { Database, Transaction } from "./database.ts";
import type { NewEvent } from "./events.ts";
import { hex } from "./message-steps.ts";
import type { NewPush, PushOutcome } from "./pushes.ts";
import { signalText, SIGNAL_CHANNEL } from "./signals.ts";

/**
 * Commits or hunks in one statement, and characters of them. Other people's streams wait while a statement is built, so that none has
 * more than some milliseconds' worth.
 */
const BATCH = 1_000;
const BATCH_CHARACTERS = 512 * 1024;

const NONE = "[]";

const dialect = new PgDialect();

/** @param lengthOf characters of a row @returns each batch as JSON */
function* batches<T>(rows: readonly T[], lengthOf: (row: T) => number, rowOf: (row: T, at: number) => unknown) {
  for (let at = 0; at < rows.length;) {
    const begin = at;
    const batch: unknown[] = [];
    let characters = 0;
    for (; at < rows.length && at - begin < BATCH && characters < BATCH_CHARACTERS; at++) {
      const row = rows[at]!;
      characters += lengthOf(row);
      batch.push(rowOf(row, at));
    }
    yield JSON.stringify(batch);
  }
}

/**
 * PostgreSQL's text cannot hold U+0000; what a pusher wrote is kept readable instead of failing the push.
 * Lone surrogates become U+FFFD, because they could not be sent as UTF-8.
 */
const storable = (text: string): string => text.replaceAll("\0", "\u2400").toWellFormed();

const storableJson = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === "string" ? storable(part) : part));

/** Writes a push with its refs, findings, commits, added lines and diffs. Call inside a transaction. */
export async function insertPush(tx: Transaction, push: NewPush): Promise<void> {
  for (const statement of pushStatements(push, [])) await tx.execute(statement);
}

/** The same with what happened, each push with its own. Nothing else is written: all of it is there then, or nothing. */
export async function recordPushes(
  db: Database,
  pushes: readonly { readonly push: NewPush; readonly event: NewEvent }[],
): Promise<void> {
  const statements = (function* () {
    for (const { push, event } of pushes) yield* pushStatements(push, [event]);
  })();
  const first = statements.next();
  if (first.done === true) return;
  const second = statements.next();
  if (second.done === true) {
    await runPrepared(db, first.value);
    return;
  }
  await db.transaction(async (tx) => {
    for (const statement of [first.value, second.value]) await tx.execute(statement);
    for (const statement of statements) await tx.execute(statement);
  });
}

/** One round trip, from the second time on that it is sent by a connection: its text must not depend on what it is about. */
async function runPrepared(db: Database, statement: SQL): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { sql: text, params } = dialect.sqlToQuery(statement);
  return db.$client.unsafe(text, params as string[], { prepare: true });
}

/**
 * The first has everything but what there may be much of: of commits and lines it has the first. They go as JSON: to build and to bind
 * a parameter for each value takes longer than all of the rest.
 */
function* pushStatements(push: NewPush, events: readonly NewEvent[]): Generator<SQL> {
  const commits = batches(push.commits, ({ message }) => message.length, commitRow);
  const hunks = batches(push.hunks, ({ text }) => text.length, hunkRows());
  const [brought, more] = [commits.next().value ?? NONE, commits.next().value ?? null];
  // Lines belong to commits, which have to be there.
  const added = more === null ? (hunks.next().value ?? NONE) : NONE;
  yield sql`
    with pushed as (
      insert into pushes (id, principal_id, connection, repository, upstream_path, status, policy_version, binding, certificate, object_format,
                          head, push_options, pack_blob, pack_bytes, lines_truncated, user_agent, received_at, finished_at, lease_until,
                          error, part_of)
      select p.* from json_to_record(${storableJson(pushRow(push))}::json) as p(
        id uuid, "principalId" uuid, connection text, repository text, "upstreamPath" text, status text, "policyVersion" text,
        binding text, certificate text, "objectFormat" text, head bytea, "pushOptions" text[], "packBlob" text, "packBytes" bigint,
        "linesTruncated" boolean, "userAgent" text, "receivedAt" timestamptz, "finishedAt" timestamptz, "leaseUntil" timestamptz,
        error text, "partOf" uuid)
    ), refs as (
      insert into push_refs (push_id, ordinal, ref, old_oid, new_oid, forced, verdict, reason, observed)
      select ${push.id}::uuid, r.* from json_to_recordset(${storableJson(refRows(push))}::json) as r(
        ordinal integer, ref text, "oldOid" text, "newOid" text, forced boolean, verdict text, reason text, observed jsonb)
    ), found as (
      insert into findings (push_id, id, rule, description, severity, source, oid, path, line, "column", end_column, fingerprint,
                            known, allowed, baseline)
      select ${push.id}::uuid, f.* from json_to_recordset(${storableJson(findingRows(push))}::json) as f(
        id uuid, rule text, description text, severity text, source text, oid text, path text, line integer, "column" integer,
        "endColumn" integer, fingerprint text, known boolean, allowed jsonb, baseline jsonb)
    ), compared as (
      insert into ref_diffs (push_id, ref, diff, truncated)
      select ${push.id}::uuid, d.* from json_to_recordset(${storableJson(push.diffs)}::json) as d(
        ref text, diff text, truncated boolean)
    ), brought as (
      ${insertCommits(push, brought)}
    ), added as (
      ${insertHunks(push, added)}
    )
    ${insertEvents(events)}`;
  if (more !== null) yield insertCommits(push, more);
  for (const rows of commits) yield insertCommits(push, rows);
  for (const rows of hunks) yield insertHunks(push, rows);
}

const insertCommits = (push: NewPush, rows: string): SQL => sql`
      insert into commits (push_id, repository, oid, ordinal, parents, author_name, author_email, authored_at,
                           committer_name, committer_email, committed_at, message)
      select ${push.id}::uuid, ${push.repository}::text, c.* from json_to_recordset(${rows}::json) as c(
        oid text, ordinal integer, parents text[], author_name text, author_email text, authored_at timestamptz,
        committer_name text, committer_email text, committed_at timestamptz, message text)`;

const insertHunks = (push: NewPush, rows: string): SQL => sql`
      insert into added_hunks (push_id, oid, ordinal, path, start_line, text)
      select ${push.id}::uuid, h.* from json_to_recordset(${rows}::json) as h(
        oid text, ordinal integer, path text, start_line integer, text text)`;

const insertEvents = (events: readonly NewEvent[]): SQL => sql`
    insert into events (id, kind, principal_id, repository, subject, data)
    select e.* from json_to_recordset(${storableJson(events.map(eventRow))}::json) as e(
      id uuid, kind text, "principalId" uuid, repository text, subject text, data jsonb)`;

function pushRow({ refs: _r, findings: _f, commits: _c, hunks: _h, diffs: _d, ...push }: NewPush) {
  return { ...push, head: hex(push.head) };
}

const refRows = ({ refs }: NewPush) => refs.map((ref, ordinal) => ({ ...ref, ordinal, observed: ref.observed ?? [] }));

const findingRows = ({ findings }: NewPush) => findings.map((finding) => ({ id: newId(), ...finding }));

const eventRow = (event: NewEvent) => ({ id: newId(), ...event });

const commitRow = (commit: NewPush["commits"][number], ordinal: number) => ({
  oid: commit.oid,
  ordinal,
  parents: commit.parents,
  author_name: storable(commit.authorName),
  author_email: storable(commit.authorEmail),
  authored_at: commit.authoredAt,
  committer_name: storable(commit.committerName),
  committer_email: storable(commit.committerEmail),
  committed_at: commit.committedAt,
  message: storable(commit.message),
});

/** Counts the hunks of each commit. */
function hunkRows() {
  const ordinals = new Map<string, number>();
  return (hunk: AddedHunk) => {
    const ordinal = ordinals.get(hunk.commit) ?? 0;
    ordinals.set(hunk.commit, ordinal + 1);
    return {
      oid: hunk.commit,
      ordinal,
      path: storable(hunk.path),
      start_line: hunk.startLine,
      text: storable(hunk.text),
    };
  };
}

/**
 * Writes how a push ended; what it would be sent with is no longer kept. Call inside a transaction.
 * @returns the blob of its pack: to be deleted once the transaction has committed
 */
export async function finishPush(tx: Transaction, pushId: string, outcome: PushOutcome): Promise<string | null> {
  const rows = await tx.execute(sql`${endPush(pushId, outcome, [])} select pack_blob from before`);
  return packBlobOf(rows[0]);
}

/**
 * The same with what happened, and tells whoever waits for the push.
 * @param channel of signals
 * @returns the blob of its pack, which is no longer needed: to be deleted now
 */
export async function recordEnd(
  db: Database,
  pushId: string,
  { outcome, event, channel }: { readonly outcome: PushOutcome; readonly event: NewEvent; readonly channel: string },
): Promise<string | null> {
  const rows = await runPrepared(
    db,
    sql`${endPush(pushId, outcome, [event])}
    select pack_blob, pg_notify(${SIGNAL_CHANNEL}, ${signalText(channel, pushId)}) from before`,
  );
  return packBlobOf(rows[0]);
}

const packBlobOf = (row: Readonly<Record<string, unknown>> | undefined): string | null => {
  const released = row?.["pack_blob"];
  return typeof released === "string" ? released : null;
};

/** The steps of a statement that ends with a question to `before`. */
function endPush(id: string, { status, error, finishedAt, upstreamStatus }: PushOutcome, events: readonly NewEvent[]) {
  const refs = [...upstreamStatus].map(([ref, said]) => ({ ref, said }));
  return sql`
    with given as materialized (
      select * from json_to_record(${storableJson({ id, status, error, finishedAt })}::json) as g(
        id uuid, status text, error text, "finishedAt" timestamptz)
    ), before as materialized (
      select pushes.id, pushes.pack_blob from pushes, given where pushes.id = given.id for update of pushes
    ), ended as (
      update pushes
      set status = given.status, error = given.error, finished_at = given."finishedAt", lease_until = null, pack_blob = null, head = ''
      from given, before where pushes.id = before.id
    ), answered as (
      update push_refs set upstream_status = r.said
      from before, json_to_recordset(${storableJson(refs)}::json) as r(ref text, said text)
      where push_refs.push_id = before.id and push_refs.ref = r.ref
    ), happened as (${insertEvents(events)}
    )`;
}
