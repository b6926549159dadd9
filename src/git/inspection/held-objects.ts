import { createHash } from "node:crypto";
import { GatewayError } from "../../errors.ts";
import type { PackObjects } from "../pack-objects.ts";
import type { ObjectFormat } from "../push-command.ts";
import { ByteCache } from "./byte-cache.ts";
import type { BlobDigest } from "./blob-digest.ts";
import { applyDelta } from "./delta.ts";
import { TYPE_NAMES } from "./pack-entries.ts";

/** Objects up to this size are read whole; larger ones as they come. */
export const WHOLE_BYTES = 4 * 1024 * 1024;
/** What unpacking one object may write on the way, down a chain of deltas: it is done in one go. */
const MAX_CHAIN_BYTES = 8 * 1024 * 1024;
const RESOLVED_BYTES = 12 * 1024 * 1024;

const forged = (oid: string): GatewayError =>
  new GatewayError("pack_invalid", `object ${oid} of the pack is not what its name says; push again`);

/**
 * The objects of a pack out of memory, as far as they were kept while it came in. Each is checked against its id before it
 * is read for the first time: what is inspected is what the id names, whoever has unpacked it.
 */
export class HeldObjects {
  readonly #pack: PackObjects;
  readonly #format: ObjectFormat;
  readonly #resolved = new ByteCache<number>(RESOLVED_BYTES);
  readonly #isChecked: Uint8Array;

  constructor(pack: PackObjects, format: ObjectFormat) {
    this.#pack = pack;
    this.#format = format;
    this.#isChecked = new Uint8Array(pack.entries.count);
  }

  /** @returns null when it is not in memory. @throws GatewayError `pack_invalid` */
  get(oid: string): Buffer | null {
    const entry = this.#pack.entry(oid);
    if (entry === -1) return null;
    const content = this.#resolve(entry);
    if (content === null || this.#isChecked[entry] === 1) return content;
    const type = TYPE_NAMES[this.#pack.entries.type(entry)] ?? "";
    const hash = createHash(this.#format).update(`${type} ${content.length}\0`).update(content);
    if (hash.digest("hex") !== oid) throw forged(oid);
    this.#isChecked[entry] = 1;
    return content;
  }

  /** What was found in a large file while it came in. @throws GatewayError `pack_invalid` */
  digest(oid: string): BlobDigest | null {
    const entry = this.#pack.entry(oid);
    const digest = entry === -1 ? null : this.#pack.entries.digest(entry);
    if (digest !== null && digest.oid !== oid) throw forged(oid);
    return digest;
  }

  #resolve(entry: number): Buffer | null {
    const { entries } = this.#pack;
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
