/** What `/api/v1/openapi.json` says (OpenAPI 3.1). A test holds its paths against the routes that are there. */
import { LISTS } from "./api/list-kinds.ts";
import { filtersOf, type FILTERS, type ListKind } from "./api/list-query.ts";

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: "string" };
const id: Schema = { type: "string", format: "uuid" };
const time: Schema = { type: "string", format: "date-time" };
const count: Schema = { type: "integer", minimum: 0 };
const flag: Schema = { type: "boolean" };
const oid: Schema = { type: "string", pattern: "^[0-9a-f]{40}([0-9a-f]{24})?$" };
const strings: Schema = { type: "array", items: text };
const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: "null" }] });
const listOf = (items: Schema): Schema => ({ type: "array", items });
const schemaRef = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** Every property is always there. */
const object = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: "object",
  required: Object.keys(properties),
  properties,
});
const extended = (base: string, properties: Readonly<Record<string, Schema>>): Schema => ({
  allOf: [schemaRef(base), object(properties)],
});

const signature = object({ name: text, email: text, at: time });
const parts: Schema = { ...listOf({ type: "object", required: ["type"], properties: { type: text } }) };
const message = object({ role: text, parts });
const kind: Schema = { enum: ["person", "service"] };

const schemas: Record<string, Schema> = {
  Error: object({ error: object({ code: text, message: text }) }),
  Approval: object({
    id,
    status: { enum: LISTS.approvals.statuses },
    repository: text,
    refs: listOf(object({ ref: text, old: oid, new: oid })),
    pusher: text,
    pusher_kind: kind,
    requested_at: time,
    expires_at: time,
    closed_at: nullable(time),
    url: text,
    push: id,
    requirements: listOf(object({ approvers: strings, approvals: count, reason: text })),
    decisions: listOf(
      object({
        by: text,
        kind,
        decision: { enum: ["approve", "deny"] },
        reason: text,
        decided_at: time,
      }),
    ),
  }),
  Push: object({
    id,
    status: { enum: LISTS.pushes.statuses },
    connection: text,
    repository: text,
    pusher: text,
    pusher_kind: kind,
    received_at: time,
    finished_at: nullable(time),
    error: nullable(text),
    user_agent: text,
    part_of: nullable(id),
    pack_bytes: count,
    refs: listOf(
      object({
        ref: text,
        old: oid,
        new: oid,
        forced: flag,
        verdict: { enum: ["allow", "hold", "reject"] },
        reason: nullable(text),
        observed: listOf(object({ check: text, verdict: { enum: ["hold", "reject"] }, reason: text })),
        upstream: nullable(text),
      }),
    ),
    commit_count: count,
    finding_count: count,
    approval: nullable(id),
    url: text,
  }),
  PushDetail: extended("Push", {
    push_options: strings,
    commits: listOf(object({ sha: oid, parents: listOf(oid), author: signature, committer: signature, message: text })),
    findings: listOf(
      object({
        id,
        rule: text,
        description: text,
        severity: { enum: ["block", "warn"] },
        source: text,
        sha: nullable(oid),
        path: nullable(text),
        line: count,
        column: count,
        end_column: count,
        fingerprint: text,
        known: flag,
        allowed: nullable(object({ by: { enum: ["sallyport:allow", "gitleaks:allow"] }, reason: text })),
        baseline: nullable(object({ id, reason: text })),
      }),
    ),
    parts: listOf(object({ id, status: text })),
    diffs: listOf(object({ ref: text, diff: text, truncated: flag })),
  }),
  Session: object({
    id,
    user: text,
    user_kind: kind,
    connection: text,
    client: text,
    title: nullable(text),
    started_at: time,
    last_active_at: time,
    exchange_count: count,
    url: text,
  }),
  SessionDetail: extended("Session", {
    tool_uses: listOf(
      object({
        exchange: id,
        id: text,
        name: text,
        paths: listOf(text),
        commands: listOf(text),
        services: listOf(text),
      }),
    ),
    transcript: listOf(
      object({
        exchange: id,
        direction: { enum: ["request", "response"] },
        role: text,
        parts,
        at: time,
        model: nullable(text),
        status: { enum: LISTS.exchanges.statuses },
      }),
    ),
  }),
  Exchange: object({
    id,
    session: id,
    user: text,
    user_kind: kind,
    connection: text,
    format: text,
    method: text,
    path: text,
    model: nullable(text),
    status: { enum: LISTS.exchanges.statuses },
    http_status: nullable(count),
    streamed: nullable(flag),
    started_at: time,
    first_byte_at: nullable(time),
    finished_at: nullable(time),
    request_bytes: count,
    response_bytes: count,
    input_tokens: nullable(count),
    output_tokens: nullable(count),
    cached_tokens: nullable(count),
    masked: { type: "object", additionalProperties: count },
    error: nullable(text),
  }),
  ExchangeDetail: extended("Exchange", { request: listOf(message), response: listOf(message) }),
  Commit: object({
    id: oid,
    sha: oid,
    repository: text,
    pusher: text,
    pusher_kind: kind,
    push: id,
    push_status: { enum: LISTS.pushes.statuses },
    parents: listOf(oid),
    author: signature,
    committer: signature,
    message: text,
    attributed_at: nullable(time),
    url: text,
  }),
  CommitDetail: extended("Commit", {
    sessions: listOf(
      object({
        id,
        client: text,
        confidence: { type: "number", minimum: 0, maximum: 1 },
        reason: { enum: ["trailer", "content"] },
        exchanges: listOf(id),
      }),
    ),
    files: listOf(
      object({
        path: text,
        lines: listOf(
          object({
            from: count,
            to: count,
            verdict: { enum: ["ai", "ai_modified", "moved", "unknown"] },
            exchange: nullable(id),
            session: nullable(id),
            score: { type: "number", minimum: 0, maximum: 1 },
          }),
        ),
      }),
    ),
    also_in: strings,
  }),
  Fetch: object({
    id,
    user: text,
    user_kind: kind,
    connection: text,
    repository: text,
    kind: { enum: ["refs", "objects", "dumb"] },
    status: { enum: LISTS.fetches.statuses },
    http_status: nullable(count),
    refs: strings,
    wants: strings,
    want_count: count,
    options: strings,
    request_bytes: count,
    response_bytes: count,
    user_agent: text,
    started_at: time,
    finished_at: time,
  }),
  Stop: object({
    id,
    user: text,
    user_kind: kind,
    session: nullable(id),
    reason: text,
    stopped_by: nullable(text),
    stopped_by_kind: nullable(kind),
    created_at: time,
    expires_at: nullable(time),
  }),
  Event: object({
    id,
    at: time,
    kind: text,
    user: nullable(text),
    user_kind: nullable(kind),
    repository: nullable(text),
    subject: nullable(text),
    data: { type: "object" },
  }),
};

