/** Pushes that wait for people, and what these decided. */
import { index, jsonb, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { time } from "./columns.ts";
import { principals } from "./identity.ts";
import { pushes } from "./pushes.ts";

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
