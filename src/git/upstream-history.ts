import { access, rm } from "node:fs/promises";
import path from "node:path";
import { createBareRepository } from "./bare-repository.ts";
import { findMissing, listObjects, readCommand, type ReadContext } from "./cat-file.ts";
import { splitRecords } from "./git-output.ts";
import { overLimit } from "./limits.ts";
import type { Git } from "./process.ts";
import type { ObjectFormat } from "./push-command.ts";
import { fetchFromUpstream, type UpstreamRepository } from "./upstream-fetch.ts";

export interface HistoryOptions {
  readonly git: Git;
  readonly gitDir: string;
  readonly objectFormat: ObjectFormat;
  readonly upstream: UpstreamRepository;
  readonly timeoutMs: number;
}

export interface RangeOptions {
  /** Ids of the upstream's advertised refs. */
  readonly tips: readonly string[];
  /** What moves over the range, for the text of an error. */
  readonly ref: string;
  /** Commits. */
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The commits of an upstream without their files, to tell what its refs reach.
 *
 * That an object can be fetched proves nothing: hosts keep the objects of all forks together and hand out any of them by id.
 * So the repository holds only what was fetched by way of an advertised ref, and is never given a promisor when read: a
 * commit that is not here is not reachable.
 */
export class UpstreamHistory {
  readonly #options: HistoryOptions;
  /** The list of tips that are here. */
  #fetched: readonly string[] | null = null;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /**
   * Which of `oids` are commits (or tags of commits) that `tips` reach.
   * @param tips ids of the upstream's advertised refs
   * @throws GatewayError as {@link fetchFromUpstream}
   */
  async findReachable(
    oids: readonly string[],
    tips: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlySet<string>> {
    await this.#fetchTips(tips, signal);
    return this.#reachedBy(tips, oids, signal);
  }

  /** Which of `oids` are ancestors of `descendant`, or the same. All have to be reachable from `tips`. */
  async findAncestors(
    oids: readonly string[],
    descendant: string,
    tips: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlySet<string>> {
    await this.#fetchTips(tips, signal);
    return this.#reachedBy([descendant], oids, signal);
  }

  /** Which of `oids` have `ancestor` below them, as far as both are commits here. @param tips as for {@link findReachable} */
  async findDescendants(
    oids: readonly string[],
    ancestor: string,
    tips: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlySet<string>> {
    await this.#fetchTips(tips, signal);
    const context = this.#context(signal);
    const commitOf = await peelToCommits(context, [...oids, ancestor]);
    const bottom = commitOf.get(ancestor);
    if (bottom === undefined) return new Set();
    // Everything between them, the upper ends with it.
    const between = new Set([bottom]);
    const command = readCommand(context, ["rev-list", "--ancestry-path", "--stdin"]);
    const input = [...new Set(commitOf.values())].map((oid) => `${oid}\n`).concat(`^${bottom}\n`);
    for await (const records of splitRecords(this.#options.git.stream({ ...command, input }), 0x0a)) {
      for (const record of records) between.add(record.toString("latin1"));
    }
    return new Set(oids.filter((oid) => between.has(commitOf.get(oid) ?? "")));
  }

  /** What was fetched may be gone. */
  forget(): void {
    this.#fetched = null;
  }

  /** Which of `oids` are commits (or tags of commits) that one of `starts` reaches. */
  async #reachedBy(
    starts: readonly string[],
    oids: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlySet<string>> {
    const context = this.#context(signal);
    const commitOf = await peelToCommits(context, oids);
    const startCommits = new Set((await peelToCommits(context, starts)).values());
    if (startCommits.size === 0) return new Set();
    // Whatever is printed is reached by `oids` but by no start: what is asked for and not printed is reached by one.
    const unreached = new Set<string>();
    const command = readCommand(context, ["rev-list", "--stdin"]);
    const input = [...new Set(commitOf.values())]
      .map((oid) => `${oid}\n`)
      .concat([...startCommits].map((oid) => `^${oid}\n`));
    for await (const records of splitRecords(this.#options.git.stream({ ...command, input }), 0x0a)) {
      for (const record of records) unreached.add(record.toString("latin1"));
    }
    return new Set(
      oids.filter((oid) => {
        const commit = commitOf.get(oid);
        return commit !== undefined && !unreached.has(commit);
      }),
    );
  }

  /**
   * Commits that `starts` reach and `old` does not, parents before children; all of them have to be reachable from `tips`.
   * None where `old` is not: such an update is not of this upstream, which will say so.
   * @throws GatewayError `limit_exceeded` when there are more than `limit`
   */
  async listRange(starts: readonly string[], old: string, options: RangeOptions): Promise<readonly string[]> {
    const { tips, ref, limit, signal } = options;
    await this.#fetchTips(tips, signal);
    const context = this.#context(signal);
    const commits = await peelToCommits(context, [...starts, old]);
    const oldCommit = commits.get(old);
    if (oldCommit === undefined) return [];
    commits.delete(old);
    const input = [...new Set(commits.values()), `^${oldCommit}`].map((oid) => `${oid}\n`);
    const range: string[] = [];
    const command = readCommand(context, ["rev-list", "--topo-order", "--reverse", "--stdin"]);
    for await (const records of splitRecords(this.#options.git.stream({ ...command, input }), 0x0a)) {
      for (const record of records) range.push(record.toString("latin1"));
      if (range.length > limit) throw overLimit.rangeCommits(ref, range.length, limit);
    }
    return range;
  }

  async #fetchTips(tips: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    // One push asks several times with the same list, which may be of tens of thousands.
    if (this.#fetched === tips) return;
    const { gitDir, objectFormat } = this.#options;
    await access(path.join(gitDir, "HEAD")).catch(async () => {
      await rm(gitDir, { recursive: true, force: true });
      await createBareRepository(gitDir, objectFormat, null);
    });
    const wanted = await findMissing(this.#context(signal), new Set(tips));
    if (wanted.length > 0) await this.#fetch(wanted, signal);
    this.#fetched = tips;
  }

  async #fetch(wanted: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const { git, gitDir, upstream, timeoutMs } = this.#options;
    await fetchFromUpstream({
      git,
      gitDir,
      upstream,
      filter: "tree:0",
      // A ref for each, or the next fetch would not know what is here and begin from nothing.
      refspecs: wanted.map((oid) => `+${oid}:refs/tips/${oid}`),
      timeoutMs,
      signal,
    });
  }

  #context(signal: AbortSignal | undefined): ReadContext {
    const { git, gitDir, timeoutMs } = this.#options;
    return { git, gitDir, timeoutMs, signal };
  }
}

/** Object id → the commit that it is or peels to; without those that do not lead to a commit that is here. */
async function peelToCommits(context: ReadContext, oids: readonly string[]): Promise<Map<string, string>> {
  const commits = new Map<string, string>();
  let index = 0;
  const names = oids.map((oid) => `${oid}^{commit}`);
  for await (const object of listObjects(context, names)) {
    const oid = oids[index++];
    if (object.type === "commit" && oid !== undefined) commits.set(oid, object.oid);
  }
  return commits;
}
