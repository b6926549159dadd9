import { createHash } from "node:crypto";
import path from "node:path";
import { GatewayError } from "../errors.ts";
import type { PushLimits } from "../model/push-limits.ts";
import type { ObjectReader } from "./cat-file.ts";
import type { GitChild } from "./git-child.ts";
import { parseIndexPackOutput, startIndexPack } from "./index-pack.ts";
import { nameEntries, type OldBase } from "./inspection/name-entries.ts";
import { Turns } from "./inspection/turns.ts";
import { UnpackedEntries } from "./inspection/unpacked-entries.ts";
import { KeptChunks } from "./kept-chunks.ts";
import { overLimit } from "./limits.ts";
import { PackObjects } from "./pack-objects.ts";
import { hashBytes, PackScanner, type PackSummary } from "./pack-scanner.ts";
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
/** What may be read of old objects that deltas of a small pack build on. */
const MAX_OLD_BYTES = 8 * 1024 * 1024;

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
    const { cache, reader } = this.#options;
    const scanner = this.#scanner;
    // A base that cannot be had is no reason to refuse: the pack may not need it, and whoever unpacks it tells if it does.
    this.#ready = cache?.ensureCommits(bases ?? [], signal).catch(() => {}) ?? Promise.resolve();
    // Not `for await`: leaving such a loop closes the source, which the caller still has to drain.
    const chunks = pack[Symbol.asyncIterator]();
    let child: GitChild | null = null;
    let hasBytes = false;
    try {
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
        const chunk = next.value;
        if (chunk.byteLength === 0) continue;
        // The old trees that the push is compared with will be asked for in a moment: by then it runs.
        if (!hasBytes) reader.start();
        hasBytes = true;
        if (signal?.aborted === true) throw signal.reason instanceof GatewayError ? signal.reason : clientGone();
        await scanner.feed(chunk);
        const isKept = child === null && this.#kept.put(chunk);
        if (child === null && !(isKept && this.#isSmall())) child = await this.#startGit(signal);
        if (child === null || isKept) await sink.write(chunk);
        else await feedBoth(child, sink, chunk);
      }
      this.#summary = hasBytes ? await scanner.finish() : NOTHING;
      if (child === null) {
        if (hasBytes) checkChecksum(this.#kept.chunks, this.#options.objectFormat);
      } else {
        this.#indexed = this.#finishGit(child);
        await this.#indexed;
      }
      return this.#summary;
    } catch (error) {
      if (error instanceof GatewayError && error.code === "inspection_failed") cache?.distrust();
      throw error;
    } finally {
      scanner.close();
      await this.#ready;
      await child?.stop();
    }
  }

  /** What it holds. @throws GatewayError `pack_invalid`, `inspection_failed`, and those of {@link unpack} */
  objects(signal?: AbortSignal): Promise<PackObjects> {
    return (this.#objects ??= this.#findObjects(signal));
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
      return found.length === oids.length ? found : this.#readOld(oids, signal);
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

  /** Few and small ones. What the cache has not got is fetched, all at once. */
  async #readOld(oids: readonly string[], signal: AbortSignal | undefined): Promise<readonly OldBase[] | null> {
    const { reader, cache } = this.#options;
    if (cache === null || oids.length === 0) return null;
    await this.#ready;
    const found: OldBase[] = [];
    let room = MAX_OLD_BYTES;
    const read = async (wanted: readonly string[]): Promise<readonly string[] | null> => {
      const missing: string[] = [];
      let answers = 0;
      for await (const object of reader.all(wanted, room)) {
        answers += 1;
        if (object.type === "missing") {
          missing.push(object.name);
          continue;
        }
        room -= object.size;
        found.push({ oid: object.oid, type: object.type, content: Buffer.from(object.content) });
      }
      return answers === wanted.length ? missing : null;
    };
    const missing = await read(oids);
    if (missing === null || missing.length === 0) return missing === null ? null : found;
    try {
      await cache.fetchBlobs(missing, signal);
    } catch (error) {
      // Directories cannot be fetched like this; git fetches them by itself. An upstream that is away tells so then as well.
      if (error instanceof GatewayError && error.code === "inspection_failed") return null;
      throw error;
    }
    return (await read(missing))?.length === 0 ? found : null;
  }

  /** Gives git what has come so far. */
  async #startGit(signal: AbortSignal | undefined): Promise<GitChild> {
    const { git, gitDir, cache } = this.#options;
    // Before git opens its object store: what comes into the cache later, it does not see when it looks for bases.
    await this.#ready;
    const child = startIndexPack({ git, gitDir, config: cache?.promisorConfig ?? [], signal });
    for (const chunk of this.#kept.chunks) if (!(await child.write(chunk))) await child.ended.then(unreadPack);
    this.#kept.release();
    return child;
  }

  async #index(signal: AbortSignal | undefined): Promise<string> {
    const child = await this.#startGit(signal);
    try {
      return await this.#finishGit(child);
    } finally {
      await child.stop();
    }
  }

  async #finishGit(child: GitChild): Promise<string> {
    const { gitTimeoutMs } = this.#options.limits;
    child.endInput();
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

async function feedBoth(child: GitChild, sink: PackSink, chunk: Uint8Array): Promise<void> {
  const [isTaken] = await Promise.all([child.write(chunk), sink.write(chunk)]);
  // git gave up by itself: what it says of the pack is the reason.
  if (!isTaken) await child.ended.then(unreadPack);
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
