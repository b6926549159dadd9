import { GatewayError } from "../../errors.ts";
import type { Advertisement } from "../../git/advertisement.ts";
import type { PushRequest } from "../../git/push-exchange.ts";
import type { GitUpstream } from "../../git/upstream.ts";
import type { Logger } from "../../model/log.ts";
import { isZeroOid } from "../../model/ref-update.ts";

/**
 * Refuses updates of symbolic refs: `refs/heads/alias` that stands for `main` moves `main`, past every rule that names `main`.
 * A symbolic ref always shows the id of the one that it stands for: only where two refs share an id is the upstream asked. One
 * that knows no protocol version 2 tells of no symbolic ref but HEAD: then whatever could be one is refused. Deleting what one
 * stands for is refused as well: no protocol tells of a symbolic ref whose target is missing.
 * @throws GatewayError `forbidden`; those of asking
 */
export async function checkAliases(
  deps: { readonly upstream: GitUpstream; readonly log: Logger },
  request: PushRequest,
  { refs }: Advertisement,
): Promise<void> {
  const count = new Map<string, number>();
  for (const [name, oid] of refs) if (name.startsWith("refs/")) count.set(oid, (count.get(oid) ?? 0) + 1);
  // Whatever id the command says that the ref has: an upstream deletes it all the same where it does not know that id, and zeros are none.
  const shared = request.head.updates.filter(({ ref }) => (count.get(refs.get(ref) ?? "") ?? 0) > 1);
  const suspects = shared.map(({ ref }) => ref);
  if (suspects.length === 0) return;
  const deleted = new Map(shared.flatMap(({ ref, newOid }) => (isZeroOid(newOid) ? [[refs.get(ref), ref]] : [])));
  const twins = [...refs].filter(([name, oid]) => name.startsWith("refs/") && deleted.has(oid)).map(([name]) => name);
  const symrefs = await deps.upstream.symrefs(request.upstreamPath, [...new Set([...suspects, ...twins])], {
    clientHeaders: request.clientHeaders,
    signal: request.signal,
  });
  if (symrefs === null) {
    deps.log.warn({ repository: request.repository }, "the upstream does not tell which of its refs are symbolic");
    const [ref = ""] = suspects;
    const twin = [...refs].find(
      ([name, oid]) => name !== ref && name.startsWith("refs/") && oid === refs.get(ref),
    )?.[0];
    throw new GatewayError(
      "forbidden",
      `${ref} stands where ${twin ?? "another ref"} does, and the upstream does not tell whether it is another name for it ` +
        "(its web server has to pass the Git-Protocol header on): push to a new branch, or ask the gateway's operator",
    );
  }
  for (const ref of suspects) {
    const target = symrefs.get(ref);
    if (target === undefined) continue;
    throw new GatewayError("forbidden", `${ref} stands for ${target} at the upstream: push to ${target} instead`);
  }
  // What stands for nothing is in no list of refs: who makes it makes its target, and no rule for the target would be asked.
  for (const { ref, newOid } of shared) {
    if (!isZeroOid(newOid)) continue;
    const alias = [...symrefs].find(([, target]) => target === ref)?.[0];
    if (alias === undefined) continue;
    throw new GatewayError(
      "forbidden",
      `${alias} stands for ${ref} at the upstream, and would make it anew: it has to be taken away there first, by the ` +
        "upstream's operator (git symbolic-ref --delete)",
    );
  }
}
