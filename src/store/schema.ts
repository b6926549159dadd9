/**
 * Every table of the record, a file an aggregate. drizzle-kit reads them here.
 * Conventions: ids are UUIDs (time-ordered, version 7), times are `timestamptz`, oids are lower-case hex text.
 * No column ever holds a secret in clear: texts are masked, tokens are hashed, findings keep a keyed fingerprint.
 */
export * from "./schema/identity.ts";
export * from "./schema/pushes.ts";
export * from "./schema/commits.ts";
export * from "./schema/approvals.ts";
export * from "./schema/exchanges.ts";
export * from "./schema/stops.ts";
export * from "./schema/gateways.ts";
export * from "./schema/outbox.ts";
export * from "./schema/events.ts";
export * from "./schema/fetches.ts";
export * from "./schema/lfs-objects.ts";
