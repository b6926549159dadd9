/**
 * The beginning of an exchange in one statement: what a client waits for before its upstream is asked is then one round trip, and no
 * transaction that stays open over several. It does what `openSession`, `storeMessages` and `insertExchange` do one after the other,
 * but for the rare cases in which their order matters: in those it says so, and the caller takes that way.
 */
import type { Database } from "./database.ts";
import type { ExchangeLinks, NewExchange } from "./exchanges.ts";
import { freshStep, hex, listStep, storeSteps } from "./message-steps.ts";
import type { HashedMessage } from "./messages.ts";
import type { NewSession } from "./sessions.ts";

export interface NewBeginning {
  readonly session: NewSession;
  readonly exchange: Omit<NewExchange, "sessionId"> & Omit<ExchangeLinks, "requestMessages">;
  /** All of the request's, in order. */
  readonly messages: readonly HashedMessage[];
  /** Those that the session may not have yet: each once. */
  readonly unknown: readonly HashedMessage[];
}

/**
 * @returns the session; null where it has to be done step by step: the exchange is there already, or a message that was taken for known is not
 * @throws the driver's error with SQLSTATE 23505 where another exchange of the session stores the same message at this moment
 */
export async function beginAtOnce(db: Database, { session, exchange, ...said }: NewBeginning): Promise<string | null> {
  const row = {
    ...exchange,
    history: exchange.history === null ? null : hex(exchange.history),
    sessionId: session.id,
    client: session.client,
    clientKey: session.clientKey,
    title: session.title,
    at: session.at,
  };
  const sql = db.$client;
  const rows = await sql<{ session_id: string }[]>`
    with given as materialized (
      select * from json_to_record(${JSON.stringify(row)}::json) as g(
        id uuid, "sessionId" uuid, "principalId" uuid, connection text, client text, "clientKey" text, title text, at timestamptz,
        format text, method text, path text, model text, interaction text, "agentTask" text, "parentAgent" text, initiator text,
        turn integer, "userAgent" text, status text, refusal text, streamed boolean, "startedAt" timestamptz, "finishedAt" timestamptz,
        "httpStatus" integer, "requestBytes" bigint, masked jsonb, "requestMasked" boolean, error text, gateway uuid, history bytea)
    ), ${listStep(sql, said.messages)}, there as materialized (
      select s.id as session_id, m.hash, m.number
      from given g
      join sessions s on s.principal_id = g."principalId" and s.connection = g.connection and s.client_key = g."clientKey"
      cross join (select distinct hash from listed) l
      -- Each by its hash: a session may have thousands of messages, and the planner, who knows nothing of this one, would read them all.
      cross join lateral (
        select hash, number from messages where messages.session_id = s.id and messages.hash = l.hash offset 0
      ) m
    ), ${freshStep(sql, said.unknown)}, session as (
      insert into sessions (id, principal_id, connection, client, client_key, title, message_count, started_at, last_active_at)
      select "sessionId", "principalId", connection, client, "clientKey", title, (select count(*) from fresh), at, at from given
      on conflict (principal_id, connection, client_key) do update set
        last_active_at = greatest(sessions.last_active_at, excluded.last_active_at),
        title = coalesce(sessions.title, excluded.title),
        message_count = sessions.message_count + excluded.message_count
      returning id, message_count - (select count(*) from fresh) as next
    ), ${storeSteps(sql, said.unknown)}
    insert into exchanges (
      id, session_id, principal_id, connection, format, method, path, model, interaction, agent_task, parent_agent, initiator, turn,
      user_agent, status, refusal, streamed, started_at, finished_at, http_status, request_bytes, masked, request_masked, error,
      gateway, history, request_messages)
    select
      g.id, session.id, g."principalId", g.connection, g.format, g.method, g.path, g.model, g.interaction, g."agentTask",
      g."parentAgent", g.initiator, g.turn, g."userAgent", g.status, g.refusal, g.streamed, g."startedAt", g."finishedAt",
      g."httpStatus", g."requestBytes", g.masked, g."requestMasked", g.error, g.gateway, g.history, numbered.numbers
    from given g, session, numbered
    -- The session that was read may have been deleted, and another one opened, since this statement began to look.
    where numbered.is_whole and not exists (select from there where there.session_id <> session.id)
    on conflict do nothing
    returning session_id`;
  return rows[0]?.session_id ?? null;
}
