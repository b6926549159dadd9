import { GatewayError } from "../../errors.ts";
import { isZeroOid, type RefUpdate } from "../../model/ref-update.ts";

const state = (oid: string): string => (isZeroOid(oid) ? "absent" : `at ${oid.slice(0, 10)}`);

/**
 * A hold is for one move of each ref, from where it is. From elsewhere it could never be delivered, or worse: an upstream that
 * does not know the old id of a deletion deletes all the same (receive-pack, "Allowing deletion of corrupt ref").
 * @param refs what the upstream has
 * @throws GatewayError `conflict`
 */
export function checkStale(updates: readonly RefUpdate[], refs: ReadonlyMap<string, string>): void {
  for (const { ref, oldOid } of updates) {
    const current = refs.get(ref) ?? "0".repeat(oldOid.length);
    if (current === oldOid) continue;
    throw new GatewayError(
      "conflict",
      `stale info: ${ref} is ${state(current)} upstream, not ${state(oldOid)} as this push says; fetch first, then push again`,
    );
  }
}
