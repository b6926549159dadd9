import { readFile } from "node:fs/promises";
import { GatewayError } from "../errors.ts";
import {
  listObjects,
  readObjects,
  type MissingObject,
  type ObjectInfo,
  type ObjectType,
  type ReadContext,
} from "./cat-file.ts";
import { hashBytes } from "./pack-scanner.ts";
import type { ObjectFormat } from "./push-command.ts";

const TYPES: readonly ObjectType[] = ["commit", "tree", "blob", "tag"];
/** Appended by `--fix-thin`: an old object, not one of the push. */
const APPENDED = 255;

/** A pack of no more than this is read whole at once: starting git once more takes longer. */
const SMALL_OBJECTS = 500;
const SMALL_BYTES = 1024 * 1024;

const damaged = (): GatewayError => new GatewayError("inspection_failed", "the index of the pack could not be read");

/**
 * The objects that the client's pack holds, in some 30 bytes each: a million of them must not fill the heap with strings.
 * Read from the pack's index, version 2 (gitformat-pack):
 *
 *     "\377tOc" version(4) fanout(256 × 4) id(count × 20 or 32) crc(count × 4) offset(count × 4) offset64(… × 8) 2 checksums
 */
export class PackObjects {
  readonly #ids: Buffer;
  readonly #idBytes: number;
  readonly #total: number;
  /** Index into {@link TYPES}. */
  readonly #types: Uint8Array;
  readonly #sizes: Float64Array;
  readonly #met: Uint8Array;
  readonly #contents = new Map<string, Buffer>();

  private constructor(ids: Buffer, idBytes: number) {
    this.#ids = ids;
    this.#idBytes = idBytes;
    this.#total = ids.length / idBytes;
    this.#types = new Uint8Array(this.#total);
    this.#sizes = new Float64Array(this.#total);
    this.#met = new Uint8Array(this.#total);
  }

  static none(format: ObjectFormat): PackObjects {
    return new PackObjects(Buffer.alloc(0), hashBytes(format));
  }

  /**
   * @param sent how many objects the client sent, in how many bytes, and how many they are unpacked: what stands behind
   * them is not from the client
   * @throws GatewayError `inspection_failed`, `pack_invalid` for an object that is there twice
   */
  static async read(
    indexFile: string,
    format: ObjectFormat,
    sent: { readonly objects: number; readonly packBytes: number; readonly inflatedBytes: number },
    context: ReadContext,
  ): Promise<PackObjects> {
    const index = await readFile(indexFile);
    if (index.length < 1032 || index.readUInt32BE(0) !== 0xff744f63 || index.readUInt32BE(4) !== 2) throw damaged();
    const total = index.readUInt32BE(8 + 255 * 4);
    const idBytes = hashBytes(format);
    const offsets = 1032 + total * (idBytes + 4);
    if (index.length < offsets + total * 4) throw damaged();
    const objects = new PackObjects(index.subarray(1032, 1032 + total * idBytes), idBytes);
    const end = sent.packBytes - idBytes;
    let count = 0;
    for (let at = 0; at < total; at++) {
      const short = index.readUInt32BE(offsets + at * 4);
      const offset =
        short < 0x80000000 ? short : Number(index.readBigUInt64BE(offsets + total * 4 + (short - 0x80000000) * 8));
      if (offset >= end) objects.#types[at] = APPENDED;
      else count += 1;
      if (at > 0 && objects.oid(at) === objects.oid(at - 1)) {
        throw new GatewayError("pack_invalid", `the pack holds object ${objects.oid(at)} twice; repack and push again`);
      }
    }
    if (count !== sent.objects) throw damaged();
    await objects.#readTypes(context, sent.objects <= SMALL_OBJECTS && sent.inflatedBytes <= SMALL_BYTES);
    return objects;
  }

  oid(at: number): string {
    return this.#ids.toString("hex", at * this.#idBytes, (at + 1) * this.#idBytes);
  }

  has(oid: string): boolean {
    return this.#find(oid) !== -1;
  }

  /** As `has`, and true as well for the old objects that deltas of the pack build on: git has put them into the pack. */
  holds(oid: string): boolean {
    return this.#place(oid) !== -1;
  }

  type(oid: string): ObjectType | null {
    const at = this.#find(oid);
    return at === -1 ? null : (TYPES[this.#types[at] ?? 0] ?? null);
  }

  size(oid: string): number | null {
    const at = this.#find(oid);
    return at === -1 ? null : (this.#sizes[at] ?? null);
  }

  /** The bytes of a commit or a tag, where the pack is small. */
  content(oid: string): Buffer | null {
    return this.#contents.get(oid) ?? null;
  }

  /** Notes that reading has met it. @returns true the first time; false when it was met before or is not of this pack */
  meet(oid: string): boolean {
    const at = this.#find(oid);
    if (at === -1 || this.#met[at] === 1) return false;
    this.#met[at] = 1;
    return true;
  }

  *ofType(type: ObjectType): Generator<string> {
    const wanted = TYPES.indexOf(type);
    for (let at = 0; at < this.#total; at++) if (this.#types[at] === wanted) yield this.oid(at);
  }

  *unmet(): Generator<string> {
    for (let at = 0; at < this.#total; at++) {
      if (this.#met[at] === 0 && this.#types[at] !== APPENDED) yield this.oid(at);
    }
  }

  async #readTypes(context: ReadContext, isSmall: boolean): Promise<void> {
    const sent = [...this.#types.keys()].filter((at) => this.#types[at] !== APPENDED);
    let next = 0;
    const oids = (function* (objects: PackObjects) {
      for (const at of sent) yield objects.oid(at);
    })(this);
    const answers: AsyncIterable<(ObjectInfo & { readonly content?: Buffer }) | MissingObject> = isSmall
      ? readObjects(context, oids)
      : listObjects(context, oids);
    for await (const object of answers) {
      const at = sent[next++];
      if (object.type === "missing" || at === undefined) throw damaged();
      if (object.content !== undefined && (object.type === "commit" || object.type === "tag")) {
        this.#contents.set(object.oid, Buffer.from(object.content));
      }
      this.#types[at] = TYPES.indexOf(object.type);
      this.#sizes[at] = object.size;
    }
    if (next !== sent.length) throw damaged();
  }

  /** −1 for what the client did not send. */
  #find(oid: string): number {
    const at = this.#place(oid);
    return at !== -1 && this.#types[at] === APPENDED ? -1 : at;
  }

  /** Binary search; −1 for what is not in the pack. */
  #place(oid: string): number {
    const id = Buffer.from(oid, "hex");
    if (id.length !== this.#idBytes) return -1;
    let low = 0;
    let high = this.#total - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = this.#ids.compare(id, 0, id.length, middle * this.#idBytes, (middle + 1) * this.#idBytes);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}
