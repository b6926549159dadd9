/** Conversations with models: their sessions, exchanges and messages, and what is read out of them. */
import { sql } from "drizzle-orm";
import { bigint, boolean, index, integer, jsonb, pgTable, primaryKey, text, unique, uuid } from "drizzle-orm/pg-core";
import type { ExchangeStatus, Part, WireFormat } from "../../model/exchange.ts";
import { bytea, time } from "./columns.ts";
import { principals } from "./identity.ts";

/** A conversation of one person with Copilot. */
export const sessions = pgTable(
  "sessions",
  {
    id: uuid("id").primaryKey(),
    principalId: uuid("principal_id")
      .notNull()
      .references(() => principals.id),
    connection: text("connection").notNull(),
    client: text("client").notNull(),
    /** What groups exchanges: the client's conversation id, or a key derived from the history. Counts only with the person. */
    clientKey: text("client_key").notNull(),
    /** The start of the first prompt, masked. */
    title: text("title"),
    /** How many messages were stored so far: the next one's number. */
    messageCount: integer("message_count").notNull().default(0),
    startedAt: time("started_at").notNull(),
    lastActiveAt: time("last_active_at").notNull(),
  },
  (t) => [
    unique("sessions_person_key").on(t.principalId, t.connection, t.clientKey),
    index("sessions_active").on(t.lastActiveAt),
    index("sessions_client_key").on(t.clientKey),
  ],
);

export const exchanges = pgTable(
  "exchanges",
  {
    id: uuid("id").primaryKey(),
    sessionId: uuid("session_id")
      .notNull()
      .references(() => sessions.id),
    principalId: uuid("principal_id")
      .notNull()
      .references(() => principals.id),
    connection: text("connection").notNull(),
    format: text("format").$type<WireFormat>().notNull(),
    method: text("method").notNull(),
    /** The path below the connection, tokens removed. */
    path: text("path").notNull(),
    model: text("model"),
    interaction: text("interaction"),
    agentTask: text("agent_task"),
    parentAgent: text("parent_agent"),
    initiator: text("initiator"),
    /** How many prompts the conversation had by then: exchanges with the same number belong to one turn of the person. */
    turn: integer("turn"),
    userAgent: text("user_agent").notNull(),
    status: text("status").$type<ExchangeStatus>().notNull(),
    /** Why the gateway refused it: the code that the client was told. */
    refusal: text("refusal"),
    httpStatus: integer("http_status"),
    streamed: boolean("streamed"),
    /** The gateway that has it in hand: what one that stopped left open is closed by this. */
    gateway: uuid("gateway"),
    startedAt: time("started_at").notNull(),
    firstByteAt: time("first_byte_at"),
    finishedAt: time("finished_at"),
    requestBytes: bigint("request_bytes", { mode: "number" }).notNull().default(0),
    responseBytes: bigint("response_bytes", { mode: "number" }).notNull().default(0),
    inputTokens: integer("input_tokens"),
    outputTokens: integer("output_tokens"),
    /** Those of the request that the upstream had in its cache. */
    cachedTokens: integer("cached_tokens"),
    upstreamRequestId: text("upstream_request_id"),
    /** How many places were masked, by rule. */
    masked: jsonb("masked").$type<Record<string, number>>().notNull().default({}),
    /** Whether the upstream got the request masked, and the client the answer: otherwise only the record is. */
    requestMasked: boolean("request_masked").notNull().default(false),
    answerMasked: boolean("answer_masked").notNull().default(false),
    /** The numbers of its messages within the session, in order. */
    requestMessages: integer("request_messages").array().notNull().default([]),
    responseMessages: integer("response_messages").array().notNull().default([]),
    /** Keyed hashes of the conversation up to the request's end and the answer's, where the client names no conversation. */
    history: bytea("history"),
    historyAfter: bytea("history_after"),
    error: text("error"),
    /** How the answer came, for the replay (answer-timing.ts); null where it did not stream. */
    timing: bytea("timing"),
  },
  (t) => [
    index("exchanges_session").on(t.sessionId, t.startedAt),
    index("exchanges_principal").on(t.principalId, t.startedAt),
    index("exchanges_history")
      .on(t.history)
      .where(sql`${t.history} is not null`),
    index("exchanges_history_after")
      .on(t.historyAfter)
      .where(sql`${t.historyAfter} is not null`),
    index("exchanges_open")
      .on(t.startedAt)
      .where(sql`${t.status} = 'open'`),
  ],
);

