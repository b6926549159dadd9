/**
 * The objects that were refused lately, and why. git-lfs shows no text of a refused upload, takes it for an expired address and
 * tries again, eight times; but before each try it asks for the address anew, and what is refused there it shows, at once.
 * A convenience of one gateway: another one looks the object through again and refuses it as well.
 */
export interface LfsRefusals {
  add(repository: string, oid: string, message: string): void;
  find(repository: string, oid: string): string | null;
}

const KEPT = 1_000;

export function createLfsRefusals(): LfsRefusals {
  const refusals = new Map<string, string>();
  const keyOf = (repository: string, oid: string): string => `${oid} ${repository}`;
  return {
    add: (repository, oid, message) => {
      refusals.delete(keyOf(repository, oid));
      const [oldest] = refusals.keys();
      if (refusals.size >= KEPT && oldest !== undefined) refusals.delete(oldest);
      refusals.set(keyOf(repository, oid), message);
    },
    find: (repository, oid) => refusals.get(keyOf(repository, oid)) ?? null,
  };
}
