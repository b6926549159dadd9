/** Who people and services are, what they sign in with, and what counts their attempts. */
import { sql } from "drizzle-orm";
import { foreignKey, index, integer, pgTable, text, unique, uuid } from "drizzle-orm/pg-core";
import type { Audience } from "../../model/principal.ts";
import { bytea, time } from "./columns.ts";

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
  /** The provider's own session (`sid`), by which it tells that it has ended. */
  providerSession: text("provider_session"),
  expiresAt: time("expires_at").notNull(),
});

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
