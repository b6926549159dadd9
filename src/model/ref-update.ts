/** One command of a push: move `ref` from `oldOid` to `newOid` (gitprotocol-pack, "Reference Update Request"). */
export interface RefUpdate {
  /** The full name, e.g. `refs/heads/main`. */
  readonly ref: string;
  /** Hex, 40 (sha1) or 64 (sha256) digits; all zeros when the ref is created. */
  readonly oldOid: string;
  /** Hex, 40 or 64 digits; all zeros when the ref is deleted. */
  readonly newOid: string;
}

export type RefUpdateKind = "create" | "update" | "delete";

export const isZeroOid = (oid: string): boolean => /^0+$/.test(oid);

export function refUpdateKind(update: RefUpdate): RefUpdateKind {
  if (isZeroOid(update.newOid)) return "delete";
  return isZeroOid(update.oldOid) ? "create" : "update";
}
