import { createHash } from "node:crypto";
import { access, copyFile, link, mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { GatewayError } from "../errors.ts";
import { createBareRepository } from "./bare-repository.ts";
import { findMissing } from "./cat-file.ts";
import { KeyedLock } from "./keyed-lock.ts";
import type { Git } from "./process.ts";
import type { ObjectFormat } from "./push-command.ts";
import { fetchOldBases } from "./upstream-bases.ts";
import { fetchFromUpstream, promisorConfig, type UpstreamRepository } from "./upstream-fetch.ts";
import { UpstreamHistory, type RangeOptions } from "./upstream-history.ts";

export interface RepositoryCacheOptions {
  readonly git: Git;
  /** The directory that holds all cached repositories. */
  readonly root: string;
  /** Least recently used repositories go when all together are larger. */
  readonly maxBytes: number;
  readonly fetchTimeoutMs: number;
  /** Milliseconds since the epoch; default: the clock. */
  readonly now?: () => number;
}

export interface RepositoryCache {
  /**
   * One repository's cache, for one push; `release` it. Nothing is fetched yet.
   * @param identity connection and path, e.g. `code/team/app`
   * @throws GatewayError `storage_failed`
   */
  open(identity: string, objectFormat: ObjectFormat, upstream: UpstreamRepository): Promise<CachedRepository>;
}

/**
 * Old objects of one upstream repository: trees of the commits that pushes build on, single blobs. It may be deleted at
 * any time and fills again. That an object is here proves nothing about who may have put it upstream: see `findReachable`.
 */
export interface CachedRepository {
  readonly objectsDirectory: string;
  /** Lets a command fetch what is missing by itself, into the repository that it runs in. Holds the credential. */
  readonly promisorConfig: readonly (readonly [key: string, value: string])[];
  /** Commits with their trees, without blobs and parents. @throws GatewayError as `fetchFromUpstream` */
  ensureCommits(oids: readonly string[], signal?: AbortSignal): Promise<void>;
  /**
   * Old objects among `names`, by which deltas of a push name what they build on; others are the push's own. As far as it can be
   * told which are which: what is still missing then, git will tell.
   * @param boundary commits that the push probably stands on; asked for where it is not clear
   * @throws GatewayError as `fetchFromUpstream`, but not for ids that the upstream does not know
   */
  fetchBases(names: readonly string[], boundary: () => readonly string[], signal?: AbortSignal): Promise<void>;
  /** Single files that are not here. @throws GatewayError as `fetchFromUpstream` */
  fetchBlobs(oids: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Which of `oids` the advertised refs reach. @throws GatewayError as `fetchFromUpstream` */
  findReachable(oids: readonly string[], tips: readonly string[], signal?: AbortSignal): Promise<ReadonlySet<string>>;
  /** As `UpstreamHistory.listRange`. @throws GatewayError `limit_exceeded`, and as `fetchFromUpstream` */
  listRange(starts: readonly string[], old: string, options: RangeOptions): Promise<readonly string[]>;
  /** As `UpstreamHistory.findAncestors`. @throws GatewayError as `fetchFromUpstream` */
  findAncestors(
    oids: readonly string[],
    descendant: string,
    tips: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlySet<string>>;
  /** As `UpstreamHistory.findDescendants`. @throws GatewayError as `fetchFromUpstream` */
  findDescendants(
    oids: readonly string[],
    ancestor: string,
    tips: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlySet<string>>;
  /**
   * Takes over a quarantine's packs, so that the next push finds its bases here. Only for a push that was delivered
   * whole: what was refused must not come back as an old object.
   * @param commits of its packs those that the next push probably builds on
   */
  adopt(quarantine: { readonly gitDir: string }, commits: readonly string[]): Promise<void>;
  /** Something in it did not read well: it is emptied as soon as nobody uses it. */
  distrust(): void;
  /** Empties it now, unless another push uses it too. @returns whether it did */
  reset(): Promise<boolean>;
  release(): Promise<void>;
}

/** With more packs than this every look-up costs; emptying is cheaper than repacking, the next push fetches one commit. */
const MAX_PACKS = 64;
const MAX_SEEN_COMMITS = 10_000;
/** No sweep of the disk more often than this. */
const SWEEP_MS = 60_000;

interface Entry {
  readonly directory: string;
  leases: number;
  isDistrusted: boolean;
  /** Commits that were seen here. Deleted behind our back they are fetched when reading misses them. */
  readonly commits: Set<string>;
}

export function createRepositoryCache(options: RepositoryCacheOptions): RepositoryCache {
  const entries = new Map<string, Entry>();
  const lock = new KeyedLock();
  const now = options.now ?? Date.now;
  let sweptAt = now();

  const discard = async (directory: string): Promise<void> => {
    const trash = path.join(options.root, `trash-${process.pid}-${Date.now()}-${path.basename(directory)}`);
    // Renamed first: a directory that is half deleted must not be found by the next push.
    await rename(directory, trash).catch(() => {});
    await rm(trash, { recursive: true, force: true, maxRetries: 3 });
  };

  const sweep = async (): Promise<void> => {
    if (now() - sweptAt < SWEEP_MS) return;
    sweptAt = now();
    const found = [];
    for (const name of await readdir(options.root).catch(() => [])) {
      const directory = path.join(options.root, name);
      const usedAt = (await stat(directory).catch(() => null))?.mtimeMs ?? 0;
      found.push({ name, directory, usedAt, bytes: await sizeOf(directory) });
    }
    let bytes = found.reduce((sum, repository) => sum + repository.bytes, 0);
    for (const repository of found.sort((a, b) => a.usedAt - b.usedAt)) {
      if (bytes <= options.maxBytes) return;
      if ((entries.get(repository.name)?.leases ?? 0) > 0) continue;
      entries.delete(repository.name);
      await lock.run(repository.name, () => discard(repository.directory));
      bytes -= repository.bytes;
    }
  };

  const open: RepositoryCache["open"] = async (identity, objectFormat, upstream) => {
    const key = createHash("sha256").update(`${objectFormat}\0${upstream.url}\0${identity}`).digest("hex").slice(0, 40);
    const entry = entries.get(key) ?? {
      directory: path.join(options.root, key),
      leases: 0,
      isDistrusted: false,
      commits: new Set<string>(),
    };
    entries.set(key, entry);
    entry.leases += 1;
    const gitDir = path.join(entry.directory, "objects.git");
    // Of its own: a first fetch of a long history must not keep other pushes waiting.
    const historyKey = `${key}/history`;
    const history = new UpstreamHistory({
      git: options.git,
      gitDir: path.join(entry.directory, "history.git"),
      objectFormat,
      upstream,
      timeoutMs: options.fetchTimeoutMs,
    });
    const prepare = async (): Promise<void> => {
      await access(path.join(gitDir, "HEAD")).catch(async () => {
        await rm(gitDir, { recursive: true, force: true });
        await createBareRepository(gitDir, objectFormat, null);
      });
    };
    const reset = (): Promise<boolean> =>
      lock.run(key, async () => {
        entry.isDistrusted = entry.leases > 1;
        if (entry.isDistrusted) return false;
        entry.commits.clear();
        history.forget();
        await discard(entry.directory);
        await prepare();
        return true;
      });
    const context = (signal: AbortSignal | undefined) => ({
      git: options.git,
      gitDir,
      timeoutMs: options.fetchTimeoutMs,
      signal,
    });
    const ensureCommits: CachedRepository["ensureCommits"] = async (oids, signal) => {
      const unseen = new Set(oids.filter((oid) => !entry.commits.has(oid)));
      if (unseen.size === 0) return;
      await lock.run(key, async () => {
        await prepare();
        // Another push may have brought them while this one waited for its turn.
        for (const oid of unseen) if (entry.commits.has(oid)) unseen.delete(oid);
        if (unseen.size === 0) return;
        const missing = await findMissing(context(signal), unseen);
        if (missing.length > 0) {
          await fetchFromUpstream({ ...context(signal), upstream, filter: "blob:none", refspecs: missing, depth: 1 });
        }
        noteCommits(unseen);
      });
    };
    const noteCommits = (oids: Iterable<string>): void => {
      if (entry.commits.size > MAX_SEEN_COMMITS) entry.commits.clear();
      for (const oid of oids) entry.commits.add(oid);
    };
    const fetchBases: CachedRepository["fetchBases"] = async (names, boundary, signal) => {
      if (names.length === 0) return;
      await lock.run(key, async () => {
        await prepare();
        await fetchOldBases({ ...context(signal), upstream }, names, boundary);
      });
    };
    const fetchBlobs: CachedRepository["fetchBlobs"] = async (oids, signal) => {
      if (oids.length === 0) return;
      await lock.run(key, async () => {
        await prepare();
        await fetchFromUpstream({ ...context(signal), upstream, filter: "blob:none", refspecs: oids });
      });
    };

    try {
      await lock.run(key, async () => {
        await prepare();
        await utimes(entry.directory, new Date(), new Date());
      });
    } catch (cause) {
      entry.leases -= 1;
      throw new GatewayError("storage_failed", "the gateway could not make room for old objects on its disk", {
        cause,
      });
    }

    let isReleased = false;
    return {
      objectsDirectory: path.join(gitDir, "objects"),
      promisorConfig: promisorConfig(upstream, "blob:none"),
      ensureCommits,
      fetchBases,
      fetchBlobs,
      findReachable: (oids, tips, signal) => lock.run(historyKey, () => history.findReachable(oids, tips, signal)),
      listRange: (starts, old, options) => lock.run(historyKey, () => history.listRange(starts, old, options)),
      findAncestors: (oids, descendant, tips, signal) =>
        lock.run(historyKey, () => history.findAncestors(oids, descendant, tips, signal)),
      findDescendants: (oids, ancestor, tips, signal) =>
        lock.run(historyKey, () => history.findDescendants(oids, ancestor, tips, signal)),
      adopt: (quarantine, commits) =>
        lock.run(key, async () => {
          await prepare();
          await adoptPacks(path.join(quarantine.gitDir, "objects", "pack"), path.join(gitDir, "objects", "pack"));
          noteCommits(commits);
        }),
      distrust: () => {
        entry.isDistrusted = true;
      },
      reset,
      release: async () => {
        if (isReleased) return;
        isReleased = true;
        entry.leases -= 1;
        if (entry.leases > 0) return;
        const packs = await readdir(path.join(gitDir, "objects", "pack")).catch(() => []);
        const count = packs.filter((name) => name.endsWith(".pack")).length;
        if (entry.isDistrusted || count > MAX_PACKS) {
          await lock.run(key, async () => {
            if (entry.leases > 0) return;
            entry.isDistrusted = false;
            entry.commits.clear();
            // The history stays: it costs more to fetch, and it has few packs.
            await discard(gitDir);
          });
        }
        await sweep();
      },
    };
  };
  return { open };
}

async function adoptPacks(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const names = await readdir(from);
  for (const name of names.filter((name) => name.endsWith(".pack"))) {
    const base = name.slice(0, -".pack".length);
    // Promised: nothing in the cache may insist on the objects that these refer to. The index comes last, it makes the rest visible.
    await writeFile(path.join(to, `${base}.promisor`), "");
    await linkOrCopy(path.join(from, name), path.join(to, name));
    await linkOrCopy(path.join(from, `${base}.idx`), path.join(to, `${base}.idx`));
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    const partial = `${to}.partial`;
    await copyFile(from, partial);
    await rename(partial, to);
  }
}

async function sizeOf(directory: string): Promise<number> {
  let bytes = 0;
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  for (const name of names) bytes += (await stat(path.join(directory, name)).catch(() => null))?.size ?? 0;
  return bytes;
}
