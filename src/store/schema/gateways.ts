import { pgTable, uuid } from "drizzle-orm/pg-core";
import { time } from "./columns.ts";

/** Gateways that run, or ran, on this database. One that has not been seen for a while is gone, and what it had open is closed. */
export const gateways = pgTable("gateways", {
  id: uuid("id").primaryKey(),
  seenAt: time("seen_at").notNull(),
});
