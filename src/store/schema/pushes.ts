/** A push with what was found in it, as it was judged. */
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import type { Acceptance, FindingSource, InlineAllow, Severity } from "../../model/finding.ts";
import { bytea, time } from "./columns.ts";
import { principals } from "./identity.ts";

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
    /** Of a signed push that was not refused: SHA-256 of what its certificate's signature is over, hex. */
    certificate: text("certificate"),
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
    // A certificate is good for one push: who has read it upstream cannot send it again.
    uniqueIndex("pushes_certificate")
      .on(t.certificate)
      .where(sql`${t.certificate} is not null`),
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
