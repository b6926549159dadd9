import type { RefUpdate } from "./ref-update.ts";

/** What a check says of one ref of a push. The strictest opinion wins: reject > hold > allow. */
export type Opinion =
  | { readonly kind: "allow" }
  | { readonly kind: "hold"; readonly reason: string; readonly requirement: ApprovalRequirement }
  | { readonly kind: "reject"; readonly reason: string };

/** Who has to agree, and for how long the question stays open. Durations are milliseconds. */
export interface ApprovalRequirement {
  /** Group names, or `user:EMAIL`. */
  readonly approvers: readonly string[];
  /** How many distinct approvers. */
  readonly approvals: number;
  /** How long the client is kept waiting; 0 answers at once. */
  readonly waitMs: number;
  readonly expiresMs: number;
}

/** What a check that is only observed would have said: recorded and told, never counted. */
export interface Observation {
  /** The check's name in the configuration. */
  readonly check: string;
  readonly opinion: Exclude<Opinion, { readonly kind: "allow" }>;
}

export interface RefVerdict {
  readonly update: RefUpdate;
  readonly opinion: Opinion;
  /** Absent: nothing. */
  readonly observed?: readonly Observation[];
}

/** One rule that holds the push; each needs its own count of approvers. */
export interface Hold {
  readonly reason: string;
  readonly requirement: ApprovalRequirement;
}

/** The whole push: as strict as its strictest ref. `reason`s are one line each, safe to show in a terminal. */
export interface Verdict {
  readonly kind: Opinion["kind"];
  readonly refs: readonly RefVerdict[];
  /** Every distinct hold on the refs that are held: one ref's opinion can name only the strictest of its own. */
  readonly holds: readonly Hold[];
}
