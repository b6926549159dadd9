/**
 * What each ref of a push brings. Refs share commits, and there may be thousands of either: lists are made when somebody asks for
 * them, and what is the same for many refs is asked of the upstream's history, and of trees, once.
 */
import type { Advertisement } from "../../git/advertisement.ts";
import { baseOf, findForced } from "../../git/diff.ts";
import type { NewObjects } from "../../git/new-objects.ts";
import { pathText } from "../../git/object-text.ts";
import { DIRECTORY } from "../../git/inspection/tree.ts";
import { peel } from "../../git/ref-range.ts";
import type { CommitFacts, NewFile, RefFacts } from "../../model/push-facts.ts";
import { isZeroOid, refUpdateKind, type RefUpdate } from "../../model/ref-update.ts";
import type { Found } from "./findings.ts";
import type { NewFiles } from "./new-files.ts";
import { NewReach } from "./new-reach.ts";

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
  const { turns } = objects;
  const reach = new NewReach(objects);
  const forced = await findForced(objects, updates);
  const typeOfOld = typesOfAdvertised(options.advertised);
  const changed = new Map<string, readonly string[]>();
  const refs: RefFacts[] = [];
  for (const update of updates) {
    if (turns.due) await turns.take();
    const isReached = reach.from(update.newOid);
    const older = objects.olderOf.get(update.ref) ?? [];
    const isOlder = new Set(older);
    const isBrought = (root: string): boolean => isOlder.has(root) || isReached(root);
    refs.push({
      update,
      kind: refUpdateKind(update),
      forced: forced.has(update.ref),
      target: await targetOf(objects, update, typeOfOld),
      paths: await changedPaths(objects, update, changed),
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

type Target = RefFacts["target"];

/** What the ids of an upstream's refs are, where its listing tells: git lets a branch be nothing but a commit. */
function typesOfAdvertised({ refs, peeled }: Advertisement): ReadonlyMap<string, Target> {
  const types = new Map<string, Target>();
  for (const [ref, oid] of refs) {
    if (types.has(oid)) continue;
    if (ref.startsWith("refs/heads/")) types.set(oid, "commit");
    else if (peeled.has(ref)) types.set(oid, "tag");
  }
  return types;
}

async function targetOf(
  objects: NewObjects,
  { newOid }: RefUpdate,
  typeOfOld: ReadonlyMap<string, Target>,
): Promise<Target> {
  if (isZeroOid(newOid)) return null;
  const known = objects.pack.type(newOid) ?? typeOfOld.get(newOid);
  if (known !== undefined) return known;
  // An old object that no listing names.
  if (objects.boundary.has(newOid) || objects.older.has(newOid)) return "commit";
  await objects.quarantine.cache?.ensureCommits([newOid], objects.context.signal);
  return objects.source.type(newOid);
}

/**
 * Net: what the new tree has otherwise than the old one, and what it has no more.
 * @param known what was asked before: a thousand refs may make the same move
 */
async function changedPaths(
  objects: NewObjects,
  update: RefUpdate,
  known: Map<string, readonly string[]>,
): Promise<readonly string[]> {
  if (isZeroOid(update.newOid) || update.oldOid === update.newOid) return [];
  const base = baseOf(objects, update);
  if (base === undefined) return [];
  const target = peel(update.newOid, objects.tagTargets);
  const move = `${base} ${target}`;
  const answer = known.get(move) ?? (await pathsBetween(objects, base, target));
  known.set(move, answer);
  return answer;
}

async function pathsBetween(objects: NewObjects, base: string | null, target: string): Promise<readonly string[]> {
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
