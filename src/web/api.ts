/**
 * The machines' side: everything below `/api/v1`. A token for the audience `api` in every request; cookies count for nothing here,
 * so no other site's page can act through a browser that is signed in.
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { GatewayError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import type { Logger } from "../model/log.ts";
import { listEventRecords, type EventRecord } from "../store/event-queries.ts";
import { answerList, jsonError, type ApiEnv, type Decide, type RecordDependencies } from "./api/context.ts";
import { LISTS } from "./api/list-kinds.ts";
import { createApprovalRoutes } from "./approvals.ts";
import { createCommitRoutes } from "./commits.ts";
import { isDatabaseAway } from "../store/database.ts";
import { errorResponse } from "./error-response.ts";
import { createFetchRoutes } from "./fetches.ts";
import { describeApi } from "./openapi.ts";
import { createPushRoutes } from "./pushes.ts";
import { createSessionRoutes } from "./sessions.ts";
import { createStopRoutes, type StopDependencies } from "./stops.ts";

export interface ApiDependencies extends RecordDependencies, StopDependencies {
  readonly identity: Pick<Identity, "identify">;
  readonly decide: Decide;
  readonly version: string;
  readonly log: Logger;
  readonly now: () => Date;
}

const MAX_BODY = 64 * 1024;

const eventJson = (event: EventRecord) => ({
  id: event.id,
  at: event.at.toISOString(),
  kind: event.kind,
  user: event.user,
  user_kind: event.userKind,
  repository: event.repository,
  subject: event.subject,
  data: event.data,
});

/** Mount it at `/api/v1`. */
export function createApiRoutes(deps: ApiDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>();

  routes.onError((error, c) => {
    deps.log.error({ path: c.req.path, error }, "a request to the API failed");
    return errorResponse(
      isDatabaseAway(error)
        ? new GatewayError("database_unavailable", "the database is away", { cause: error })
        : error,
    );
  });

  // What the interface looks like is no secret, and tools fetch it without credentials.
  routes.get("/openapi.json", (c) => c.json(describeApi(deps.publicUrl, deps.version)));

  routes.use(async (c, next) => {
    const headers = Object.fromEntries(c.req.raw.headers);
    const known = await deps.identity.identify({ headers }, "api", deps.now());
    c.header("cache-control", "no-store");
    c.header("x-content-type-options", "nosniff");
    if (!known.ok) {
      c.header("www-authenticate", 'Bearer realm="sallyport"');
      return jsonError(c, "unauthenticated", known.error.message);
    }
    c.set("principal", known.value.principal);
    return next();
  });
  routes.use(
    bodyLimit({
      maxSize: MAX_BODY,
      onError: (c) => jsonError(c, "request_malformed", `the body is larger than ${MAX_BODY} bytes`),
    }),
  );

  routes.route("/", createApprovalRoutes(deps));
  routes.route("/", createPushRoutes(deps));
  routes.route("/", createSessionRoutes(deps));
  routes.route("/", createCommitRoutes(deps));
  routes.route("/", createFetchRoutes(deps));
  routes.route("/", createStopRoutes(deps));
  routes.get("/events", (c) =>
    answerList(
      c,
      LISTS.events,
      ({ filter, limit, after }) => {
        const ownerId = deps.access.isAuditor(c.var.principal) ? null : c.var.principal.id;
        return listEventRecords(deps.db, filter, { limit, after }, ownerId);
      },
      eventJson,
    ),
  );

  routes.all("*", (c) => jsonError(c, "not_found", "there is no such address: see /api/v1/openapi.json"));
  return routes;
}
