/**
 * What the two statements that write an exchange have in common: the messages of a session, each stored once. Between these steps a
 * statement has its own: `there`, the messages that the session has already, and `session`, its row.
 */
import type { Sql } from "postgres";
import { findMasks } from "./mask-sightings.ts";
import type { HashedMessage } from "./messages.ts";

/** As `bytea` reads it. */
export const hex = (bytes: Uint8Array): string => `\\x${Buffer.from(bytes).toString("hex")}`;

/** `listed`: all of an exchange's messages, by hash and place. */
export const listStep = (sql: Sql, messages: readonly HashedMessage[]) => sql`
    listed as materialized (
      select decode(hash, 'hex') as hash, place
      from json_array_elements_text(${listHashes(messages)}::json) with ordinality as l(hash, place)
    )`;

/** `fresh`: those that are not `there`. @param messages each once */
export const freshStep = (sql: Sql, messages: readonly HashedMessage[]) => sql`
    fresh as materialized (
      select decode(b.hash, 'hex') as hash, b.role, b.parts, row_number() over (order by place) - 1 as at
      from rows from (json_to_recordset(${encodeBodies(messages)}::json) as (hash text, role text, parts jsonb))
        with ordinality as b(hash, role, parts, place)
      where not exists (select from there where there.hash = decode(b.hash, 'hex'))
    )`;

/** `stored`, `sighted` and `numbered`: what is fresh goes into `session`, and all of the list has its numbers. @param messages as of {@link freshStep} */
export const storeSteps = (sql: Sql, messages: readonly HashedMessage[]) => sql`
    stored as (
      insert into messages (session_id, number, hash, role, parts)
      select session.id, session.next + fresh.at, fresh.hash, fresh.role, fresh.parts from session, fresh
    ), sighted as (
      insert into mask_sightings (session_id, fingerprint, kind)
      select session.id, m.fingerprint, m.kind
      from session, json_to_recordset(${encodeSightings(messages)}::json) as m(fingerprint text, kind text)
      on conflict do nothing
    ), numbered as (
      select coalesce(array_agg(n.number order by l.place), '{}') as numbers, count(*) = count(n.number) as is_whole
      from listed l
      left join (
        select hash, number from there
        union all
        select fresh.hash, (session.next + fresh.at)::integer from session, fresh
      ) n on n.hash = l.hash
    )`;

const listHashes = (messages: readonly HashedMessage[]): string =>
  JSON.stringify(messages.map(({ hash }) => hash.toString("hex")));

const encodeBodies = (messages: readonly HashedMessage[]): string =>
  JSON.stringify(messages.map(({ hash, role, parts }) => ({ hash: hash.toString("hex"), role, parts })));

const encodeSightings = (messages: readonly HashedMessage[]): string => JSON.stringify(findMasks(messages));
