import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { GatewayError } from "../errors.ts";
import type { PushLimits } from "../model/push-limits.ts";
import { createBareRepository } from "./bare-repository.ts";
import { ObjectReader } from "./cat-file.ts";
import { parseIndexPackOutput, startIndexPack } from "./index-pack.ts";
import type { PackEntries } from "./inspection/pack-entries.ts";
import { overLimit } from "./limits.ts";
import { hashBytes, PackScanner } from "./pack-scanner.ts";
import type { GitChild } from "./git-child.ts";
import type { Git } from "./process.ts";
import type { ObjectFormat } from "./push-command.ts";
import type { CachedRepository } from "./repository-cache.ts";

/** Where the client's own bytes go; a `BlobWriter` is one. It stays the caller's, to commit or to abort. */
export interface PackSink {
  /** Resolves when the chunk may be forgotten. */
  write(chunk: Uint8Array): Promise<void>;
}

export interface ReceivedPack {
  /** Bytes as the client sent them; 0: no pack at all, as for a push that only deletes. */
  readonly packBytes: number;
  /** Objects in the client's pack; 0 for a ref that is made at an object which the upstream has. */
  readonly objects: number;
  readonly inflatedBytes: number;
  /** The file in `objects/pack` without extension; null when there are no objects. */
  readonly packName: string | null;
}

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
  readonly received: ReceivedPack | null;
  /** What the pack was made of, in the pack's order, and as much of it as memory holds; null where there was no pack. */
  readonly entries: PackEntries | null;
  /** Objects of the quarantine and of the cache, one after the other; nothing is fetched. */
  readonly reader: ObjectReader;
  /**
   * Takes the pack in one pass and constant memory: to `sink`, and to `git index-pack`, each chunk only after it was found
   * within the limits. On an error, reading stops where it is and the source stays open: the caller drains it, or git
   * on the other side shows a broken connection instead of the reason.
   * @param bases commits that the pack probably builds on (the refs' old ids): made ready meanwhile
   * @throws GatewayError `pack_invalid`, `limit_exceeded`, `storage_failed`, `client_gone`; what `pack` and `sink` throw
   */
  receive(options: {
    readonly pack: AsyncIterable<Uint8Array>;
    readonly sink: PackSink;
    readonly bases?: readonly string[];
    readonly signal?: AbortSignal;
  }): Promise<ReceivedPack>;
  /** Deletes everything. Call it when all reading has ended. */
  remove(): Promise<void>;
}

const PREFIX = "push-";

/** @throws GatewayError `storage_failed` */
export async function openQuarantine(options: QuarantineOptions): Promise<Quarantine> {
  let gitDir: string;
  try {
    await mkdir(options.root, { recursive: true, mode: 0o700 });
    gitDir = await mkdtemp(path.join(options.root, PREFIX));
    await createBareRepository(gitDir, options.objectFormat, options.cache?.objectsDirectory ?? null);
  } catch (cause) {
    throw new GatewayError("storage_failed", "the gateway could not make room for a push on its disk", { cause });
  }
  let received: ReceivedPack | null = null;
  let scanner: PackScanner | null = null;
  const reader = new ObjectReader({ git: options.git, gitDir, timeoutMs: options.limits.gitTimeoutMs });
  return {
    ...options,
    gitDir,
    reader,
    get received() {
      return received;
    },
    get entries() {
      return scanner?.entries ?? null;
    },
    receive: async (receiveOptions) => {
      scanner = new PackScanner(options.objectFormat, options.limits);
      received = await receivePack(options, gitDir, { ...receiveOptions, scanner, reader });
      return received;
    },
    remove: async () => {
      scanner?.entries?.release();
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

type ReceiveOptions = Parameters<Quarantine["receive"]>[0] & {
  readonly scanner: PackScanner;
  readonly reader: ObjectReader;
};

async function receivePack(
  options: QuarantineOptions,
  gitDir: string,
  { pack, sink, bases, signal, scanner, reader }: ReceiveOptions,
): Promise<ReceivedPack> {
  const { limits, cache } = options;
  // A base that cannot be had is no reason to refuse: the pack may not need it, and index-pack tells if it does.
  const ready = cache?.ensureCommits(bases ?? [], signal).catch(() => {}) ?? Promise.resolve();
  // Not `for await`: leaving such a loop closes the source, which the caller still has to drain.
  const chunks = pack[Symbol.asyncIterator]();
  let early: Buffer[] = [];
  let child: GitChild | null = null;
  let hasBytes = false;
  try {
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      const chunk = next.value;
      if (chunk.byteLength === 0) continue;
      hasBytes = true;
      if (signal?.aborted === true) throw signal.reason instanceof GatewayError ? signal.reason : clientGone();
      await scanner.feed(chunk);
      if (child === null && (scanner.announcedObjects ?? 0) > 0) {
        // Before git opens its object store: what comes into the cache later, it does not see when it looks for bases.
        await ready;
        child = startIndexPack({
          git: options.git,
          gitDir,
          config: cache?.promisorConfig ?? [],
          signal,
        });
        // The old trees that the push is compared with will be asked for in a moment: by then it runs.
        reader.start();
        for (const held of early) await child.write(held);
        early = [];
      }
      if (child === null) {
        early.push(Buffer.from(chunk));
        await sink.write(chunk);
      } else {
        const [isTaken] = await Promise.all([child.write(chunk), sink.write(chunk)]);
        // git gave up by itself: what it says of the pack is the reason.
        if (!isTaken) await child.ended.then(unreadPack);
      }
    }
    if (!hasBytes) return { packBytes: 0, objects: 0, inflatedBytes: 0, packName: null };
    if (child === null) {
      const summary = await scanner.finish();
      checkEmptyPack(Buffer.concat(early), options.objectFormat);
      return { ...summary, packName: null };
    }
    return await finishIndexPack(child, scanner, limits.gitTimeoutMs);
  } catch (error) {
    if (error instanceof GatewayError && error.code === "inspection_failed") cache?.distrust();
    throw error;
  } finally {
    scanner.close();
    await ready;
    await child?.stop();
  }
}

async function finishIndexPack(child: GitChild, scanner: PackScanner, timeoutMs: number): Promise<ReceivedPack> {
  const summary = await scanner.finish();
  child.endInput();
  const timer = setTimeout(() => void child.stop(overLimit.gitTime("unpacking", timeoutMs)), timeoutMs);
  try {
    let stdout = "";
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) stdout += chunk.toString("latin1");
    await child.ended;
    return { ...summary, packName: parseIndexPackOutput(stdout) };
  } catch (error) {
    // A child that was stopped closes its output early; why it was stopped says more than that.
    await child.stop();
    await child.ended;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function checkEmptyPack(bytes: Buffer, format: ObjectFormat): void {
  const end = bytes.length - hashBytes(format);
  const checksum = createHash(format).update(bytes.subarray(0, end)).digest();
  if (!checksum.equals(bytes.subarray(end))) {
    throw new GatewayError("pack_invalid", "the pack is damaged: its checksum is wrong; push again");
  }
}

const unreadPack = (): never => {
  throw new GatewayError("pack_invalid", "git did not read the pack to its end; push again");
};

const clientGone = (): GatewayError => new GatewayError("client_gone", "the client left while it was sending its pack");
