import { createHash } from "node:crypto";
import path from "node:path";
import { GatewayError } from "../errors.ts";
import type { PushLimits } from "../model/push-limits.ts";
import type { ObjectReader } from "./cat-file.ts";
import { PackFeed, parseIndexPackOutput, startIndexPack } from "./index-pack.ts";
import { nameEntries, type OldBase } from "./inspection/name-entries.ts";
import { parentsOutside } from "./inspection/parents-outside.ts";
import { Turns } from "./inspection/turns.ts";
import { UnpackedEntries } from "./inspection/unpacked-entries.ts";
import { KeptChunks } from "./kept-chunks.ts";
import { overLimit } from "./limits.ts";
import { readOldBases } from "./old-bases.ts";
import { PackObjects } from "./pack-objects.ts";
import { ReadAhead } from "./read-ahead.ts";
import { hashBytes } from "./pack-entry-header.ts";
import { PackScanner, type PackSummary } from "./pack-scanner.ts";
import type { Git } from "./process.ts";
import type { ObjectFormat } from "./push-command.ts";
import type { CachedRepository } from "./repository-cache.ts";

/** Where the client's own bytes go; a `BlobWriter` is one. It stays the caller's, to commit or to abort. */
export interface PackSink {
  /** Resolves when the chunk may be forgotten. */
  write(chunk: Uint8Array): Promise<void>;
}

export interface ReceivedPackOptions {
  readonly git: Git;
  readonly gitDir: string;
  readonly objectFormat: ObjectFormat;
  readonly limits: PushLimits;
  readonly cache: CachedRepository | null;
  /** Of the same repository. */
  readonly reader: ObjectReader;
}

export interface TakeOptions {
  readonly pack: AsyncIterable<Uint8Array>;
  readonly sink: PackSink;
  readonly bases?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** A pack with more objects is git's to index. */
const MAX_OBJECTS = 50_000;
/** And one that makes more bytes than that. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;
/** What is read of the wire while a piece before is still being worked at. */
const AHEAD_BYTES = 256 * 1024;

const NOTHING: PackSummary = { packBytes: 0, objects: 0, inflatedBytes: 0 };

/**
 * The pack of one push, from its first byte until it is forgotten.
 *
 * A large one goes to `git index-pack` as it comes. A small one is unpacked and named here, in memory: git would take longer
 * to begin. It is given to git once something is asked that only git can do, or not at all.
 */
export class ReceivedPack {
  readonly #options: ReceivedPackOptions;
  readonly #scanner: PackScanner;
  readonly #kept = new KeptChunks();
  #bases: readonly string[] = [];
  #ready: Promise<void> = Promise.resolve();
  #summary: PackSummary | null = null;
  #objects: Promise<PackObjects> | null = null;
  /** The name of git's files, without extension; null: git has not begun. */
  #indexed: Promise<string> | null = null;

  constructor(options: ReceivedPackOptions) {
    this.#options = options;
    this.#scanner = new PackScanner(options.objectFormat, options.limits);
  }

  get summary(): PackSummary | null {
    return this.#summary;
  }

