/**
 * The objects that were refused lately, and why. git-lfs shows no text of a refused upload, takes it for an expired address and
 * tries again, eight times; but before each try it asks for the address anew, and what is refused there it shows, at once.
 * A convenience of one gateway: another one looks the object through again and refuses it as well.
 */
export interface LfsRefusals {
  add(repository: string, oid: string, refusal: LfsRefusal): void;
  find(repository: string, oid: string): LfsRefusal | null;
  /** Somebody has accepted what it was refused for: it is looked through again. */
  forget(repository: string, oid: string): void;
}

export interface LfsRefusal {
  readonly message: string;
  /** Of the secrets that it was refused for. */
  readonly fingerprints: readonly string[];
}

const KEPT = 1_000;

export function createLfsRefusals(): LfsRefusals {
  const refusals = new Map<string, LfsRefusal>();
  const keyOf = (repository: string, oid: string): string => `${oid} ${repository}`;
  return {
    add: (repository, oid, refusal) => {
      refusals.delete(keyOf(repository, oid));
      const [oldest] = refusals.keys();
      if (refusals.size >= KEPT && oldest !== undefined) refusals.delete(oldest);
      refusals.set(keyOf(repository, oid), refusal);
    },
    find: (repository, oid) => refusals.get(keyOf(repository, oid)) ?? null,
    forget: (repository, oid) => void refusals.delete(keyOf(repository, oid)),
  };
}
