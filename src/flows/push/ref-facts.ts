/**
 * What each ref of a push brings. Refs share commits, and there may be a thousand of either: which ref reaches what is one bit
 * each, and lists are made when somebody asks for them.
 */
import type { Advertisement } from "../../git/advertisement.ts";
import { baseOf, isForced } from "../../git/diff.ts";
import type { NewObjects } from "../../git/new-objects.ts";
import { pathText } from "../../git/object-text.ts";
import { DIRECTORY } from "../../git/inspection/tree.ts";
import { peel } from "../../git/ref-range.ts";
import type { CommitFacts, NewFile, RefFacts } from "../../model/push-facts.ts";
import { isZeroOid, refUpdateKind, type RefUpdate } from "../../model/ref-update.ts";
import type { Found } from "./findings.ts";
import type { NewFiles } from "./new-files.ts";

export interface RefFactsOptions {
  readonly objects: NewObjects;
  readonly updates: readonly RefUpdate[];
  readonly advertised: Advertisement;
  /** New ones, and those that refs move over. */
  readonly commits: ReadonlyMap<string, CommitFacts>;
  readonly files: NewFiles;
  readonly findings: readonly Found[];
}

/** @throws GatewayError `inspection_failed`, `limit_exceeded`, and those of fetching */
export async function readRefFacts(options: RefFactsOptions): Promise<readonly RefFacts[]> {
  const { objects, updates, findings, files } = options;
  const reach = new NewReach(objects);
  const refs: RefFacts[] = [];
  for (const update of updates) {
    const isReached = reach.from(update.newOid);
    const older = objects.olderOf.get(update.ref) ?? [];
    const isOlder = new Set(older);
    const isBrought = (root: string): boolean => isReached(root) || isOlder.has(root);
    refs.push({
      update,
      kind: refUpdateKind(update),
      forced: await isForced(objects, update),
      target: await targetOf(options, update),
      paths: await changedPaths(objects, update),
      findings: findings
        .filter(({ root }) => root === null || root === update.ref || isBrought(root))
        .map(({ finding }) => finding),
      get commits(): readonly CommitFacts[] {
        const oids = [...older, ...objects.commits.filter(isReached)];
        return oids.flatMap((oid) => options.commits.get(oid) ?? []);
      },
      get files(): readonly NewFile[] {
        return files.of(isReached);
      },
    });
  }
  return refs;
}

/** Which new objects a ref reaches: commits, tags, and what refs and tags point at. */
class NewReach {
  readonly #objects: NewObjects;
  /** Commits first, in their order. */
  readonly #places = new Map<string, number>();
  readonly #parents: (readonly number[])[] = [];
  readonly #asked = new Map<string, (root: string) => boolean>();

  constructor(objects: NewObjects) {
    this.#objects = objects;
    for (const oid of objects.commits) this.#places.set(oid, this.#places.size);
    for (const oid of objects.commits) {
      const parents = objects.graph.get(oid)?.parents ?? [];
      this.#parents.push(parents.flatMap((parent) => this.#places.get(parent) ?? []));
    }
    const loose = [...objects.looseBlobs, ...objects.looseNames].map(({ root }) => root);
    for (const oid of [...objects.tags, ...loose]) if (!this.#places.has(oid)) this.#places.set(oid, this.#places.size);
  }

  from(newOid: string): (root: string) => boolean {
    const known = this.#asked.get(newOid);
    if (known !== undefined) return known;
    const bits = new Uint8Array((this.#places.size >> 3) + 1);
    const mark = (place: number): boolean => {
      const byte = bits[place >> 3] ?? 0;
      const bit = 1 << (place & 7);
      if ((byte & bit) !== 0) return false;
      bits[place >> 3] = byte | bit;
      return true;
    };
    let target = newOid;
    for (let at: string | undefined = newOid; at !== undefined; at = this.#objects.tagTargets.get(at)) {
      const place = this.#places.get(at);
      if (place !== undefined) mark(place);
      target = at;
    }
    const stack = [this.#places.get(target) ?? -1];
    for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
      for (const parent of this.#parents[place] ?? []) if (mark(parent)) stack.push(parent);
    }
    const isReached = (root: string): boolean => {
      const place = this.#places.get(root);
      return place !== undefined && ((bits[place >> 3] ?? 0) & (1 << (place & 7))) !== 0;
    };
    this.#asked.set(newOid, isReached);
    return isReached;
  }
}

async function targetOf({ objects, advertised }: RefFactsOptions, { newOid }: RefUpdate): Promise<RefFacts["target"]> {
  if (isZeroOid(newOid)) return null;
  const known = objects.pack.type(newOid);
  if (known !== null) return known;
  // An old object. Most are the tips of branches, and need no look: git lets a branch be nothing but a commit.
  for (const [ref, oid] of advertised.refs) {
    if (oid !== newOid) continue;
    if (ref.startsWith("refs/heads/")) return "commit";
    if (advertised.peeled.has(ref)) return "tag";
  }
  if (objects.boundary.has(newOid) || objects.older.has(newOid)) return "commit";
  await objects.quarantine.cache?.ensureCommits([newOid], objects.context.signal);
  return objects.source.type(newOid);
}

/** Net: what the new tree has otherwise than the old one, and what it has no more. */
async function changedPaths(objects: NewObjects, update: RefUpdate): Promise<readonly string[]> {
  if (isZeroOid(update.newOid) || update.oldOid === update.newOid) return [];
  const base = baseOf(objects, update);
  if (base === undefined) return [];
  const target = peel(update.newOid, objects.tagTargets);
  const outside = [base, target].filter((oid): oid is string => oid !== null && !objects.graph.has(oid));
  await objects.quarantine.cache?.ensureCommits(
    outside.filter((oid) => !objects.pack.has(oid)),
    objects.context.signal,
  );
  const { changes } = objects;
  const to = await changes.treeOf(target);
  if (to === null) return [];
  const differing = await changes.between(base === null ? null : await changes.treeOf(base), to);
  return differing.filter(({ mode }) => mode !== DIRECTORY).map(({ path }) => pathText(path));
}