/** A message once per session, by the keyed hash of its masked content. Exchanges list them by number. */
export const messages = pgTable(
  "messages",
  {
    sessionId: uuid("session_id")
      .notNull()
      .references(() => sessions.id, { onDelete: "cascade" }),
    /** 0, 1, …: in the order in which they first came up in the session. */
    number: integer("number").notNull(),
    hash: bytea("hash").notNull(),
    role: text("role").notNull(),
    parts: jsonb("parts").$type<readonly Part[]>().notNull(),
    /** Whether the index of texts has it (`messages_text`, of the extension pg_trgm). That takes time, which no exchange waits for. */
    isIndexed: boolean("is_indexed").notNull().default(false),
  },
  (t) => [
    primaryKey({ columns: [t.sessionId, t.number] }),
    unique("messages_session_hash").on(t.sessionId, t.hash),
    index("messages_unindexed")
      .on(t.sessionId)
      .where(sql`not ${t.isIndexed}`),
  ],
);

/** What an answer's tool calls reached for: which files, commands and services. The calls themselves are in its messages. */
export const toolUses = pgTable(
  "tool_uses",
  {
    exchangeId: uuid("exchange_id")
      .notNull()
      .references(() => exchanges.id, { onDelete: "cascade" }),
    ordinal: integer("ordinal").notNull(),
    sessionId: uuid("session_id").notNull(),
    /** The call's id on the wire. */
    callId: text("call_id").notNull(),
    name: text("name").notNull(),
    paths: text("paths").array().notNull(),
    commands: text("commands").array().notNull(),
    services: text("services").array().notNull(),
  },
  (t) => [primaryKey({ columns: [t.exchangeId, t.ordinal] }), index("tool_uses_session").on(t.sessionId)],
);

/** Which secrets were masked in which session, so that the same one is found elsewhere. */
export const maskSightings = pgTable(
  "mask_sightings",
  {
    sessionId: uuid("session_id")
      .notNull()
      .references(() => sessions.id, { onDelete: "cascade" }),
    /** The first 8 hex digits of the keyed fingerprint. */
    fingerprint: text("fingerprint").notNull(),
    /** The rule's id. */
    kind: text("kind").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.fingerprint, t.sessionId, t.kind] }),
    index("mask_sightings_session").on(t.sessionId),
  ],
);

/**
 * The index that attribution reads: per suggested block its line hashes, packed (8 bytes a line, big-endian, 53-bit), because one
 * row a line costs ten times the space and four times the time.
 */
export const suggestions = pgTable(
  "suggestions",
  {
    exchangeId: uuid("exchange_id")
      .notNull()
      .references(() => exchanges.id, { onDelete: "cascade" }),
    ordinal: integer("ordinal").notNull(),
    sessionId: uuid("session_id").notNull(),
    principalId: uuid("principal_id").notNull(),
    path: text("path"),
    kind: text("kind").$type<"completion" | "fence" | "edit">().notNull(),
    lineHashes: bytea("line_hashes").notNull(),
    suggestedAt: time("suggested_at").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.exchangeId, t.ordinal] }),
    index("suggestions_person").on(t.principalId, t.suggestedAt),
  ],
);

/**
 * Ids by which an upstream knows something that it keeps (a response, a job, a session), and who got them. Under a credential that many
 * people share, an id works for that person alone. Only its keyed hash is here: some ids are keys to what they name.
 */
export const upstreamIds = pgTable(
  "upstream_ids",
  {
    connection: text("connection").notNull(),
    hash: bytea("hash").notNull(),
    principalId: uuid("principal_id")
      .notNull()
      .references(() => principals.id),
    expiresAt: time("expires_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.connection, t.hash] }), index("upstream_ids_expires").on(t.expiresAt)],
);
