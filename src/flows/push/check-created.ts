import type { GitUpstream } from "../../git/upstream.ts";
import type { PushRequest } from "../../git/push-exchange.ts";
import { isZeroOid } from "../../model/ref-update.ts";
import { insertEvent } from "../../store/events.ts";
import { hasRulesForRefs } from "./check-dangling.ts";
import type { PushDependencies, PushPart } from "./dependencies.ts";

/**
 * Whether a ref that was made has made another one: a symbolic ref at the upstream whose target was missing. `check-dangling.ts` finds
 * those of a git before; at another upstream, or where one comes about meanwhile, it is told to the operator, and in the record.
 */
export async function checkCreated(
  deps: PushDependencies,
  request: PushRequest,
  delivered: readonly PushPart[],
): Promise<void> {
  if (!hasRulesForRefs(deps.policies, request.repository)) return;
  const created = delivered
    .flatMap(({ head }) => head.updates)
    .filter(({ oldOid, newOid }) => isZeroOid(oldOid) && !isZeroOid(newOid))
    .map(({ ref }) => ref);
  if (created.length === 0) return;
  const { repository } = request;
  try {
    const symrefs = await askSymrefs(deps.upstream(request.connection.name), request, created);
    for (const ref of created) {
      const target = symrefs.get(ref);
      if (target === undefined) continue;
      deps.log.error(
        { repository, ref, target },
        "a push has moved another ref than it named: the upstream has a symbolic ref whose target was missing; look at the target",
      );
      await insertEvent(deps.db, {
        kind: "push.moved_another_ref",
        principalId: request.principal.id,
        repository: deps.scanner.maskName(repository),
        subject: delivered[0]?.id ?? null,
        data: { ref: deps.scanner.maskName(ref), target: deps.scanner.maskName(target) },
      });
    }
  } catch (error) {
    deps.log.warn({ repository, error }, "the upstream could not be asked whether the refs of a push are symbolic");
  }
}

const askSymrefs = async (
  upstream: GitUpstream,
  request: PushRequest,
  refs: readonly string[],
): Promise<ReadonlyMap<string, string>> =>
  // Without the client's signal: it has its answer, and may be gone.
  (await upstream.symrefs(request.upstreamPath, refs, { clientHeaders: request.clientHeaders })) ?? new Map();
