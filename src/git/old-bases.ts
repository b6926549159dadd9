import type { ObjectReader } from "./cat-file.ts";
import type { OldBase } from "./inspection/name-entries.ts";
import type { CachedRepository } from "./repository-cache.ts";

/** What may be read of old objects that deltas of a small pack build on. */
const MAX_OLD_BYTES = 8 * 1024 * 1024;

export interface OldBasesContext {
  readonly reader: ObjectReader;
  readonly cache: CachedRepository;
  /** The commits that those of the pack stand on. */
  readonly boundary: () => readonly string[];
  readonly signal: AbortSignal | undefined;
}

/**
 * Those of `oids` that are old objects, for deltas of a pack that is unpacked in memory. What the cache has not got is fetched.
 * @returns null where they are too many or too large. @throws GatewayError those of reading and of fetching
 */
export async function readOldBases(
  { reader, cache, boundary, signal }: OldBasesContext,
  oids: readonly string[],
): Promise<readonly OldBase[] | null> {
  const found: OldBase[] = [];
  let room = MAX_OLD_BYTES;
  const read = async (wanted: readonly string[]): Promise<readonly string[] | null> => {
    const missing: string[] = [];
    let answers = 0;
    for await (const object of reader.all(wanted, room)) {
      answers += 1;
      if (object.type === "missing") {
        missing.push(object.name);
        continue;
      }
      room -= object.size;
      found.push({ oid: object.oid, type: object.type, content: Buffer.from(object.content) });
    }
    return answers === wanted.length ? missing : null;
  };
  const missing = await read(oids);
  if (missing === null || missing.length === 0) return missing === null ? null : found;
  await cache.fetchBases(missing, boundary, signal);
  return (await read(missing)) === null ? null : found;
}
