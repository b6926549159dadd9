import { createHash } from "node:crypto";
import { GatewayError } from "../../errors.ts";
import type { PackObjects } from "../pack-objects.ts";
import type { ObjectFormat } from "../push-command.ts";
import type { BlobDigest } from "./blob-digest.ts";
import { TYPE_NAMES } from "./pack-entries.ts";

const forged = (oid: string): GatewayError =>
  new GatewayError("pack_invalid", `object ${oid} of the pack is not what its name says; push again`);

/**
 * The objects of a pack out of memory, as far as they were kept while it came in. Each is checked against its id before it
 * is read for the first time: what is inspected is what the id names, whoever has unpacked it.
 */
export class HeldObjects {
  readonly #pack: PackObjects;
  readonly #format: ObjectFormat;
  readonly #isChecked: Uint8Array;

  constructor(pack: PackObjects, format: ObjectFormat) {
    this.#pack = pack;
    this.#format = format;
    this.#isChecked = new Uint8Array(pack.entries.count);
    // Then the ids were made of the contents.
    if (pack.isNamedByContent) this.#isChecked.fill(1);
  }

  /** @returns null when it is not in memory. @throws GatewayError `pack_invalid` */
  get(oid: string): Buffer | null {
    const entry = this.#pack.entry(oid);
    if (entry === -1) return null;
    const content = this.#pack.unpacked.content(entry);
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
}
