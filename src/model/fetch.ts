import type { Principal } from "./principal.ts";

/** `client_gone`: it left before the answer had passed; `upstream_failed`: the answer broke off, or there was none. */
export type FetchStatus = "complete" | "client_gone" | "upstream_failed";

/** `refs`: the refs were listed; `objects`: a pack was asked for; `dumb`: files of the dumb protocol were. */
export type FetchKind = "refs" | "objects" | "dumb";

/** A fetch or clone that was relayed: who read what. Texts are the client's own, not masked. */
export interface RelayedFetch {
  readonly principal: Principal;
  readonly connection: string;
  /** `<connection>/<path>`, without `.git`. */
  readonly repository: string;
  readonly kind: FetchKind;
  readonly status: FetchStatus;
  /** Null where the upstream did not answer. */
  readonly httpStatus: number | null;
  /** The names that the asked-for ids had when refs were last listed, as far as they are known. */
  readonly refs: readonly string[];
  /** Object ids, the first of `wantCount`. */
  readonly wants: readonly string[];
  readonly wantCount: number;
  /** `depth 1`, `filter blob:none` and the like. */
  readonly options: readonly string[];
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly userAgent: string;
  readonly startedAt: Date;
  readonly finishedAt: Date;
}