  /** As `Quarantine.receive`. */
  async take({ pack, sink, bases, signal }: TakeOptions): Promise<PackSummary> {
    const { cache, reader, limits } = this.#options;
    const scanner = this.#scanner;
    // From the last byte on: an upstream that hands out old objects slowly, or never, is no reason to wait longer than for reading.
    const late = new AbortController();
    const inTime = AbortSignal.any([late.signal, ...(signal === undefined ? [] : [signal])]);
    const giveUp = (): void => late.abort(overLimit.inspectionTime(limits.inspectionMs));
    let timer: NodeJS.Timeout | undefined;
    // A base that cannot be had is no reason to refuse: the pack may not need it, and whoever unpacks it tells if it does.
    this.#bases = bases ?? [];
    this.#ready = cache?.ensureCommits(bases ?? [], inTime).catch(() => {}) ?? Promise.resolve();
    const ahead = new ReadAhead(pack, AHEAD_BYTES);
    let feed: PackFeed | null = null;
    let hasBytes = false;
    let written = Promise.resolve();
    try {
      for (let chunk = await ahead.take(); chunk !== null; chunk = await ahead.take()) {
        // The old trees that the push is compared with will be asked for in a moment: by then it runs.
        if (!hasBytes) reader.start();
        hasBytes = true;
        if (signal?.aborted === true) throw signal.reason instanceof GatewayError ? signal.reason : clientGone();
        // Each piece is looked at before git gets it, while git and the disk take the one before.
        await both(scanner.feed(chunk), written);
        const isKept = feed === null && this.#kept.put(chunk);
        if (feed === null && !(isKept && this.#isSmall())) {
          feed = await this.#startGit(signal);
          this.#kept.release();
        }
        written = feed === null || isKept ? sink.write(chunk) : feedBoth(feed, sink, chunk);
        // Told of with the next piece, or at the end.
        written.catch(() => {});
      }
      timer = setTimeout(giveUp, limits.inspectionMs);
      await written;
      this.#summary = hasBytes ? await scanner.finish() : NOTHING;
      if (feed === null) {
        if (hasBytes) checkChecksum(this.#kept.chunks, this.#options.objectFormat);
      } else {
        this.#indexed = this.#finishGit(feed, inTime);
        await this.#indexed;
      }
      return this.#summary;
    } catch (error) {
      if (error instanceof GatewayError && error.code === "inspection_failed") cache?.distrust();
      throw error;
    } finally {
      ahead.stop();
      scanner.close();
      timer ??= setTimeout(giveUp, limits.inspectionMs);
      await this.#ready;
      clearTimeout(timer);
      await feed?.child.stop();
      // The sink is the caller's again.
      await written.catch(() => {});
    }
  }

  /** What it holds. @throws GatewayError `pack_invalid`, `inspection_failed`, and those of {@link unpack} */
  objects(signal?: AbortSignal): Promise<PackObjects> {
    this.#objects ??= this.#findObjects(signal).catch((error: unknown) => {
      this.#objects = null;
      throw error;
    });
    return this.#objects;
  }

