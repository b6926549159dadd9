import { bigint, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { time } from "./columns.ts";
import { principals } from "./identity.ts";

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
