import type { ApprovalStatus, PushStatus } from "../../store/schema.ts";
import type { ExchangeStatus } from "../../model/exchange.ts";
import type { FetchStatus } from "../../model/fetch.ts";
import type { ListKind } from "./list-query.ts";

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const PUSH_STATUSES: readonly PushStatus[] = [
  "rejected",
  "held",
  "delivering",
  "delivered",
  "undelivered",
  "indeterminate",
  "denied",
  "expired",
];
const APPROVAL_STATUSES: readonly ApprovalStatus[] = ["pending", "approved", "consumed", "denied", "expired"];
const EXCHANGE_STATUSES: readonly ExchangeStatus[] = [
  "open",
  "complete",
  "truncated",
  "client_gone",
  "upstream_failed",
  "refused",
];

const FETCH_STATUSES: readonly FetchStatus[] = ["complete", "client_gone", "upstream_failed"];

/** The lists, with what sets them apart. Of sessions, `status` means one of their exchanges'; of commits, their push's. */
export const LISTS = {
  sessions: { name: "sessions", statuses: EXCHANGE_STATUSES, position: /^[\w-]+$/, filters: ["client", "model"] },
  exchanges: { name: "exchanges", statuses: EXCHANGE_STATUSES, position: ID, filters: ["model"] },
  pushes: { name: "pushes", statuses: PUSH_STATUSES, position: ID },
  approvals: { name: "approvals", statuses: APPROVAL_STATUSES, position: ID },
  commits: {
    name: "commits",
    statuses: PUSH_STATUSES,
    position: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{40,64}$/,
  },
  fetches: { name: "fetches", statuses: FETCH_STATUSES, position: ID },
  /** Of events, `status` means their kind. */
  events: { name: "events", statuses: null, position: /^\d{1,15}$/ },
} as const satisfies Record<string, ListKind>;
