/**
 * Every table, in one file, so that the record's shape can be read at a glance.
 * Conventions: ids are UUIDs (time-ordered, version 7), times are `timestamptz`, oids are lower-case hex text.
 * No column ever holds a secret in clear: texts are masked, tokens are hashed, findings keep a keyed fingerprint.
 */
import {
  bigint,
  bigserial,
  boolean,
  customType,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { sql } from "drizzle-orm";
import type { Audience } from "../model/principal.ts";
import type { ExchangeStatus, Part, WireFormat } from "../model/exchange.ts";
import type { FetchKind, FetchStatus } from "../model/fetch.ts";
import type { Acceptance, FindingSource, InlineAllow, Severity } from "../model/finding.ts";
import type { LineVerdict } from "../model/attribution.ts";

const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => "bytea" });
const time = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

/** A person or a service: issuer + subject. */
export const principals = pgTable(
  "principals",
  {
    id: uuid("id").primaryKey(),
    issuer: text("issuer").notNull(),
    subject: text("subject").notNull(),
    email: text("email").notNull(),
    kind: text("kind").$type<"person" | "service">().notNull(),
    /** What the identity provider said last, and when it said so; null: it never has. Its people's tokens go by it. */
    groups: text("groups").array().notNull().default([]),
    groupsAt: time("groups_at"),
    createdAt: time("created_at").notNull().defaultNow(),
  },
  (t) => [unique("principals_issuer_subject").on(t.issuer, t.subject), index("principals_email").on(t.email)],
);

/** Gateway tokens; only their SHA-256 is stored (they are 256 random bits, so a slow hash adds nothing). */
export const tokens = pgTable(
  "tokens",
  {
    id: uuid("id").primaryKey(),
    principalId: uuid("principal_id")
      .notNull()
      .references(() => principals.id),
    name: text("name").notNull(),
    hash: bytea("hash").notNull().unique("tokens_hash"),
    /** What an operator gave it. The people of an identity provider have their groups themselves: none are written here. */
    groups: text("groups").array().notNull(),
    audiences: text("audiences").array().$type<Audience[]>().notNull(),
    createdAt: time("created_at").notNull().defaultNow(),
    expiresAt: time("expires_at"),
    lastUsedAt: time("last_used_at"),
    revokedAt: time("revoked_at"),
    /** The token that its maker was signed in with: it ends with that one. */
    parentId: uuid("parent_id"),
  },
  (t) => [
    foreignKey({ columns: [t.parentId], foreignColumns: [t.id] }),
    index("tokens_principal").on(t.principalId),
    index("tokens_parent")
      .on(t.parentId)
      .where(sql`${t.parentId} is not null`),
  ],
);

/** A browser's sign-in: the cookie holds a random value, this row its SHA-256. */
export const webSessions = pgTable("web_sessions", {
  hash: bytea("hash").primaryKey(),
  principalId: uuid("principal_id")
    .notNull()
    .references(() => principals.id),
  tokenId: uuid("token_id").references(() => tokens.id),
  groups: text("groups").array().notNull(),
  createdAt: time("created_at").notNull().defaultNow(),
  /** When the person proved to the identity provider who they are (its `auth_time`); null: it does not say, or a token signed in. */
  authenticatedAt: time("authenticated_at"),
  /** The provider's ID token, which its sign-out asks for, sealed under the cookie's value: this row alone does not open it. */
  idToken: bytea("id_token"),
  expiresAt: time("expires_at").notNull(),
});

export type PushStatus =
  /** inspected and refused; nothing reached the upstream */
  | "rejected"
  /** waits for an approval */
  | "held"
  /** allowed or approved; the gateway is about to send it, or was when it stopped */
  | "delivering"
  /** the upstream took every ref */
  | "delivered"
  /** the upstream refused at least one ref, or could not be reached; nothing is retried */
  | "undelivered"
  /** the gateway stopped while sending, and the upstream's refs do not tell what happened */
  | "indeterminate"
  /** a hold that was denied, expired, or whose client left under pass-through credentials */
  | "denied"
  | "expired";

