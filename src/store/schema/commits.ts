/** The commits of pushes, the lines that they add, and where those came from. */
import { sql } from "drizzle-orm";
import { doublePrecision, foreignKey, index, integer, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import type { LineVerdict } from "../../model/attribution.ts";
import { time } from "./columns.ts";
import { sessions } from "./exchanges.ts";
import { pushes } from "./pushes.ts";

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
