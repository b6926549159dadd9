import { GatewayError } from "../../errors.ts";
import type { GitUpstream } from "../../git/upstream.ts";
import type { ClientHeaders } from "../../git/upstream-headers.ts";
import type { Logger } from "../../model/log.ts";
import { isZeroOid, type RefUpdate } from "../../model/ref-update.ts";
import { policyFor } from "../../policy/match.ts";
import type { PushPolicy } from "../../policy/schema.ts";

/** Whether rules of the repository go by a ref's name: then it counts by how many names a ref can be reached. */
export function hasRulesForRefs(policies: readonly PushPolicy[], repository: string): boolean {
  const { protect, pushers, paths } = policyFor(policies, repository);
  return protect.length + pushers.length > 0 || paths.some(({ refs }) => refs !== null);
}

export interface DanglingCheck {
  readonly upstream: GitUpstream;
  readonly upstreamPath: string;
  readonly updates: readonly RefUpdate[];
  /** A commit that the upstream has, where one is known. */
  readonly known?: string | undefined;
  readonly clientHeaders?: ClientHeaders | undefined;
  readonly log: Logger;
}

/**
 * Refuses to make a ref that stands, upstream, for another one that is missing: that one would be made, past every rule for it. The
 * last question before a push is delivered, since the ref's name may be a secret until then. An upstream that is not git, or that
 * does not answer, is found out afterwards (`check-created.ts`).
 * @throws GatewayError `forbidden`
 */
export async function checkDangling(check: DanglingCheck): Promise<void> {
  const { upstream, upstreamPath, updates, clientHeaders, log } = check;
  const created = updates.filter(({ oldOid, newOid }) => isZeroOid(oldOid) && !isZeroOid(newOid)).map(({ ref }) => ref);
  if (created.length === 0) return;
  const options = clientHeaders === undefined ? {} : { clientHeaders };
  let targets: ReadonlyMap<string, string>;
  try {
    const known = check.known ?? branchOf((await upstream.advertise(upstreamPath, "git-receive-pack", options)).refs);
    // An empty repository has nothing to ask with, and no rule of it has let anything through by another name so far.
    if (known === undefined) return;
    targets = await upstream.danglingTargets(upstreamPath, created, known, options);
  } catch (error) {
    log.warn({ error }, "the upstream could not be asked whether refs that are made stand for others");
    return;
  }
  for (const [ref, target] of targets) {
    throw new GatewayError(
      "forbidden",
      `${ref} stands for ${target} at the upstream, which is missing: push to ${target}`,
    );
  }
}

/** git lets a branch be nothing but a commit. */
export const branchOf = (refs: ReadonlyMap<string, string>): string | undefined =>
  [...refs].find(([ref]) => ref.startsWith("refs/heads/"))?.[1];