export const pushes = pgTable(
  "pushes",
  {
    id: uuid("id").primaryKey(),
    principalId: uuid("principal_id")
      .notNull()
      .references(() => principals.id),
    connection: text("connection").notNull(),
    repository: text("repository").notNull(),
    /** Below the connection, as the client wrote it, with or without `.git`, masked. */
    upstreamPath: text("upstream_path").notNull(),
    status: text("status").$type<PushStatus>().notNull(),
    /** SHA-256 of the policy that judged it, hex. */
    policyVersion: text("policy_version").notNull(),
    /** SHA-256 over connection, repository, every ref's old and new id and the policy version, hex. */
    binding: text("binding").notNull(),
    objectFormat: text("object_format").$type<"sha1" | "sha256">().notNull(),
    /**
     * What it is delivered with besides its pack: the client's own command section, sealed under the gateway's key, because names may
     * hold secrets. Empty for a push that is refused, or has ended.
     */
    head: bytea("head").notNull(),
    pushOptions: text("push_options").array().notNull(),
    /** The pack in the blob store; null when the push has none, or when it is no longer kept. */
    packBlob: text("pack_blob"),
    packBytes: bigint("pack_bytes", { mode: "number" }).notNull(),
    /** The added lines were more than the record keeps: `added_hunks` holds the first of them. All of them were inspected. */
    linesTruncated: boolean("lines_truncated").notNull().default(false),
    userAgent: text("user_agent").notNull(),
    receivedAt: time("received_at").notNull().defaultNow(),
    finishedAt: time("finished_at"),
    /**
     * A gateway works on this push (its client waits, or it is being delivered) and says so again before this time passes.
     * Past it, any gateway's delivery job may take over.
     */
    leaseUntil: time("lease_until"),
    /** Why it did not go through, one line, masked. */
    error: text("error"),
    /** Refs of one `git push` that got different verdicts are pushes of their own: the first of them, in the others. */
    partOf: uuid("part_of"),
  },
  (t) => [
    foreignKey({ columns: [t.partOf], foreignColumns: [t.id] }).onDelete("set null"),
    index("pushes_part_of")
      .on(t.partOf)
      .where(sql`${t.partOf} is not null`),
    index("pushes_principal").on(t.principalId, t.receivedAt),
    index("pushes_repository").on(t.repository, t.receivedAt),
    index("pushes_status").on(t.status),
    // The same push sent again finds the same hold; two gateways cannot both open one.
    uniqueIndex("pushes_open_binding")
      .on(t.principalId, t.binding)
      .where(sql`${t.status} = 'held'`),
  ],
);

export const pushRefs = pgTable(
  "push_refs",
  {
    pushId: uuid("push_id")
      .notNull()
      .references(() => pushes.id, { onDelete: "cascade" }),
    ordinal: integer("ordinal").notNull(),
    ref: text("ref").notNull(),
    oldOid: text("old_oid").notNull(),
    newOid: text("new_oid").notNull(),
    forced: boolean("forced").notNull(),
    verdict: text("verdict").$type<"allow" | "hold" | "reject">().notNull(),
    reason: text("reason"),
    /** What checks that are only observed would have said, masked. */
    observed: jsonb("observed")
      .$type<readonly { readonly check: string; readonly verdict: "hold" | "reject"; readonly reason: string }[]>()
      .notNull()
      .default([]),
    /** What the upstream said: `ok`, or its `ng` reason. Null until it has answered. */
    upstreamStatus: text("upstream_status"),
  },
  (t) => [primaryKey({ columns: [t.pushId, t.ordinal] }), index("push_refs_ref").on(t.ref)],
);

