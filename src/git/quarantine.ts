import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { GatewayError } from "../errors.ts";
import type { PushLimits } from "../model/push-limits.ts";
import { createBareRepository } from "./bare-repository.ts";
import { ObjectReader } from "./cat-file.ts";
import type { PackObjects } from "./pack-objects.ts";
import type { PackSummary } from "./pack-scanner.ts";
import type { Git } from "./process.ts";
import type { ObjectFormat } from "./push-command.ts";
import { ReceivedPack, type PackSink } from "./received-pack.ts";
import type { CachedRepository } from "./repository-cache.ts";

export interface QuarantineOptions {
  readonly git: Git;
  /** The directory that holds all quarantines. */
  readonly root: string;
  readonly objectFormat: ObjectFormat;
  readonly limits: PushLimits;
  /** Old objects, as alternate; null: the upstream is empty, or has none to offer. */
  readonly cache: CachedRepository | null;
}

/** A bare repository for one push: the pack's objects in it, the cache's behind it. Nothing else can see it. */
export interface Quarantine extends QuarantineOptions {
  readonly gitDir: string;
  /** Null until {@link Quarantine.receive} has resolved. */
  readonly received: PackSummary | null;
  /** Objects of the quarantine and of the cache, one after the other; nothing is fetched. */
  readonly reader: ObjectReader;
  /**
   * Takes the pack in one pass and constant memory: to `sink`, and to `git index-pack`, each chunk only after it was found
   * within the limits. A small pack is unpacked here, in memory, where that can be done: git has it later, if at all (see
   * {@link Quarantine.unpack}). On an error, reading stops where it is and the source stays open: the caller drains it, or git
   * on the other side shows a broken connection instead of the reason.
   * @param bases commits that the pack probably builds on (the refs' old ids): made ready meanwhile
   * @throws GatewayError `pack_invalid`, `limit_exceeded`, `storage_failed`, `client_gone`; what `pack` and `sink` throw
   */
  receive(options: {
    readonly pack: AsyncIterable<Uint8Array>;
    readonly sink: PackSink;
    readonly bases?: readonly string[];
    readonly signal?: AbortSignal;
  }): Promise<PackSummary>;
  /**
   * What the pack holds, once it is received.
   * @throws GatewayError `pack_invalid`, `inspection_failed`, and those of {@link Quarantine.unpack}
   */
  objects(signal?: AbortSignal): Promise<PackObjects>;
  /**
   * Lets git have the pack's objects, if it has not got them yet: before it is asked for them.
   * @throws GatewayError `pack_invalid`, `limit_exceeded`, `inspection_failed`, `storage_failed`
   */
  unpack(signal?: AbortSignal): Promise<void>;
  /** Deletes everything. Call it when all reading has ended. */
  remove(): Promise<void>;
}

const PREFIX = "push-";

async function makeDirectory(root: string): Promise<string> {
  const prefix = path.join(root, PREFIX);
  // It is there, but for the first push.
  return mkdtemp(prefix).catch(async () => {
    await mkdir(root, { recursive: true, mode: 0o700 });
    return mkdtemp(prefix);
  });
}

/** @throws GatewayError `storage_failed` */
export async function openQuarantine(options: QuarantineOptions): Promise<Quarantine> {
  let gitDir: string;
  try {
    gitDir = await makeDirectory(options.root);
    await createBareRepository(gitDir, options.objectFormat, options.cache?.objectsDirectory ?? null);
  } catch (cause) {
    throw new GatewayError("storage_failed", "the gateway could not make room for a push on its disk", { cause });
  }
  const reader = new ObjectReader({ git: options.git, gitDir, timeoutMs: options.limits.gitTimeoutMs });
  const received = new ReceivedPack({ ...options, gitDir, reader });
  return {
    ...options,
    gitDir,
    reader,
    get received() {
      return received.summary;
    },
    receive: (receiveOptions) => received.take(receiveOptions),
    objects: (signal) => received.objects(signal),
    unpack: (signal) => received.unpack(signal),
    remove: async () => {
      received.release();
      await reader.close();
      await rm(gitDir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Removes what a killed gateway has left. To be called before the first push of this data directory. */
export async function removeStaleQuarantines(root: string): Promise<number> {
  const names = await readdir(root).catch(() => []);
  const stale = names.filter((name) => name.startsWith(PREFIX));
  for (const name of stale) await rm(path.join(root, name), { recursive: true, force: true });
  return stale.length;
}