  /** As `Quarantine.unpack`. */
  async unpack(signal?: AbortSignal): Promise<void> {
    if ((this.#summary?.objects ?? 0) > 0) await (this.#indexed ??= this.#index(signal));
  }

  release(): void {
    this.#scanner.entries?.release();
    this.#kept.release();
  }

  #isSmall(): boolean {
    const { announcedObjects, entries } = this.#scanner;
    return (announcedObjects ?? 0) <= MAX_OBJECTS && entries?.isWhole !== false;
  }

  async #findObjects(signal: AbortSignal | undefined): Promise<PackObjects> {
    const { objectFormat, gitDir } = this.#options;
    const { entries } = this.#scanner;
    const summary = this.#summary;
    if (summary === null || summary.objects === 0 || entries === null) return PackObjects.none(objectFormat);
    if (this.#indexed === null && entries.isWhole) {
      const named = await this.#nameObjects(summary, signal);
      if (named !== null) return named;
    }
    await this.unpack(signal);
    const file = path.join(gitDir, "objects", "pack", (await this.#indexed) ?? "");
    return PackObjects.read(file, objectFormat, { ...summary, entries });
  }

  async #nameObjects({ objects }: PackSummary, signal: AbortSignal | undefined): Promise<PackObjects | null> {
    const { objectFormat } = this.#options;
    const { entries } = this.#scanner;
    if (entries === null) return null;
    let bytes = 0;
    for (let at = 0; at < entries.count; at++) bytes += entries.size(at);
    if (bytes > MAX_UNPACKED_BYTES) return null;
    const unpacked = new UnpackedEntries(entries);
    // Who builds by offset on what is in the pack builds by name on what is not: asked for at once, it comes while the rest is named.
    const early = entries.hasOffsets ? this.#readOld(entries.baseNames(), signal) : Promise.resolve(null);
    early.catch(() => {});
    const readOld = async (oids: readonly string[]): Promise<readonly OldBase[] | null> => {
      const wanted = new Set(oids);
      const found = (await early)?.filter(({ oid }) => wanted.has(oid)) ?? [];
      return found.length > 0 ? found : this.#readOld(oids, signal);
    };
    const turns = new Turns(signal);
    try {
      const ids = await nameEntries({ entries, unpacked, format: objectFormat, readOld, turns });
      return ids === null ? null : PackObjects.named({ ids, format: objectFormat, unpacked, entries, sent: objects });
    } finally {
      // Whoever asks next must not read this one's answers.
      await early.catch(() => {});
    }
  }

  async #readOld(oids: readonly string[], signal: AbortSignal | undefined): Promise<readonly OldBase[] | null> {
    const { reader, cache } = this.#options;
    if (cache === null || oids.length === 0) return null;
    await this.#ready;
    return readOldBases({ reader, cache, boundary: () => this.#boundary(), signal }, oids);
  }

  /** The commits that the pack's own stand on, as far as it can be told before all of them have their names. */
  #boundary(): readonly string[] {
    const { entries } = this.#scanner;
    return [...this.#bases, ...(entries === null ? [] : parentsOutside(entries, this.#options.objectFormat))];
  }

  /** Gives git what has come so far. */
  async #startGit(signal: AbortSignal | undefined): Promise<PackFeed> {
    const { git, gitDir } = this.#options;
    const feed = new PackFeed(startIndexPack({ git, gitDir, signal }));
    for (const chunk of this.#kept.chunks) if (!(await feed.write(chunk))) await feed.child.ended.then(unreadPack);
    return feed;
  }

  async #index(signal: AbortSignal | undefined): Promise<string> {
    const feed = await this.#startGit(signal);
    try {
      const name = await this.#finishGit(feed, signal);
      this.#kept.release();
      return name;
    } catch (error) {
      // Not for good: the cache may have been damaged, and be another one when this is asked again.
      this.#indexed = null;
      throw error;
    } finally {
      await feed.child.stop();
    }
  }

  async #finishGit(feed: PackFeed, signal: AbortSignal | undefined): Promise<string> {
    const { gitTimeoutMs } = this.#options.limits;
    await this.#ready;
    const names = this.#scanner.entries?.baseNames() ?? [];
    await this.#options.cache?.fetchBases(names, () => this.#boundary(), signal);
    const { child } = feed;
    await feed.end();
    const timer = setTimeout(() => void child.stop(overLimit.gitTime("unpacking", gitTimeoutMs)), gitTimeoutMs);
    try {
      let stdout = "";
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) stdout += chunk.toString("latin1");
      await child.ended;
      return parseIndexPackOutput(stdout);
    } catch (error) {
      // A child that was stopped closes its output early; why it was stopped says more than that.
      await child.stop();
      await child.ended;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Waits until both have ended. @throws what the first throws, else the second */
async function both(first: Promise<void>, second: Promise<void>): Promise<void> {
  const [one, other] = await Promise.allSettled([first, second]);
  if (one.status === "rejected") throw one.reason;
  if (other.status === "rejected") throw other.reason;
}

async function feedBoth(feed: PackFeed, sink: PackSink, chunk: Uint8Array): Promise<void> {
  const [isTaken] = await Promise.all([feed.write(chunk), sink.write(chunk)]);
  // git gave up by itself: what it says of the pack is the reason.
  if (!isTaken) await feed.child.ended.then(unreadPack);
}

/** A pack ends with the hash of all that is before it. */
function checkChecksum(chunks: readonly Buffer[], format: ObjectFormat): void {
  const bytes = Buffer.concat(chunks);
  const end = bytes.length - hashBytes(format);
  if (!createHash(format).update(bytes.subarray(0, end)).digest().equals(bytes.subarray(end))) {
    throw new GatewayError("pack_invalid", "the pack is damaged: its checksum is wrong; push again");
  }
}

const unreadPack = (): never => {
  throw new GatewayError("pack_invalid", "git did not read the pack to its end; push again");
};

const clientGone = (): GatewayError => new GatewayError("client_gone", "the client left while it was sending its pack");