/** Secrets found in a push. */
export const findings = pgTable(
  "findings",
  {
    id: uuid("id").primaryKey(),
    pushId: uuid("push_id")
      .notNull()
      .references(() => pushes.id, { onDelete: "cascade" }),
    rule: text("rule").notNull(),
    description: text("description").notNull(),
    severity: text("severity").$type<Severity>().notNull(),
    source: text("source").$type<FindingSource>().notNull(),
    oid: text("oid"),
    path: text("path"),
    line: integer("line").notNull(),
    column: integer("column").notNull(),
    endColumn: integer("end_column").notNull(),
    fingerprint: text("fingerprint").notNull(),
    /** It stood in this file upstream before the push. */
    known: boolean("known").notNull().default(false),
    /** The comment on its line that allows it; null: there is none. */
    allowed: jsonb("allowed").$type<InlineAllow>(),
    /** The entry of the baseline that accepted it when the push was judged; null: none did. */
    baseline: jsonb("baseline").$type<Acceptance>(),
  },
  (t) => [index("findings_push").on(t.pushId), index("findings_fingerprint").on(t.fingerprint)],
);

/** Findings that were accepted: recorded where they are pushed, and let pass. Records of pushes refer to them: entries end, and stay. */
export const baseline = pgTable(
  "baseline",
  {
    id: uuid("id").primaryKey(),
    fingerprint: text("fingerprint").notNull(),
    /** Glob over `<connection>/<path>`; null: everywhere. */
    repository: text("repository"),
    /** Glob over paths in the repository; null: at every path, and where there is none. */
    path: text("path"),
    reason: text("reason").notNull(),
    addedBy: text("added_by").notNull(),
    addedAt: time("added_at").notNull(),
    /** Null: never. */
    expiresAt: time("expires_at"),
    removedBy: text("removed_by"),
    removedAt: time("removed_at"),
  },
  (t) => [index("baseline_fingerprint").on(t.fingerprint)],
);

/** New commits of a push. Texts are masked. */
export const commits = pgTable(
  "commits",
  {
    pushId: uuid("push_id")
      .notNull()
      .references(() => pushes.id, { onDelete: "cascade" }),
    oid: text("oid").notNull(),
    /** Parents before children; times of commits say nothing, anybody can write them. */
    ordinal: integer("ordinal").notNull(),
    repository: text("repository").notNull(),
    parents: text("parents").array().notNull(),
    authorName: text("author_name").notNull(),
    authorEmail: text("author_email").notNull(),
    authoredAt: time("authored_at").notNull(),
    committerName: text("committer_name").notNull(),
    committerEmail: text("committer_email").notNull(),
    committedAt: time("committed_at").notNull(),
    message: text("message").notNull(),
    /** Whether attribution has run for this commit. */
    attributedAt: time("attributed_at"),
  },
  (t) => [
    primaryKey({ columns: [t.pushId, t.oid] }),
    index("commits_oid").on(t.oid),
    index("commits_repository").on(t.repository, t.oid),
    index("commits_unattributed")
      .on(t.pushId)
      .where(sql`${t.attributedAt} is null`),
  ],
);

/** A run of lines that a new commit adds; kept for the approver's view and for attribution. Masked. */
export const addedHunks = pgTable(
  "added_hunks",
  {
    pushId: uuid("push_id").notNull(),
    oid: text("oid").notNull(),
    ordinal: integer("ordinal").notNull(),
    path: text("path").notNull(),
    startLine: integer("start_line").notNull(),
    text: text("text").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.pushId, t.oid, t.ordinal] }),
    foreignKey({ columns: [t.pushId, t.oid], foreignColumns: [commits.pushId, commits.oid] }).onDelete("cascade"),
  ],
);

/** What an approver sees of each ref: the diff of its whole old..new, masked, as git prints it (bounded). */
export const refDiffs = pgTable(
  "ref_diffs",
  {
    pushId: uuid("push_id")
      .notNull()
      .references(() => pushes.id, { onDelete: "cascade" }),
    ref: text("ref").notNull(),
    diff: text("diff").notNull(),
    truncated: boolean("truncated").notNull(),
  },
  (t) => [primaryKey({ columns: [t.pushId, t.ref] })],
);

