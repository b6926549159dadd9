import { ByteCache } from "./byte-cache.ts";
import { applyDelta } from "./delta.ts";
import type { PackEntries } from "./pack-entries.ts";

/** Objects up to this size are read whole; larger ones as they come. */
export const WHOLE_BYTES = 4 * 1024 * 1024;
/** What unpacking one object may write on the way, down a chain of deltas: it is done in one go. */
const MAX_CHAIN_BYTES = 8 * 1024 * 1024;
const RESOLVED_BYTES = 12 * 1024 * 1024;

/** The objects that the entries of a pack make, as far as these were kept in memory; the last ones made stay there. */
export class UnpackedEntries {
  readonly #entries: PackEntries;
  readonly #resolved = new ByteCache<number>(RESOLVED_BYTES);

  constructor(entries: PackEntries) {
    this.#entries = entries;
  }

  /**
   * @param entry all that it builds on is known
   * @returns null when it cannot be made of what is in memory, or is too large
   * @throws GatewayError `pack_invalid`
   */
  content(entry: number): Buffer | null {
    const entries = this.#entries;
    const chain: { readonly entry: number; readonly delta: Buffer }[] = [];
    let work = 0;
    let content: Buffer | null = null;
    for (let at = entry; ;) {
      const size = entries.size(at);
      work += size;
      if (size > WHOLE_BYTES || work > MAX_CHAIN_BYTES) return null;
      content = this.#resolved.get(at);
      if (content !== null) break;
      content = entries.content(at);
      const base = entries.base(at);
      if (content === null) return null;
      if (base === null) break;
      chain.push({ entry: at, delta: content });
      at = base;
    }
    for (let link = chain.pop(); link !== undefined; link = chain.pop()) {
      content = applyDelta(content, link.delta, WHOLE_BYTES);
      this.#resolved.set(link.entry, content);
    }
    return content;
  }
}
