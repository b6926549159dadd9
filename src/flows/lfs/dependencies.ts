import type { BlobStore } from "../../blobs/blob-store.ts";
import type { LfsUpstream } from "../../git/lfs/lfs-upstream.ts";
import type { LfsTickets } from "../../git/lfs/ticket.ts";
import type { ClientHeaders } from "../../git/upstream-headers.ts";
import type { GitConnection } from "../../model/connection.ts";
import type { Logger } from "../../model/log.ts";
import type { Principal } from "../../model/principal.ts";
import type { PushPolicy } from "../../policy/schema.ts";
import type { Scanner } from "../../secrets/scanner.ts";
import type { Database } from "../../store/database.ts";
import type { LfsRefusals } from "./refusals.ts";

export interface LfsDependencies {
  readonly db: Database;
  /** Where an object stands until it has been looked through. */
  readonly blobs: BlobStore;
  /** By connection name. */
  readonly upstream: (connection: string) => LfsUpstream;
  readonly tickets: LfsTickets;
  readonly scanner: Scanner;
  readonly policies: readonly PushPolicy[];
  readonly policyVersion: string;
  /** The largest object that may be sent to this repository, in bytes. */
  readonly maxObjectBytes: (repository: string) => number;
  /** As of `PushLimits.findings`, for one object. */
  readonly mostFindings: (repository: string) => number;
  readonly refusals: LfsRefusals;
  /** Without a final slash. */
  readonly publicUrl: string;
  readonly log: Logger;
  readonly now: () => Date;
}

/** Whose request it is, and what about; who may do what has been judged. */
export interface LfsRequest {
  readonly principal: Principal;
  readonly connection: GitConnection;
  /** `<connection>/<path>` without `.git`. */
  readonly repository: string;
  /** Decoded, with `.git` where the client wrote it. */
  readonly upstreamPath: string;
  /** What stands before `/git/` in this client's addresses. */
  readonly prefix: string;
  /** Without the gateway's own token. */
  readonly clientHeaders: ClientHeaders;
  readonly userAgent: string;
  readonly signal: AbortSignal;
}

/** The credential that goes upstream is the gateway's, or the client's own where the connection passes it on. */
export const isPassthrough = ({ connection }: Pick<LfsRequest, "connection">): boolean =>
  connection.credential.kind === "passthrough";
