import { isZeroOid, type RefUpdate } from "../../model/ref-update.ts";
import type { Opinion, RefVerdict, Verdict } from "../../model/verdict.ts";

const state = (oid: string): string => (isZeroOid(oid) ? "absent" : `at ${oid.slice(0, 10)}`);

/**
 * A hold is for one move of each ref, from where it is. From elsewhere it could never be delivered, or worse: an upstream that
 * does not know the old id of a deletion deletes all the same (receive-pack, "Allowing deletion of corrupt ref"). What would
 * be held and is stale is refused; of what is allowed, the upstream says so itself.
 * @param refs what the upstream has
 */
export function refuseStale(verdict: Verdict, refs: ReadonlyMap<string, string>): Verdict {
  if (verdict.kind === "allow") return verdict;
  const judged = verdict.refs.map((ref): RefVerdict => {
    const reason = ref.opinion.kind === "hold" ? whyStale(ref.update, refs) : null;
    return reason === null ? ref : { ...ref, opinion: { kind: "reject", reason } };
  });
  const has = (kind: Opinion["kind"]): boolean => judged.some(({ opinion }) => opinion.kind === kind);
  const isHeld = has("hold");
  return {
    kind: has("reject") ? "reject" : isHeld ? "hold" : "allow",
    refs: judged,
    holds: isHeld ? verdict.holds : [],
  };
}

function whyStale({ ref, oldOid }: RefUpdate, refs: ReadonlyMap<string, string>): string | null {
  const current = refs.get(ref) ?? "0".repeat(oldOid.length);
  if (current === oldOid) return null;
  return `stale info: the ref is ${state(current)} upstream, not ${state(oldOid)} as this push says; fetch first, then push again`;
}
