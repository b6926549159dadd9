/** What `/api/v1/openapi.json` says (OpenAPI 3.1). A test holds its paths against the routes that are there. */
import { LISTS } from "./api/list-kinds.ts";
import { decision, list, one, pathParameter, stop, stops } from "./openapi/operations.ts";
import { schemas } from "./openapi/schemas.ts";
import { text } from "./openapi/shapes.ts";

/** @param publicUrl without a slash at the end */
export const describeApi = (publicUrl: string, version: string) => ({
  openapi: "3.1.0",
  info: { title: "Sallyport", version, description: "The record of pushes, approvals and Copilot sessions." },
  servers: [{ url: `${publicUrl}/api/v1` }],
  security: [{ bearer: [] }, { basic: [] }],
  paths: {
    "/openapi.json": {
      get: { summary: "This description", security: [], responses: { "200": { description: "OpenAPI 3.1" } } },
    },
    "/sessions": list(LISTS.sessions, "Session"),
    "/sessions/{id}": one("session with its transcript", "SessionDetail"),
    "/exchanges": list(LISTS.exchanges, "Exchange"),
    "/exchanges/{id}": one("exchange with its messages", "ExchangeDetail"),
    "/pushes": list(LISTS.pushes, "Push"),
    "/pushes/{id}": one("push with its commits, findings and diffs", "PushDetail"),
    "/approvals": list(LISTS.approvals, "Approval"),
    "/approvals/{id}": one("approval", "Approval"),
    "/approvals/{id}/approve": decision("Approve"),
    "/approvals/{id}/deny": decision("Deny"),
    "/commits": list(LISTS.commits, "Commit"),
    "/commits/{sha}": one("commit with the sessions that it came from", "CommitDetail", [
      pathParameter("sha", text),
      { name: "repository", in: "query", description: "where it was pushed to several", schema: text },
    ]),
    "/fetches": list(LISTS.fetches, "Fetch"),
    "/stops": stops,
    "/stops/{id}": stop,
    "/events": list(LISTS.events, "Event"),
  },
  components: {
    schemas,
    securitySchemes: {
      bearer: { type: "http", scheme: "bearer" },
      basic: { type: "http", scheme: "basic", description: "any user name; the password is the token" },
    },
  },
});
