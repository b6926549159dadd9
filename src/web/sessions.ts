/** `/api/v1/sessions` and `/api/v1/exchanges`: the record of what people and Copilot said. */
import { Hono } from "hono";
import { parseMaskToken } from "../model/mask-token.ts";
import type { Principal } from "../model/principal.ts";
import type { Database } from "../store/database.ts";
import { findLinkedExchanges } from "../store/commit-queries.ts";
import type { Page } from "../store/exchange-filters.ts";
import { findExchange, listExchanges, type ExchangeRecord } from "../store/exchanges.ts";
import { findExchangeMessages, findTranscript } from "../store/messages.ts";
import type { RecordFilter } from "../store/record-filter.ts";
import { countSessions, findSession, listSessions, type SessionRecord } from "../store/sessions.ts";
import { findToolUses } from "../store/tool-uses.ts";
import { answerList, iso, notFound, type ApiEnv, type RecordDependencies } from "./api/context.ts";
import { LISTS } from "./api/list-kinds.ts";
import type { ListQuery } from "./api/list-query.ts";
import { mayReadOf, type ReadAccess } from "./read-access.ts";

const sessionJson = (session: SessionRecord, publicUrl: string) => ({
  id: session.id,
  user: session.user,
  user_kind: session.userKind,
  connection: session.connection,
  client: session.client,
  title: session.title,
  started_at: session.startedAt.toISOString(),
  last_active_at: session.lastActiveAt.toISOString(),
  exchange_count: session.exchanges,
  url: `${publicUrl}/sessions/${session.id}`,
});

const exchangeJson = (exchange: ExchangeRecord) => ({
  id: exchange.id,
  session: exchange.sessionId,
  user: exchange.user,
  user_kind: exchange.userKind,
  connection: exchange.connection,
  format: exchange.format,
  method: exchange.method,
  path: exchange.path,
  model: exchange.model,
  status: exchange.status,
  http_status: exchange.httpStatus,
  streamed: exchange.streamed,
  started_at: exchange.startedAt.toISOString(),
  first_byte_at: iso(exchange.firstByteAt),
  finished_at: iso(exchange.finishedAt),
  request_bytes: exchange.requestBytes,
  response_bytes: exchange.responseBytes,
  input_tokens: exchange.inputTokens,
  output_tokens: exchange.outputTokens,
  cached_tokens: exchange.cachedTokens,
  masked: exchange.masked,
  error: exchange.error,
});

/** The filter of a person who reads only their own: their id takes the place of whatever user was asked for. */
function ownFilter(access: ReadAccess, principal: Principal, filter: RecordFilter): RecordFilter | null {
  if (access.isAuditor(principal)) return filter;
  const { user } = filter;
  const isOther = user !== undefined && user.toLowerCase() !== principal.email.toLowerCase() && user !== principal.id;
  return isOther ? null : { ...filter, user: principal.id };
}

const NOTHING: Page<never> = { items: [], next: null };

/** How many pages without a match are passed over before an answer; the cursor goes on from there. */
const MAX_ROUNDS = 20;

const from = (cursor: string | null) => (cursor === null ? {} : { cursor });

/** The sessions that this person may read. */
export async function listReadableSessions(
  db: Database,
  access: ReadAccess,
  principal: Principal,
  { filter, limit, after }: ListQuery,
): Promise<Page<SessionRecord>> {
  const own = ownFilter(access, principal, filter);
  return own === null ? NOTHING : listSessions(db, { ...own, limit, ...from(after) });
}

/**
 * How many of them there are, counted no further than `most`.
 * @returns null where counting would mean reading every message for a text
 */
export async function countReadableSessions(
  db: Database,
  access: ReadAccess,
  principal: Principal,
  { filter }: ListQuery,
  most: number,
): Promise<number | null> {
  if (filter.q !== undefined && parseMaskToken(filter.q) === null) return null;
  const own = ownFilter(access, principal, filter);
  return own === null ? 0 : countSessions(db, own, most);
}

/**
 * Narrowed to what fitting commits are linked to, page by page. Pages keep their borders, so the cursor stays right and a page may
 * come out shorter than its limit; pages with nothing on them are passed over.
 */
async function listReadableExchanges(
  db: Database,
  access: ReadAccess,
  principal: Principal,
  { filter, limit, after }: ListQuery,
): Promise<Page<ExchangeRecord>> {
  const own = ownFilter(access, principal, filter);
  if (own === null) return NOTHING;
  const { repository, ref, sha, ...plain } = own;
  const list = (cursor: string | null) => listExchanges(db, { ...plain, limit, ...from(cursor) });
  let page = await list(after);
  if (repository === undefined && ref === undefined && sha === undefined) return page;
  for (let round = 1; ; round += 1) {
    const ids = page.items.map(({ id }) => id);
    const linked = await findLinkedExchanges(db, ids, own);
    const items = page.items.filter(({ id }) => linked.has(id));
    if (items.length > 0 || page.next === null || round === MAX_ROUNDS) return { items, next: page.next };
    page = await list(page.next);
  }
}

export function createSessionRoutes({ db, publicUrl, access }: RecordDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();

  routes.get("/sessions", (c) =>
    answerList(
      c,
      LISTS.sessions,
      (query) => listReadableSessions(db, access, c.var.principal, query),
      (session) => sessionJson(session, publicUrl),
    ),
  );

  routes.get("/sessions/:id", async (c) => {
    const session = await findSession(db, c.req.param("id"));
    if (session === null || !mayReadOf(access, c.var.principal, session.principalId)) return notFound(c, "session");
    const [transcript, toolUses] = await Promise.all([findTranscript(db, session.id), findToolUses(db, session.id)]);
    return c.json({
      ...sessionJson(session, publicUrl),
      tool_uses: toolUses.map(({ exchangeId, ...use }) => ({ exchange: exchangeId, ...use })),
      transcript: transcript.map((message) => ({
        exchange: message.exchangeId,
        direction: message.direction,
        role: message.role,
        parts: message.parts,
        at: message.at.toISOString(),
        model: message.model,
        status: message.status,
      })),
    });
  });

  routes.get("/exchanges", (c) =>
    answerList(c, LISTS.exchanges, (query) => listReadableExchanges(db, access, c.var.principal, query), exchangeJson),
  );

  routes.get("/exchanges/:id", async (c) => {
    const exchange = await findExchange(db, c.req.param("id"));
    if (exchange === null || !mayReadOf(access, c.var.principal, exchange.principalId)) return notFound(c, "exchange");
    return c.json({ ...exchangeJson(exchange), ...(await findExchangeMessages(db, exchange.id)) });
  });

  return routes;
}