export type ApprovalStatus = "pending" | "approved" | "consumed" | "denied" | "expired";

export const approvals = pgTable(
  "approvals",
  {
    id: uuid("id").primaryKey(),
    pushId: uuid("push_id")
      .notNull()
      .references(() => pushes.id)
      .unique("approvals_push"),
    status: text("status").$type<ApprovalStatus>().notNull(),
    /** Every rule that holds the push; each needs its own count of approvers. */
    requirements: jsonb("requirements")
      .$type<readonly { approvers: readonly string[]; approvals: number; reason: string }[]>()
      .notNull(),
    requestedAt: time("requested_at").notNull().defaultNow(),
    expiresAt: time("expires_at").notNull(),
    closedAt: time("closed_at"),
  },
  (t) => [index("approvals_status").on(t.status, t.expiresAt)],
);

export const decisions = pgTable(
  "decisions",
  {
    approvalId: uuid("approval_id")
      .notNull()
      .references(() => approvals.id, { onDelete: "cascade" }),
    principalId: uuid("principal_id")
      .notNull()
      .references(() => principals.id),
    decision: text("decision").$type<"approve" | "deny">().notNull(),
    reason: text("reason").notNull(),
    /** The groups that the person was in when deciding: they say which requirements this decision counts for. */
    groups: text("groups").array().notNull(),
    decidedAt: time("decided_at").notNull().defaultNow(),
  },
  // One person counts once.
  (t) => [primaryKey({ columns: [t.approvalId, t.principalId] })],
);

/** Messages to the outside, written in the same transaction as what they tell. */
export const outbox = pgTable(
  "outbox",
  {
    id: uuid("id").primaryKey(),
    /** The notifier's name in the configuration. */
    notifier: text("notifier").notNull(),
    kind: text("kind").notNull(),
    payload: jsonb("payload").$type<Record<string, unknown>>().notNull(),
    createdAt: time("created_at").notNull().defaultNow(),
    nextAttemptAt: time("next_attempt_at").notNull().defaultNow(),
    attempts: integer("attempts").notNull().default(0),
    sentAt: time("sent_at"),
    /** Given up for good (the notifier said the message can never be sent). */
    failedAt: time("failed_at"),
    lastError: text("last_error"),
  },
  (t) => [
    index("outbox_due")
      .on(t.nextAttemptAt)
      .where(sql`${t.sentAt} is null and ${t.failedAt} is null`),
  ],
);

/** A fetch or clone that was relayed: who read what. */
export const fetches = pgTable(
  "fetches",
  {
    id: uuid("id").primaryKey(),
    principalId: uuid("principal_id")
      .notNull()
      .references(() => principals.id),
    connection: text("connection").notNull(),
    repository: text("repository").notNull(),
    kind: text("kind").$type<FetchKind>().notNull(),
    status: text("status").$type<FetchStatus>().notNull(),
    httpStatus: integer("http_status"),
    /** The names that the asked-for ids had when refs were last listed, bounded; masked. */
    refs: text("refs").array().notNull(),
    /** The ids that were asked for, bounded. */
    wants: text("wants").array().notNull(),
    wantCount: integer("want_count").notNull(),
    /** `depth`, `filter` and the like, as the client sent them; masked. */
    options: text("options").array().notNull(),
    requestBytes: bigint("request_bytes", { mode: "number" }).notNull(),
    responseBytes: bigint("response_bytes", { mode: "number" }).notNull(),
    userAgent: text("user_agent").notNull(),
    startedAt: time("started_at").notNull(),
    finishedAt: time("finished_at").notNull(),
  },
  (t) => [
    index("fetches_principal").on(t.principalId, t.startedAt),
    index("fetches_repository").on(t.repository, t.startedAt),
    index("fetches_started").on(t.startedAt),
  ],
);

