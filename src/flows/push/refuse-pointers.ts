import type { PushFacts, RefFacts } from "../../model/push-facts.ts";
import { escapeLine } from "../../model/printable.ts";
import type { RefVerdict, Verdict } from "../../model/verdict.ts";
import type { PushedPointer } from "./check-pointers.ts";

/**
 * Refuses the refs that bring pointers whose object nobody has looked at. One that stands at no ref counts against all of them.
 * @param unseen from `checkPointers`
 */
export function refusePointers(verdict: Verdict, facts: PushFacts, unseen: readonly PushedPointer[]): Verdict {
  if (unseen.length === 0) return verdict;
  const brings = (ref: RefFacts): readonly PushedPointer[] => {
    const files = new Set(ref.files.map(({ oid, path }) => `${oid} ${path}`));
    return unseen.filter(({ commit, path }) => files.has(`${commit} ${path}`));
  };
  const byRef = new Map(facts.refs.map((ref) => [ref.update.ref, brings(ref)]));
  const homed = new Set([...byRef.values()].flat());
  const homeless = unseen.filter((pointer) => !homed.has(pointer));
  const refs = verdict.refs.map((ref): RefVerdict => {
    const [first, ...others] = [...(byRef.get(ref.update.ref) ?? []), ...homeless];
    if (first === undefined) return ref;
    const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
    const reason =
      `${escapeLine(first.path)}${more} is a Git LFS pointer whose object did not pass this gateway: ` +
      "run git lfs push --all, and see that .lfsconfig names no other server";
    const before = ref.opinion.kind === "reject" ? `${ref.opinion.reason}; ` : "";
    return { ...ref, opinion: { kind: "reject", reason: before + reason } };
  });
  const isHeld = refs.some(({ opinion }) => opinion.kind === "hold");
  return { kind: "reject", refs, holds: isHeld ? verdict.holds : [] };
}
