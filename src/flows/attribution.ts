/**
 * Linking commits to the Copilot sessions they came from. Off the critical path at both ends: an exchange is indexed when it has ended, a
 * commit is read after its push has been delivered.
 *
 * A link needs the same verified person on both sides: who signed in at the gateway to ask Copilot is who signed in to push. Author names,
 * committer dates and trailers are text that the pusher chose, and count only within that.
 */
import type { MatchInput, MatchResult, SuggestionBlock } from "../attribution/matching.ts";
import { matchCommit } from "../attribution/matching.ts";
import { unpackHashes } from "../attribution/fingerprints.ts";
import { parseSessionTrailers } from "../attribution/trailers.ts";
import { Turns } from "../git/inspection/turns.ts";
import type { AddedHunk } from "../model/added-hunk.ts";
import type { SessionLink } from "../model/attribution.ts";
import type { Logger } from "../model/log.ts";
import {
  claimUnattributed,
  findAddedHunks,
  findHunksOf,
  findOwnSession,
  findSmall,
  insertLinks,
  type CommitLinks,
  type UnattributedCommit,
} from "../store/commit-links.ts";
import type { Database, Transaction } from "../store/database.ts";
import { findSuggestionBlocks } from "../store/suggestions.ts";

export interface AttributionDependencies {
  readonly db: Database;
  /** Keys the fingerprints; the same for every gateway of a database, and over restarts. */
  readonly key: Uint8Array;
  readonly log: Logger;
  readonly now: () => Date;
  /** Runs the matching; default in this thread. It takes a second for 100,000 added lines. */
  readonly match?: (input: MatchInput) => MatchResult | Promise<MatchResult>;
}

export interface AttributionFlow {
  /** Reads the new commits of a delivered push that nobody has read yet. @returns how many */
  attributePush(pushId: string): Promise<number>;
  /** Reads a batch of what waits, the oldest first. @returns how many; 0 when nothing waits */
  attributePending(): Promise<number>;
}

/** How long before the push a suggestion may have been made. */
const WINDOW_MS = 30 * 24 * 60 * 60_000;
/** A trailer is a hint that anybody can write, but into one's own session only; the CLI writes it for certain. */
const TRAILER_CONFIDENCE = 0.99;
const BATCH = 128;
/** Of recorded lines. */
const SMALL_COMMIT_BYTES = 64 * 1024;
/** A commit that could not be read is left alone for this long, so that it does not keep others from being read. */
const RETRY_MS = 10 * 60_000;
interface Failure {
  readonly commit: UnattributedCommit;
  readonly retryAt: number;
}

export function createAttributionFlow(deps: AttributionDependencies): AttributionFlow {
  const match = deps.match ?? matchCommit;
  let failures: readonly Failure[] = [];

  /** What was suggested to the pusher in the window before the push. */
  const findBlocks = async (tx: Transaction, commit: UnattributedCommit): Promise<readonly SuggestionBlock[]> => {
    const { principalId, receivedAt } = commit;
    const since = new Date(receivedAt.getTime() - WINDOW_MS);
    const rows = await findSuggestionBlocks(tx, { principalId, since, until: receivedAt });
    return rows.map((row) => ({
      exchangeId: row.exchangeId,
      ordinal: row.ordinal,
      sessionId: row.sessionId,
      path: row.path,
      suggestedAt: row.suggestedAt.getTime(),
      hashes: unpackHashes(row.lineHashes),
    }));
  };

  const findTrailerLinks = async (tx: Transaction, commit: UnattributedCommit): Promise<readonly SessionLink[]> => {
    const links: SessionLink[] = [];
    for (const clientKey of parseSessionTrailers(commit.message)) {
      const { principalId, receivedAt } = commit;
      const sessionId = await findOwnSession(tx, { principalId, clientKey, until: receivedAt });
      if (sessionId !== null) {
        links.push({ sessionId, reason: "trailer", confidence: TRAILER_CONFIDENCE, exchangeIds: [] });
      }
    }
    return links;
  };

  const link = async (
    tx: Transaction,
    commit: UnattributedCommit,
    hunks: readonly AddedHunk[],
    blocks: readonly SuggestionBlock[],
  ): Promise<CommitLinks> => {
    const trailers = await findTrailerLinks(tx, commit);
    const { lines, sessions, complete } = await match({ hunks, blocks, key: deps.key });
    if (!complete) {
      deps.log.warn({ push: commit.pushId, commit: commit.oid }, "a commit was too large to be matched as a whole");
    }
    const { pushId, oid } = commit;
    return { pushId, oid, sessions: [...trailers, ...sessions], lines, attributedAt: deps.now() };
  };

  /** Commits of one push. Those that add little are read together, and written together. */
  const attribute = async (
    tx: Transaction,
    commits: readonly UnattributedCommit[],
    blocks: readonly SuggestionBlock[],
  ): Promise<void> => {
    const turns = new Turns();
    const pushId = commits[0]?.pushId ?? "";
    const oids = commits.map(({ oid }) => oid);
    const small = await findSmall(tx, pushId, oids, SMALL_COMMIT_BYTES);
    const hunks = await findHunksOf(tx, pushId, [...small]);
    const links: CommitLinks[] = [];
    for (const commit of commits) {
      links.push(await link(tx, commit, hunks.get(commit.oid) ?? (await findAddedHunks(tx, commit)), blocks));
      if (turns.due) await turns.take();
    }
    await insertLinks(tx, links);
  };

  /**
   * One transaction: commits are claimed, read and marked as read together, those of a push behind a savepoint. Where that fails, each
   * behind one of its own: one that cannot be read keeps no other from being read.
   */
  const attributeBatch = async (pushId?: string): Promise<number> => {
    const now = deps.now().getTime();
    failures = failures.filter(({ retryAt }) => retryAt > now);
    const except = failures.map(({ commit }) => commit);
    const failed: Failure[] = [];
    const claimed = await deps.db.transaction(async (tx) => {
      const waiting = await claimUnattributed(tx, BATCH, pushId === undefined ? { except } : { except, pushId });
      for (const commits of byPush(waiting)) {
        const attributeSome = (some: readonly UnattributedCommit[]): Promise<void> =>
          tx.transaction(async (savepoint) => {
            const [first] = some;
            if (first !== undefined) await attribute(savepoint, some, await findBlocks(savepoint, first));
          });
        const all = await attributeSome(commits).then(
          () => null,
          (error: unknown) => ({ error }),
        );
        if (all === null) continue;
        for (const commit of commits) {
          try {
            if (commits.length === 1) throw all.error;
            await attributeSome([commit]);
          } catch (error) {
            deps.log.error(
              { push: commit.pushId, commit: commit.oid, error },
              "a commit could not be linked to its sessions; it will be tried again",
            );
            failed.push({ commit, retryAt: now + RETRY_MS });
          }
        }
      }
      return waiting.length;
    });
    // Only now: where the database itself was away, the transaction has thrown, and no commit is to blame.
    failures = [...failures, ...failed];
    return claimed;
  };

  const attributePush = async (pushId: string): Promise<number> => {
    let total = 0;
    for (let batch = BATCH; batch > 0; total += batch) batch = await attributeBatch(pushId);
    return total;
  };

  return { attributePush, attributePending: () => attributeBatch() };
}

function byPush(commits: readonly UnattributedCommit[]): Iterable<readonly UnattributedCommit[]> {
  const groups = new Map<string, UnattributedCommit[]>();
  for (const commit of commits) {
    const group = groups.get(commit.pushId) ?? [];
    groups.set(commit.pushId, group);
    group.push(commit);
  }
  return groups.values();
}