/** Objects of Git LFS that the gateway has looked through and the upstream has taken: a pushed pointer must name one of them. */
export const lfsObjects = pgTable(
  "lfs_objects",
  {
    repository: text("repository").notNull(),
    /** SHA-256 of the content, hex. */
    oid: text("oid").notNull(),
    bytes: bigint("bytes", { mode: "number" }).notNull(),
    /** Who brought it. */
    principalId: uuid("principal_id")
      .notNull()
      .references(() => principals.id),
    /** The rules version that it was looked through with: SHA-256, hex. */
    policyVersion: text("policy_version").notNull(),
    uploadedAt: time("uploaded_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.repository, t.oid] })],
);

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

/** The kill switch: a person, or one session, may not speak to a model any more. Checked with each request; running streams end. */
export const stops = pgTable(
  "stops",
  {
    id: uuid("id").primaryKey(),
    /** Who is stopped; with a session, only that one of theirs. */
    principalId: uuid("principal_id")
      .notNull()
      .references(() => principals.id),
    sessionId: uuid("session_id").references(() => sessions.id, { onDelete: "cascade" }),
    reason: text("reason").notNull(),
    /** Who stopped them; null: whoever runs the gateway, at its command line. */
    stoppedBy: uuid("stopped_by").references(() => principals.id),
    createdAt: time("created_at").notNull(),
    /** Null: until somebody lifts it. */
    expiresAt: time("expires_at"),
    liftedAt: time("lifted_at"),
  },
  (t) => [
    index("stops_standing")
      .on(t.principalId)
      .where(sql`${t.liftedAt} is null`),
  ],
);

/** Gateways that run, or ran, on this database. One that has not been seen for a while is gone, and what it had open is closed. */
export const gateways = pgTable("gateways", {
  id: uuid("id").primaryKey(),
  seenAt: time("seen_at").notNull(),
});

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

/** Which sessions a commit came from. */
export const commitSessions = pgTable(
  "commit_sessions",
  {
    pushId: uuid("push_id").notNull(),
    oid: text("oid").notNull(),
    sessionId: uuid("session_id")
      .notNull()
      .references(() => sessions.id),
    reason: text("reason").$type<"trailer" | "content">().notNull(),
    confidence: doublePrecision("confidence").notNull(),
    exchangeIds: uuid("exchange_ids").array().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.pushId, t.oid, t.sessionId, t.reason] }),
    foreignKey({ columns: [t.pushId, t.oid], foreignColumns: [commits.pushId, commits.oid] }).onDelete("cascade"),
    index("commit_sessions_session").on(t.sessionId),
  ],
);

/** Runs of added lines of a commit with one origin. */
export const commitLines = pgTable(
  "commit_lines",
  {
    pushId: uuid("push_id").notNull(),
    oid: text("oid").notNull(),
    ordinal: integer("ordinal").notNull(),
    path: text("path").notNull(),
    from: integer("from").notNull(),
    to: integer("to").notNull(),
    verdict: text("verdict").$type<LineVerdict>().notNull(),
    exchangeId: uuid("exchange_id"),
    sessionId: uuid("session_id"),
    score: doublePrecision("score").notNull(),
  },
  (t) => [
    // Not the path: a git path can be longer than what a B-tree takes.
    primaryKey({ columns: [t.pushId, t.oid, t.ordinal] }),
    foreignKey({ columns: [t.pushId, t.oid], foreignColumns: [commits.pushId, commits.oid] }).onDelete("cascade"),
  ],
);

/** What happened, in order. Later floors chain and sign these rows; they are only ever inserted. */
export const events = pgTable(
  "events",
  {
    seq: bigserial("seq", { mode: "number" }).primaryKey(),
    id: uuid("id").notNull().unique("events_id"),
    at: time("at").notNull().defaultNow(),
    kind: text("kind").notNull(),
    principalId: uuid("principal_id").references(() => principals.id),
    repository: text("repository"),
    subject: text("subject"),
    data: jsonb("data").$type<Record<string, unknown>>().notNull(),
  },
  (t) => [index("events_at").on(t.at), index("events_kind").on(t.kind, t.at)],
);

