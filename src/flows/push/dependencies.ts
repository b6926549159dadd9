import type { BlobStore } from "../../blobs/blob-store.ts";
import type { LfsUpstream } from "../../git/lfs/lfs-upstream.ts";
import type { Git } from "../../git/process.ts";
import type { PushRequest } from "../../git/push-exchange.ts";
import type { PushRequestHead } from "../../git/receive-pack.ts";
import type { Quarantine } from "../../git/quarantine.ts";
import type { CachedRepository, RepositoryCache } from "../../git/repository-cache.ts";
import type { GitUpstream } from "../../git/upstream.ts";
import type { AddedHunk } from "../../model/added-hunk.ts";
import type { Logger } from "../../model/log.ts";
import type { PushFacts } from "../../model/push-facts.ts";
import type { PushLimits } from "../../model/push-limits.ts";
import type { Verdict } from "../../model/verdict.ts";
import type { PushPolicy } from "../../policy/schema.ts";
import type { Database } from "../../store/database.ts";
import type { Delivery } from "../delivery.ts";
import type { Scanner } from "../../secrets/scanner.ts";
import type { ScanPool } from "../scanning/scan-in-workers.ts";
import type { CommandSeal } from "./sealed-commands.ts";
import type { PushLoad } from "./load.ts";
import type { PushReading } from "./reading.ts";

export interface PushDependencies {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly git: Git;
  /** The directory of all quarantines. */
  readonly quarantineRoot: string;
  readonly cache: RepositoryCache;
  readonly upstream: (connection: string) => GitUpstream;
  readonly lfsUpstream: (connection: string) => LfsUpstream;
  /** Sent by the requests that git makes for the gateway. */
  readonly userAgent: string;
  /** What a push to this repository may cost. */
  readonly limits: (repository: string) => PushLimits;
  readonly load: PushLoad;
  readonly scanner: Scanner;
  readonly scanPool: ScanPool;
  readonly policies: readonly PushPolicy[];
  readonly policyVersion: string;
  /** The names of everyone who is told of a hold. */
  readonly notifiers: readonly string[];
  readonly delivery: Delivery;
  readonly seal: CommandSeal;
  /** Ends a hold that nobody can deliver any more. */
  readonly withdraw: (pushId: string, why: string) => Promise<void>;
  /** Without a final slash. */
  readonly publicUrl: string;
  /** Waits until something is announced about this push: true then, false after `timeoutMs` or on abort. */
  readonly heard: (pushId: string, timeoutMs: number, signal: AbortSignal) => Promise<boolean>;
  /** Called when a message was put into the outbox. */
  readonly onTold: () => void;
  /** Aborted when the gateway is being stopped: clients that wait are told to come back. */
  readonly stopping: AbortSignal;
  readonly log: Logger;
  readonly now: () => Date;
}

/** A push that has been read and judged. */
export interface JudgedPush {
  readonly request: PushRequest;
  readonly receivedAt: Date;
  readonly reading: PushReading;
  readonly verdict: Verdict;
  /** A commit that the upstream has; undefined where it has none. */
  readonly known: string | undefined;
  readonly cache: CachedRepository;
  /** Its objects become old ones once the push is delivered. */
  readonly quarantine: Quarantine;
}

/** The refs of a push that share a verdict; of most pushes all of them. Each part is recorded and ends by itself. */
export interface PushPart {
  /** What it is a part of. */
  readonly push: JudgedPush;
  readonly id: string;
  /** The id of the first part; null for that one itself, and for a push that is in one piece. */
  readonly partOf: string | null;
  /** It is all of the push: the client's own bytes can be sent. */
  readonly isWhole: boolean;
  /** With this part's commands alone. */
  readonly head: PartHead;
  /** What its refs bring. */
  readonly facts: PushFacts;
  readonly hunks: readonly AddedHunk[];
  readonly verdict: Verdict;
}

/** Without `raw`, where it is not what came. */
export type PartHead = Omit<PushRequestHead, "raw"> & { readonly raw?: Buffer | undefined };
