/**
 * Reads a pack along as it streams in, to bound what it may cost before git unpacks it (gitformat-pack):
 *
 *     pack = header *entry checksum(20 or 32)                        ; see `pack-entry-header.ts`
 *
 * Hazards: a few hundred bytes may say “400 MB of zeros”, a delta of a few bytes “the base, a thousand times”. Both declare
 * their size up front, and git index-pack later holds the declaration to be true. What only git can know (types of bases,
 * the checksum) is left to it.
 */
import type { PushLimits } from "../model/push-limits.ts";
import { InflateMeter, inflateSmall, type Inflated } from "./inflate-meter.ts";
import { BlobDigester } from "./inspection/blob-digest.ts";
import { BLOB, PackEntries } from "./inspection/pack-entries.ts";
import { WHOLE_BYTES } from "./inspection/unpacked-entries.ts";
import { overLimit } from "./limits.ts";
import {
  damaged,
  HEADER_BYTES,
  hashBytes,
  readDeltaResultSize,
  readEntryHeader,
  readPackHeader,
  type EntryHeader,
} from "./pack-entry-header.ts";
import type { ObjectFormat } from "./push-command.ts";

export interface PackSummary {
  /** In the client's pack; 0 for a ref that is made at an object which the upstream has. */
  readonly objects: number;
  /** Bytes as the client sent them; 0: no pack at all, as for a push that only deletes. */
  readonly packBytes: number;
  readonly inflatedBytes: number;
}

type ScanLimits = Pick<
  PushLimits,
  "packBytes" | "objects" | "objectBytes" | "inflatedBytes" | "inflationRatio" | "inflatedFreeBytes"
>;

interface LargeEntry {
  readonly header: EntryHeader;
  readonly meter: InflateMeter;
  readonly digester: BlobDigester | null;
}

/** Objects up to this size are inflated at once, if all of them is there. */
const SMALL_BYTES = 64 * 1024;
/** zlib never makes a stream longer than its input by more than a little (compressBound). */
const SMALL_SLACK = 1024;
/** After so much work the event loop gets its turn: other people's streams run in this process too. */
const TURN_BYTES = 1024 * 1024;
const TURN_OBJECTS = 300;
/** Objects up to this size are worth keeping. */
const KEPT_BYTES = 1024 * 1024;

export class PackScanner {
  readonly #limits: ScanLimits;
  readonly #hashBytes: number;
  readonly #format: ObjectFormat;
  #pending: Buffer = Buffer.alloc(0);
  /** The last bytes so far. At the end they are the checksum: never read as an object, whatever the header announces. */
  #tail: Buffer = Buffer.alloc(0);
  #packBytes = 0;
  #inflatedBytes = 0;
  #announced: number | null = null;
  #seen = 0;
  /** The large entry that is being read. */
  #current: LargeEntry | null = null;
  #turnBytes = 0;
  #turnObjects = 0;
  /** Where in the pack the first byte of what is pending stands. */
  #offset = 0;
  #entries: PackEntries | null = null;

  constructor(format: ObjectFormat, limits: ScanLimits) {
    this.#hashBytes = hashBytes(format);
    this.#format = format;
    this.#limits = limits;
  }

  /** Objects that the pack's header announces; null until it was read. */
  get announcedObjects(): number | null {
    return this.#announced;
  }

  /** What was read so far; null until the header was. It stays the caller's, to release. */
  get entries(): PackEntries | null {
    return this.#entries;
  }

