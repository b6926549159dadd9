/**
 * The end of an exchange in one statement, as {@link beginAtOnce} writes its beginning: the answer's messages, how it ended, what its tool
 * calls reached for and what it suggested.
 */
import type { ToolUse } from "../model/exchange.ts";
import { encodeTiming } from "./answer-timing.ts";
import type { Database } from "./database.ts";
import { ABANDONED, type ExchangeOutcome } from "./exchanges.ts";
import { freshStep, hex, listStep, storeSteps } from "./message-steps.ts";
import { uniqueMessages, type HashedMessage } from "./messages.ts";
import { storablePath, type SuggestionRow } from "./suggestions.ts";
import { toolUseRows } from "./tool-uses.ts";

export interface NewEnding {
  readonly id: string;
  readonly sessionId: string;
  readonly outcome: ExchangeOutcome;
  /** The answer's, in order. */
  readonly messages: readonly HashedMessage[];
  readonly toolUses: readonly ToolUse[];
  readonly suggestions: readonly SuggestionRow[];
}

/**
 * @returns false where nothing was finished: it is not open any more, or not of this session
 * @throws the driver's error with SQLSTATE 23505 where another exchange of the session stores the same message at this moment
 */
export async function finishAtOnce(db: Database, ending: NewEnding): Promise<boolean> {
  const { id, sessionId, outcome, messages } = ending;
  const { timing = [], historyAfter, ...known } = outcome;
  const row = {
    ...known,
    id,
    sessionId,
    historyAfter: historyAfter === null ? null : hex(historyAfter),
    timing: timing.length === 0 ? null : hex(encodeTiming(timing)),
  };
  const unique = uniqueMessages(messages);
  const suggestions = ending.suggestions.map(({ lineHashes, path, ...rest }) => ({
    ...rest,
    path: path === null ? null : storablePath(path),
    lineHashes: hex(lineHashes),
  }));
  const sql = db.$client;
  const rows = await sql`
    with given as materialized (
      select * from json_to_record(${JSON.stringify(row)}::json) as g(
        id uuid, "sessionId" uuid, status text, "httpStatus" integer, model text, "firstByteAt" timestamptz, "finishedAt" timestamptz,
        "responseBytes" bigint, "inputTokens" integer, "outputTokens" integer, "cachedTokens" integer, "upstreamRequestId" text, refusal text, masked jsonb,
        "answerMasked" boolean, "historyAfter" bytea, error text, timing bytea)
    ), ${listStep(sql, messages)}, there as materialized (
      select m.hash, m.number
      from given g
      cross join (select distinct hash from listed) l
      cross join lateral (
        select hash, number from messages where messages.session_id = g."sessionId" and messages.hash = l.hash offset 0
      ) m
    ), ${freshStep(sql, unique)}, session as (
      update sessions set message_count = sessions.message_count + (select count(*) from fresh)
      from given g
      where sessions.id = g."sessionId" and exists (select from fresh)
      returning sessions.id, sessions.message_count - (select count(*) from fresh) as next
    ), ${storeSteps(sql, unique)}, finished as (
      update exchanges set
        status = g.status, http_status = g."httpStatus", model = coalesce(exchanges.model, g.model),
        first_byte_at = g."firstByteAt", finished_at = g."finishedAt", response_bytes = g."responseBytes",
        input_tokens = g."inputTokens", output_tokens = g."outputTokens", cached_tokens = g."cachedTokens", upstream_request_id = g."upstreamRequestId",
        refusal = g.refusal, masked = g.masked, answer_masked = g."answerMasked", history_after = g."historyAfter",
        error = g.error, timing = g.timing, response_messages = numbered.numbers
      from given g, numbered
      where exchanges.id = g.id and exchanges.session_id = g."sessionId" and numbered.is_whole
        and (exchanges.status = 'open' or exchanges.error = ${ABANDONED})
      returning exchanges.id
    ), reached as (
      insert into tool_uses (exchange_id, ordinal, session_id, call_id, name, paths, commands, services)
      select t."exchangeId", t.ordinal, t."sessionId", t."callId", t.name, t.paths, t.commands, t.services
      from finished, json_to_recordset(${JSON.stringify(toolUseRows(ending, ending.toolUses))}::json) as t(
        "exchangeId" uuid, ordinal integer, "sessionId" uuid, "callId" text, name text, paths text[], commands text[], services text[])
      on conflict do nothing
    ), suggested as (
      insert into suggestions (exchange_id, ordinal, session_id, principal_id, path, kind, line_hashes, suggested_at)
      select s."exchangeId", s.ordinal, s."sessionId", s."principalId", s.path, s.kind, s."lineHashes", s."suggestedAt"
      from finished, json_to_recordset(${JSON.stringify(suggestions)}::json) as s(
        "exchangeId" uuid, ordinal integer, "sessionId" uuid, "principalId" uuid, path text, kind text, "lineHashes" bytea,
        "suggestedAt" timestamptz)
      on conflict do nothing
    )
    select id from finished`;
  return rows.length > 0;
}
