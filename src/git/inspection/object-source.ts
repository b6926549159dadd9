import {
  listObjects,
  unreadable,
  type ObjectReader,
  type ObjectType,
  type OpenObject,
  type ReadContext,
} from "../cat-file.ts";
import type { PackObjects } from "../pack-objects.ts";
import type { ObjectFormat } from "../push-command.ts";
import type { CachedRepository } from "../repository-cache.ts";
import { ByteCache } from "./byte-cache.ts";
import { HEAD_BYTES, type BlobDigest } from "./blob-digest.ts";
import { HeldObjects } from "./held-objects.ts";
import { EMPTY_TREE } from "./tree.ts";
import { WHOLE_BYTES } from "./unpacked-entries.ts";

const RECENT_BYTES = 8 * 1024 * 1024;
/** Objects up to this size are worth asking for together. */
const AHEAD_BYTES = 128 * 1024;
const AHEAD_OBJECTS = 64;

const NOTHING: Buffer = Buffer.alloc(0);

export interface ObjectSourceOptions {
  readonly pack: PackObjects;
  readonly objectFormat: ObjectFormat;
  readonly reader: ObjectReader;
  /** As of the reader: nothing is fetched. */
  readonly context: ReadContext;
  /** Where old objects come from that are not here yet; null: nowhere. */
  readonly cache: CachedRepository | null;
  readonly signal: AbortSignal | undefined;
}

/** Every object that inspection reads, new ones and old ones: out of memory, from the disk, and from the upstream at last. */
export class ObjectSource {
  readonly #options: ObjectSourceOptions;
  readonly #held: HeldObjects;
  readonly #recent = new ByteCache<string>(RECENT_BYTES);
  readonly #emptyTree: string;
  /** Bytes of old objects that are no larger than {@link AHEAD_BYTES}, as far as it is known. */
  readonly #small = new Map<string, number>();
  /** Of the object that was last read as it came. */
  #lastHead: { readonly oid: string; readonly bytes: Buffer } = { oid: "", bytes: NOTHING };

  constructor(options: ObjectSourceOptions) {
    this.#options = options;
    this.#held = new HeldObjects(options.pack, options.objectFormat);
    this.#emptyTree = EMPTY_TREE[options.objectFormat];
  }

  /** What is in memory. */
  held(oid: string): Buffer | null {
    if (oid === this.#emptyTree) return NOTHING;
    return this.#held.get(oid) ?? this.#recent.get(oid);
  }

  /**
   * @returns null for an object that is larger than {@link WHOLE_BYTES}
   * @throws GatewayError `inspection_failed`, also when it is nowhere, and those of fetching
   */
  async load(oid: string): Promise<Buffer | null> {
    const held = this.held(oid);
    if (held !== null) return held;
    if ((this.#options.pack.size(oid) ?? 0) > WHOLE_BYTES) return null;
    return this.#keep(await this.#open(oid));
  }

  /** What is known of a large new file without reading it again; null: it has to be read. */
  digest(oid: string): BlobDigest | null {
    return this.#held.digest(oid);
  }

  /** The first bytes of an object, at most {@link HEAD_BYTES}. @throws GatewayError as {@link load} */
  async head(oid: string): Promise<Buffer> {
    const whole = await this.load(oid);
    if (whole !== null) return whole.subarray(0, HEAD_BYTES);
    const digest = this.digest(oid);
    if (digest !== null) return digest.head;
    if (this.#lastHead.oid !== oid) {
      // Leaving it in the middle starts git anew: less work than reading all of it.
      for await (const _ of this.chunks(oid)) if (this.#lastHead.bytes.length === HEAD_BYTES) break;
    }
    return this.#lastHead.bytes;
  }

  /** As {@link load}, as it comes. It must be read to its end before anything else is asked for. */
  async *chunks(oid: string): AsyncGenerator<Buffer, void, undefined> {
    const held = this.held(oid);
    if (held !== null) {
      yield held;
      return;
    }
    const { chunks } = await this.#open(oid);
    this.#lastHead = { oid, bytes: NOTHING };
    for await (const chunk of chunks) {
      const { bytes } = this.#lastHead;
      if (bytes.length < HEAD_BYTES) {
        this.#lastHead = { oid, bytes: Buffer.concat([bytes, chunk.subarray(0, HEAD_BYTES - bytes.length)]) };
      }
      yield chunk;
    }
  }

  /** What an object is, whoever has it. @throws GatewayError `inspection_failed`, and those of fetching */
  async type(oid: string): Promise<ObjectType> {
    const known = this.#options.pack.type(oid);
    if (known !== null) return known;
    const found = await this.#open(oid);
    await this.#keep(found);
    return found.type;
  }

  /** Those that are not here yet. Of few objects, what is here is read at once. */
  async missing(oids: Iterable<string>): Promise<string[]> {
    const asked = [...oids].filter((oid) => this.#recent.get(oid) === null);
    const missing: string[] = [];
    if (asked.length > AHEAD_OBJECTS) {
      for await (const object of listObjects(this.#options.context, asked)) {
        if (object.type === "missing") missing.push(object.name);
        else if (object.size <= AHEAD_BYTES) this.#small.set(object.oid, object.size);
      }
      return missing;
    }
    for (const oid of asked) {
      const found = await this.#options.reader.open(oid);
      if (found.type === "missing") missing.push(oid);
      else await this.#keep(found);
    }
    return missing;
  }

  /**
   * Reads small objects that are not in memory together: asking for one after the other takes longer. Many are too many to be
   * remembered: then the first of them.
   */
  async readAhead(oids: Iterable<string>): Promise<void> {
    const { pack, reader } = this.#options;
    let wanted: string[] = [];
    let bytes = 0;
    const read = async (): Promise<void> => {
      if (wanted.length < 2) return;
      for await (const object of reader.all(wanted, RECENT_BYTES)) {
        if (object.type === "missing") throw unreadable();
        this.#recent.set(object.oid, Buffer.from(object.content));
      }
      wanted = [];
    };
    for (const oid of new Set(oids)) {
      const size = this.#small.get(oid) ?? pack.size(oid) ?? Number.POSITIVE_INFINITY;
      if (size > AHEAD_BYTES || this.held(oid) !== null) continue;
      bytes += size;
      if (bytes > RECENT_BYTES / 2) break;
      if (wanted.push(oid) === AHEAD_OBJECTS) await read();
    }
    await read();
  }

  async #keep({ oid, size, chunks }: OpenObject): Promise<Buffer | null> {
    if (size > WHOLE_BYTES) {
      await this.#options.reader.close();
      return null;
    }
    const pieces: Buffer[] = [];
    for await (const chunk of chunks) pieces.push(chunk);
    // A copy: the pieces are parts of what git's answers came in.
    const content = Buffer.concat(pieces);
    this.#recent.set(oid, content);
    return content;
  }

  async #open(oid: string): Promise<OpenObject> {
    const { reader, cache, signal } = this.#options;
    const found = await reader.open(oid);
    if (found.type !== "missing") return found;
    if (cache === null) throw unreadable();
    await cache.fetchBlobs([oid], signal);
    const fetched = await reader.open(oid);
    if (fetched.type === "missing") throw unreadable();
    return fetched;
  }
}