  /** @throws GatewayError `pack_invalid`, `limit_exceeded` */
  async feed(chunk: Uint8Array): Promise<void> {
    this.#packBytes += chunk.length;
    if (this.#packBytes > this.#limits.packBytes) throw overLimit.packBytes(this.#limits.packBytes);
    const bytes = Buffer.concat([this.#pending, this.#tail, chunk]);
    // The header at once: what is no pack is refused before more of it comes.
    const begin = this.#announced === null && bytes.length >= HEADER_BYTES ? this.#readHeader(bytes) : 0;
    const end = Math.max(begin, bytes.length - this.#hashBytes);
    this.#pending = this.#announced === null ? bytes : bytes.subarray(begin, end);
    this.#tail = this.#announced === null ? Buffer.alloc(0) : bytes.subarray(end);
    await this.#scan(false);
  }

  /** To be called at the end of the pack. @throws GatewayError `pack_invalid`, `limit_exceeded` */
  async finish(): Promise<PackSummary> {
    await this.#scan(true);
    await this.#endLast();
    const isWhole = this.#announced !== null && this.#current === null && this.#seen === this.#announced;
    if (this.#announced === null || !isWhole || this.#tail.length < this.#hashBytes) {
      throw damaged(`it ends too early, after ${this.#seen} of ${this.#announced ?? "its"} objects`);
    }
    return { objects: this.#announced, packBytes: this.#packBytes, inflatedBytes: this.#inflatedBytes };
  }

  /** Frees what a broken-off scan holds. */
  close(): void {
    this.#current?.meter.close();
    this.#current = null;
  }

  /** @returns the bytes of the header */
  #readHeader(bytes: Buffer): number {
    this.#announced = readPackHeader(bytes);
    if (this.#announced > this.#limits.objects) throw overLimit.objects(this.#announced, this.#limits.objects);
    this.#entries = new PackEntries(this.#announced);
    this.#offset = HEADER_BYTES;
    return HEADER_BYTES;
  }

  /** zlib tells the end of a stream only when it sees what follows it: behind the last object that is the checksum. */
  async #endLast(): Promise<void> {
    if (this.#current === null || this.#seen + 1 !== this.#announced) return;
    const { header, meter, digester } = this.#current;
    const inflated = await meter.feed(this.#tail);
    if (inflated === null || inflated.consumed > 0) return;
    this.close();
    this.#endEntry(header, inflated, Buffer.alloc(0), digester);
  }

  async #scan(isEnd: boolean): Promise<void> {
    if (this.#announced === null) return;
    while (this.#seen < this.#announced) {
      if (this.#pending.length === 0 || !(await this.#scanEntry(isEnd))) return;
    }
    if (this.#pending.length > 0) {
      throw damaged(`more bytes follow the ${this.#announced} objects that its header announces`);
    }
  }

  /** @returns false when more input is needed */
  async #scanEntry(isEnd: boolean): Promise<boolean> {
    if (this.#current === null) {
      const header = readEntryHeader(this.#pending, this.#offset, this.#hashBytes);
      if (header === null) return false;
      this.#count(header.size, header.base === null ? header.size : 0);
      const body = this.#pending.subarray(header.bodyOffset);
      if (header.size <= SMALL_BYTES) {
        if (body.length < header.size + SMALL_SLACK && !isEnd) return this.#uncount(header);
        // Before, not behind it: what comes out stands in memory that the next push to have its turn inflates into.
        await this.#takeTurn(header.size);
        const inflated = inflateSmall(body, header.size);
        if (inflated !== null) {
          this.#offset += header.bodyOffset;
          return this.#endEntry(header, inflated, body);
        }
      }
      this.#current = this.#beginLarge(header);
      this.#pending = body;
      this.#offset += header.bodyOffset;
    }
    const { header, meter, digester } = this.#current;
    const piece = this.#pending;
    const inflated = await meter.feed(piece);
    if (inflated === null) {
      this.#pending = Buffer.alloc(0);
      this.#offset += piece.length;
      return false;
    }
    this.close();
    return this.#endEntry(header, inflated, piece, digester);
  }

  #beginLarge(header: EntryHeader): LargeEntry {
    const { size, type } = header;
    const entries = this.#entries;
    const digester =
      type === BLOB && size > WHOLE_BYTES && entries !== null
        ? new BlobDigester(size, this.#format, entries.held)
        : null;
    const meter = new InflateMeter(
      size,
      size <= KEPT_BYTES,
      digester === null ? null : (chunk) => digester.feed(chunk),
    );
    return { header, meter, digester };
  }

  #endEntry(header: EntryHeader, inflated: Inflated, body: Buffer, digester: BlobDigester | null = null): true {
    let { size } = header;
    if (header.base !== null) {
      size = readDeltaResultSize(inflated.head);
      this.#count(size, size);
    }
    if (this.#entries?.add(header, size, inflated.content) === false) {
      throw damaged("a delta builds on what is no object of it");
    }
    const digest = digester?.end() ?? null;
    if (digest !== null) this.#entries?.addDigest(digest);
    this.#pending = body.subarray(inflated.consumed);
    this.#offset += inflated.consumed;
    this.#seen += 1;
    return true;
  }

  /** @param objectSize what the object will be, where this is known */
  #count(bytes: number, objectSize: number): void {
    const limits = this.#limits;
    const largest = Math.max(bytes, objectSize);
    if (largest > limits.objectBytes) throw overLimit.objectBytes(largest, limits.objectBytes);
    this.#inflatedBytes += bytes;
    if (this.#inflatedBytes > limits.inflatedBytes) throw overLimit.inflatedBytes(limits.inflatedBytes);
    if (
      this.#inflatedBytes > limits.inflatedFreeBytes &&
      this.#inflatedBytes > limits.inflationRatio * this.#packBytes
    ) {
      throw overLimit.inflationRatio(limits.inflationRatio);
    }
  }

  /** The entry will be counted when all of it is there. */
  #uncount(header: EntryHeader): false {
    this.#inflatedBytes -= header.size;
    return false;
  }

  async #takeTurn(bytes: number): Promise<void> {
    this.#turnBytes += bytes;
    this.#turnObjects += 1;
    if (this.#turnBytes < TURN_BYTES && this.#turnObjects < TURN_OBJECTS) return;
    this.#turnBytes = 0;
    this.#turnObjects = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
