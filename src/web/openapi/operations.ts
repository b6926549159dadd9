/** What can be asked at an address: a list, one thing, a decision, a stop. */
import { filtersOf, type FILTERS, type ListKind } from "../api/list-query.ts";
import { id, listOf, nullable, object, schemaRef, text, type Schema } from "./shapes.ts";

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

export const list = (kind: ListKind, item: string) => ({
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

export const pathParameter = (name: string, schema: Schema) => ({ name, in: "path", required: true, schema });

export const one = (what: string, schema: string, parameters: readonly object[] = [pathParameter("id", id)]) => ({
  get: {
    summary: `One ${what}`,
    parameters,
    responses: { "200": { description: what, content: json(schemaRef(schema)) }, ...UNAUTHENTICATED, ...NOT_FOUND },
  },
});

export const decision = (verb: string) => ({
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
export const stops = {
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
export const stop = {
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
