import { bigserial, index, jsonb, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { time } from "./columns.ts";
import { principals } from "./identity.ts";

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
