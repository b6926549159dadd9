/** `/api/v1/fetches` */
import { Hono } from "hono";
import { listFetches, type FetchRecord } from "../store/fetches.ts";
import { answerList, type ApiEnv, type RecordDependencies } from "./api/context.ts";
import { LISTS } from "./api/list-kinds.ts";

const fetchJson = (fetch: FetchRecord) => ({
  id: fetch.id,
  user: fetch.user,
  user_kind: fetch.userKind,
  connection: fetch.connection,
  repository: fetch.repository,
  kind: fetch.kind,
  status: fetch.status,
  http_status: fetch.httpStatus,
  refs: fetch.refs,
  wants: fetch.wants,
  want_count: fetch.wantCount,
  options: fetch.options,
  request_bytes: fetch.requestBytes,
  response_bytes: fetch.responseBytes,
  user_agent: fetch.userAgent,
  started_at: fetch.startedAt.toISOString(),
  finished_at: fetch.finishedAt.toISOString(),
});

/** Everybody reads their own, auditors everyone's: what somebody read is about that person, as a session is. */
export function createFetchRoutes({ db, access }: RecordDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();
  routes.get("/fetches", (c) =>
    answerList(
      c,
      LISTS.fetches,
      ({ filter, limit, after }) => {
        const ownerId = access.isAuditor(c.var.principal) ? null : c.var.principal.id;
        return listFetches(db, filter, { limit, after }, ownerId);
      },
      fetchJson,
    ),
  );
  return routes;
}
