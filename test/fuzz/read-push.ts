/** A push read as the gateway reads it: the stable entry points of `src/git`, nothing of HTTP or policy. */
import { readAdditions, type Addition } from "../../src/git/additions.ts";
import { createByteReader } from "../../src/git/byte-reader.ts";
import { readChanges, readNewCommits, readNewTags } from "../../src/git/commits.ts";
import { findForced, readRefDiff } from "../../src/git/diff.ts";
import { defaultPushLimits } from "../../src/git/limits.ts";
import { readNewObjects } from "../../src/git/new-objects.ts";
import type { Git } from "../../src/git/process.ts";
import { openQuarantine } from "../../src/git/quarantine.ts";
import { parsePushRequest, type PushRequestHead } from "../../src/git/receive-pack.ts";
import type { RepositoryCache } from "../../src/git/repository-cache.ts";
import { isZeroOid } from "../../src/model/ref-update.ts";
import { chunksOf, type CorpusRepository } from "./corpus.ts";

export interface PushReading {
  readonly head: PushRequestHead;
  readonly commits: readonly string[];
  /** Commit → the paths that it touches. */
  readonly paths: ReadonlyMap<string, ReadonlySet<string>>;
  readonly additions: readonly Addition[];
  /** Everything that would be searched for secrets. */
  readonly texts: readonly string[];
}

/** How far a push has got, for the statistics. */
export type Stage = "head" | "pack" | "objects" | "read";

export interface ReadOptions {
  readonly git: Git;
  readonly cache: RepositoryCache;
  readonly quarantineRoot: string;
  readonly upstreamUrl: string;
  readonly limits?: Partial<typeof defaultPushLimits>;
  readonly onStage: (stage: Stage) => void;
}

/** @throws GatewayError, or else something is broken */
export async function readMutatedPush(
  repository: CorpusRepository,
  chunks: readonly Buffer[],
  { git, cache: caches, quarantineRoot, upstreamUrl, limits, onStage }: ReadOptions,
): Promise<PushReading> {
  const reader = createByteReader(chunksOf(chunks));
  const head = await parsePushRequest(reader);
  onStage("head");
  const cache = await caches.open(`c/${repository.name}`, head.objectFormat, {
    url: `${upstreamUrl}${repository.name}.git`,
    headers: [],
  });
  try {
    const quarantine = await openQuarantine({
      git,
      root: quarantineRoot,
      objectFormat: head.objectFormat,
      limits: { ...defaultPushLimits, gitTimeoutMs: 20_000, ...limits },
      cache,
    });
    try {
      await quarantine.receive({
        pack: reader.rest(),
        sink: { write: async () => {} },
        bases: head.updates.map(({ oldOid }) => oldOid).filter((oid) => !isZeroOid(oid)),
      });
      onStage("pack");
      const objects = await readNewObjects(quarantine, { updates: head.updates, tips: repository.tips });
      onStage("objects");
      const texts: string[] = [...head.pushOptions, ...head.updates.map(({ ref }) => ref)];
      const commits: string[] = [];
      for await (const commit of readNewCommits(objects)) {
        commits.push(commit.facts.oid);
        texts.push(...commit.texts.map(({ text }) => text));
      }
      for await (const tag of readNewTags(objects)) texts.push(...tag.texts.map(({ text }) => text));
      const paths = new Map<string, Set<string>>();
      for await (const change of readChanges(objects)) {
        if (change.kind !== "delete") texts.push(change.path);
        const ofCommit = paths.get(change.commit) ?? new Set<string>();
        paths.set(change.commit, ofCommit.add(change.path));
      }
      const additions: Addition[] = [];
      for await (const addition of readAdditions(objects)) {
        additions.push(addition);
        texts.push(addition.text);
      }
      // What policy and the approver are told must not fall over either.
      await findForced(objects, head.updates);
      for (const update of head.updates) await readRefDiff(objects, update, 64 * 1024);
      onStage("read");
      return { head, commits, paths, additions, texts };
    } finally {
      await quarantine.remove();
    }
  } finally {
    await cache.release();
  }
}
