import { bigint, index, integer, pgTable, text, uuid } from "drizzle-orm/pg-core";
import type { FetchKind, FetchStatus } from "../../model/fetch.ts";
import { time } from "./columns.ts";
import { principals } from "./identity.ts";

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