/**
 * A client that asks for a sign-in by device code (RFC 8628). Neither code is kept, only their SHA-256: the user code is short, and
 * worth something for some minutes and to whoever is signed in. The row goes soon after it expires.
 */
export const deviceCodes = pgTable(
  "device_codes",
  {
    id: uuid("id").primaryKey(),
    deviceHash: bytea("device_hash").notNull().unique("device_codes_device"),
    userHash: bytea("user_hash").notNull().unique("device_codes_user"),
    clientId: text("client_id").notNull(),
    /** As asked for, parted by blanks. */
    scope: text("scope").notNull(),
    /** Where the client asked from, for the person who is asked to consent. */
    address: text("address"),
    userAgent: text("user_agent").notNull(),
    status: text("status").$type<"pending" | "approved" | "denied" | "consumed">().notNull(),
    /** Seconds that the client has to wait between two questions; grows when it does not. */
    interval: integer("interval").notNull(),
    polledAt: time("polled_at"),
    createdAt: time("created_at").notNull(),
    expiresAt: time("expires_at").notNull(),
    /** Who approved, with what they stood for then; null before. */
    principalId: uuid("principal_id").references(() => principals.id),
    groups: text("groups").array().notNull().default([]),
    /** The gateway token that they were signed in with; null: the identity provider. */
    tokenId: uuid("token_id").references(() => tokens.id),
  },
  (t) => [index("device_codes_expiry").on(t.expiresAt)],
);

/** An authorization code (RFC 6749, section 4.1), of which only the SHA-256 is kept. Used once; the row goes soon after it expires. */
export const authorizationCodes = pgTable(
  "authorization_codes",
  {
    hash: bytea("hash").primaryKey(),
    clientId: text("client_id").notNull(),
    /** Its SHA-256, base64url: it is only compared, and a client writes into its address what it likes. */
    redirectUri: text("redirect_uri").notNull(),
    /** S256 (RFC 7636): base64url of the SHA-256 of what the client keeps. */
    challenge: text("challenge").notNull(),
    scope: text("scope").notNull(),
    address: text("address"),
    principalId: uuid("principal_id")
      .notNull()
      .references(() => principals.id),
    groups: text("groups").array().notNull(),
    tokenId: uuid("token_id").references(() => tokens.id),
    createdAt: time("created_at").notNull(),
    expiresAt: time("expires_at").notNull(),
    usedAt: time("used_at"),
    /** The token that was given for it: taken back when the code comes a second time. */
    issuedId: uuid("issued_id").references(() => tokens.id),
  },
  (t) => [index("authorization_codes_expiry").on(t.expiresAt)],
);

/**
 * The short-lived tokens that Copilot clients fetch again and again with a gateway token (`/copilot_internal/v2/token`), for the
 * audience copilot alone. One ends with its gateway token.
 */
export const copilotTokens = pgTable(
  "copilot_tokens",
  {
    hash: bytea("hash").primaryKey(),
    tokenId: uuid("token_id")
      .notNull()
      .references(() => tokens.id, { onDelete: "cascade" }),
    createdAt: time("created_at").notNull(),
    expiresAt: time("expires_at").notNull(),
  },
  (t) => [index("copilot_tokens_expiry").on(t.expiresAt)],
);

/** How often somebody did something lately, counted for all gateways together: sign-ins that failed, codes that were wrong. */
export const attempts = pgTable(
  "attempts",
  {
    /** What is counted, and whose: an address, or a principal's id. */
    key: text("key").primaryKey(),
    count: integer("count").notNull(),
    /** From then on it is counted anew. */
    until: time("until").notNull(),
  },
  (t) => [index("attempts_until").on(t.until)],
);
