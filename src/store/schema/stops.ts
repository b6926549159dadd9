import { sql } from "drizzle-orm";
import { index, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { time } from "./columns.ts";
import { sessions } from "./exchanges.ts";
import { principals } from "./identity.ts";

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