const json = (schema: Schema) => ({ "application/json": { schema } });
const problem = (description: string) => ({ description, content: json(schemaRef("Error")) });
const UNAUTHENTICATED = { "401": problem("no token, or none for the audience `api`") };
const NOT_FOUND = { "404": problem("there is none, or it is not yours to read") };

const FILTER_HELP: Record<(typeof FILTERS)[number], string> = {
  user: "e-mail address, without case",
  since: "from this time on (RFC 3339, or a date)",
  until: "before this time (RFC 3339, or a date)",
  connection: "the connection's name",
  repository: "`<connection>/<path>` without `.git`",
  ref: "a full ref name, or a branch's or tag's",
  sha: "an object id, at least its first 7 digits",
  status: "",
  client: "the client's name, e.g. copilot-cli",
  model: "a model that was asked, by its whole name",
  q: "text, found anywhere, without case",
};

const listParameters = (kind: ListKind) => [
  ...filtersOf(kind).map((name) => {
    const statuses = kind.statuses === null ? "an event's kind" : `one of ${kind.statuses.join(", ")}`;
    const description = name === "status" ? statuses : FILTER_HELP[name];
    return {
      name,
      in: "query",
      description,
      schema: name === "status" && kind.statuses ? { enum: kind.statuses } : text,
    };
  }),
  { name: "limit", in: "query", schema: { type: "integer", minimum: 1, maximum: 200, default: 50 } },
  { name: "cursor", in: "query", description: "`next` of the page before", schema: text },
];

const list = (kind: ListKind, item: string) => ({
  get: {
    summary: `List ${kind.name}, newest first`,
    parameters: listParameters(kind),
    responses: {
      "200": {
        description: "a page; `next` is null on the last one",
        content: json(object({ items: listOf(schemaRef(item)), next: nullable(text) })),
      },
      "400": problem("a parameter is wrong; the message names it"),
      ...UNAUTHENTICATED,
    },
  },
});

const pathParameter = (name: string, schema: Schema) => ({ name, in: "path", required: true, schema });

const one = (what: string, schema: string, parameters: readonly object[] = [pathParameter("id", id)]) => ({
  get: {
    summary: `One ${what}`,
    parameters,
    responses: { "200": { description: what, content: json(schemaRef(schema)) }, ...UNAUTHENTICATED, ...NOT_FOUND },
  },
});

const decision = (verb: string) => ({
  post: {
    summary: `${verb} a held push`,
    parameters: [pathParameter("id", id)],
    requestBody: { content: json({ type: "object", properties: { reason: { type: "string", maxLength: 2000 } } }) },
    responses: {
      "200": { description: "the approval after the decision", content: json(schemaRef("Approval")) },
      "400": problem("the body is malformed"),
      "403": problem("you may not decide on this push; the message says why"),
      "409": problem("it is no longer pending"),
      ...UNAUTHENTICATED,
      ...NOT_FOUND,
    },
  },
});

const stopPage = json(object({ items: listOf(schemaRef("Stop")), next: { type: "null" } }));
const stops = {
  get: {
    summary: "The stops that stand",
    responses: { "200": { description: "all that you may see", content: stopPage }, ...UNAUTHENTICATED },
  },
  post: {
    summary: "Stop a person, or one session: what runs with a model ends, what follows is refused",
    requestBody: {
      content: json({
        type: "object",
        properties: {
          user: text,
          session: id,
          reason: { type: "string", maxLength: 500 },
          minutes: { type: "integer", minimum: 1 },
        },
      }),
    },
    responses: {
      "201": { description: "what stands now; several where several people go by the address", content: stopPage },
      "400": problem("the body is malformed"),
      "403": problem("you may stop your own sessions only"),
      ...UNAUTHENTICATED,
      ...NOT_FOUND,
    },
  },
};
const stop = {
  delete: {
    summary: "Lift a stop",
    parameters: [pathParameter("id", id)],
    responses: {
      "200": { description: "what stood", content: json(schemaRef("Stop")) },
      "403": problem("somebody else has stopped you"),
      ...UNAUTHENTICATED,
      ...NOT_FOUND,
    },
  },
};

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
