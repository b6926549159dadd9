/**
 * The old objects that deltas of a push build on.
 *
 * A delta may name its base by an id, and nothing says whether that is an object of the upstream or one that another delta of the
 * same pack makes; and a server that is asked for a single id that it does not know hands out none of the others.
 */
import { GatewayError } from "../errors.ts";
import { findMissing, readCommand, type ReadContext } from "./cat-file.ts";
import { splitRecords } from "./git-output.ts";
import { fetchFromUpstream, unknownTo, type UpstreamRepository } from "./upstream-fetch.ts";

interface BasesContext extends ReadContext {
  readonly upstream: UpstreamRepository;
}

/** Ids that are left out one by one, each after the upstream has said that it does not know it. */
const MAX_GUESSES = 16;

/**
 * Brings those of `names` that are old. As git packs, all are: they are asked for together. Otherwise those that stand in the
 * directories of the commits below the push; git takes bases from nowhere else. At last, what the upstream knows by trying.
 * @throws GatewayError as `fetchFromUpstream`, but not for ids that the upstream does not know
 */
export async function fetchOldBases(
  context: BasesContext,
  names: readonly string[],
  boundary: () => readonly string[],
): Promise<void> {
  const missing = await findMissing(context, new Set(names));
  if (missing.length === 0 || (await fetchKnown(context, missing, 1))) return;
  const commits = boundary();
  await fetchKnown(context, await findMissing(context, new Set(commits)), MAX_GUESSES);
  const old = await listBelow(context, await present(context, commits), new Set(missing));
  if (old.length > 0) await fetchKnown(context, old, 1);
  else await fetchKnown(context, missing, MAX_GUESSES);
}

/** @returns false where the upstream does not know one of them, as often as that was tried */
async function fetchKnown(context: BasesContext, oids: readonly string[], tries: number): Promise<boolean> {
  let wanted = oids;
  for (let left = tries; wanted.length > 0; left--) {
    if (left === 0) return false;
    try {
      await fetchFromUpstream({ ...context, filter: "blob:none", refspecs: wanted, depth: 1 });
      return true;
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== "inspection_failed") throw error;
      const unknown = unknownTo(error);
      if (unknown === null || !wanted.includes(unknown)) return false;
      wanted = wanted.filter((oid) => oid !== unknown);
    }
  }
  return true;
}

async function present(context: ReadContext, oids: readonly string[]): Promise<readonly string[]> {
  const missing = new Set(await findMissing(context, new Set(oids)));
  return oids.filter((oid) => !missing.has(oid));
}

/** Which of `wanted` stand in the directories of these commits, whether they are here or not. */
async function listBelow(
  context: ReadContext,
  commits: readonly string[],
  wanted: ReadonlySet<string>,
): Promise<readonly string[]> {
  if (commits.length === 0) return [];
  const command = readCommand(context, [
    "rev-list",
    "--objects",
    "--no-object-names",
    "--no-walk",
    "--missing=print",
    "--stdin",
  ]);
  const found = new Set<string>();
  const input = commits.map((oid) => `${oid}\n`);
  for await (const records of splitRecords(context.git.stream({ ...command, input }), 0x0a)) {
    for (const record of records) {
      const oid = record.toString("latin1").replace("?", "");
      if (wanted.has(oid)) found.add(oid);
    }
  }
  return [...found];
}
