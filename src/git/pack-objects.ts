import { open, readFile } from "node:fs/promises";
import { GatewayError } from "../errors.ts";
import type { ObjectType } from "./cat-file.ts";
import { inflateSmall } from "./inflate-meter.ts";
import { PackEntries, TYPE_NAMES } from "./inspection/pack-entries.ts";
import { Turns } from "./inspection/turns.ts";
import { UnpackedEntries } from "./inspection/unpacked-entries.ts";
import { hashBytes, readEntryHeader } from "./pack-entry-header.ts";
import type { ObjectFormat } from "./push-command.ts";

/** Of the old objects that git appends so much is read: what is beyond is read when it is needed. */
const MAX_APPENDED_BYTES = 8 * 1024 * 1024;
/** So many are looked up between looking whether it is others' turn. */
const TURN_OBJECTS = 2_000;
/** The header of an entry that is no delta, with room. */
const HEADER_BYTES = 16;

/** Larger than any digit, and than any two of them. */
const NO_DIGIT = 0x1000;
const DIGITS: Readonly<Record<number, number>> = Uint16Array.from({ length: 128 }, (_, code) => {
  const digit = "0123456789abcdef".indexOf(String.fromCharCode(code));
  return digit === -1 ? NO_DIGIT : digit;
});

const damaged = (): GatewayError => new GatewayError("inspection_failed", "the index of the pack could not be read");

export interface ReceivedEntries {
  /** How many objects the client sent. */
  readonly objects: number;
  readonly packBytes: number;
  readonly entries: PackEntries;
}

/** Entries whose ids were made of their contents. */
export interface NamedEntries {
  /** Of all entries, in their order, one after the other. */
  readonly ids: Buffer;
  readonly format: ObjectFormat;
  readonly unpacked: UnpackedEntries;
  readonly entries: PackEntries;
  /** How many of them the client sent. */
  readonly sent: number;
}

/**
 * The objects that the client's pack holds, in some 30 bytes each: a million of them must not fill the heap with strings.
 * Behind them in the list of entries stand old objects that deltas build on (`--fix-thin`): not of the push.
 */
export class PackObjects {
  readonly unpacked: UnpackedEntries;
  /** Whether the ids were made of the contents here; otherwise they are what git's index says. */
  readonly isNamedByContent: boolean;
  readonly #ids: Buffer;
  readonly #idBytes: number;
  readonly #total: number;
  /** By the place in the index, the place in the pack. */
  readonly #entryOf: Uint32Array;
  readonly #entries: PackEntries;
  /** How many entries are the client's. */
  readonly #sent: number;
  readonly #met: Uint8Array;
  readonly #fanout: Uint32Array;

  /** @param ids sorted, one after the other */
  private constructor(
    ids: Buffer,
    idBytes: number,
    { entries, sent, unpacked }: { entries: PackEntries; sent: number; unpacked?: UnpackedEntries },
  ) {
    this.unpacked = unpacked ?? new UnpackedEntries(entries);
    this.isNamedByContent = unpacked !== undefined;
    this.#ids = ids;
    this.#idBytes = idBytes;
    this.#total = ids.length / idBytes;
    this.#entryOf = new Uint32Array(this.#total);
    this.#met = new Uint8Array(this.#total);
    this.#fanout = fanoutOf(ids, idBytes);
    this.#entries = entries;
    this.#sent = sent;
  }

  static none(format: ObjectFormat): PackObjects {
    return new PackObjects(Buffer.alloc(0), hashBytes(format), { entries: new PackEntries(0), sent: 0 });
  }

  /** @throws GatewayError `pack_invalid` for an object that is there twice */
  static named({ ids, format, unpacked, entries, sent }: NamedEntries): PackObjects {
    const idBytes = hashBytes(format);
    const idAt = (entry: number): Buffer => ids.subarray(entry * idBytes, (entry + 1) * idBytes);
    const order = Uint32Array.from({ length: ids.length / idBytes }, (_, entry) => entry);
    order.sort((a, b) => ids.readUIntBE(a * idBytes, 6) - ids.readUIntBE(b * idBytes, 6) || idAt(a).compare(idAt(b)));
    const sorted = Buffer.alloc(ids.length);
    for (const [at, entry] of order.entries()) sorted.set(idAt(entry), at * idBytes);
    const objects = new PackObjects(sorted, idBytes, { entries, sent, unpacked });
    objects.#entryOf.set(order);
    for (let at = 1; at < order.length; at++) objects.#refuseTwin(at);
    return objects;
  }

  /**
   * Reads the pack's index, version 2 (gitformat-pack):
   *
   *     "\377tOc" version(4) fanout(256 × 4) id(count × 20 or 32) crc(count × 4) offset(count × 4) offset64(… × 8) 2 checksums
   *
   * What stands behind the client's own bytes in the pack was appended by `--fix-thin`.
   * @param file the pack's files, without extension
   * @throws GatewayError `inspection_failed`, `pack_invalid` for an object that is there twice
   */
  static async read(file: string, format: ObjectFormat, received: ReceivedEntries): Promise<PackObjects> {
    const index = await readFile(`${file}.idx`);
    if (index.length < 1032 || index.readUInt32BE(0) !== 0xff744f63 || index.readUInt32BE(4) !== 2) throw damaged();
    const total = index.readUInt32BE(8 + 255 * 4);
    const idBytes = hashBytes(format);
    const offsets = 1032 + total * (idBytes + 4);
    if (index.length < offsets + total * 4) throw damaged();
    const ids = index.subarray(1032, 1032 + total * idBytes);
    const objects = new PackObjects(ids, idBytes, { entries: received.entries, sent: received.objects });
    const end = received.packBytes - idBytes;
    const appended: { place: number; offset: number }[] = [];
    const turns = new Turns();
    for (let at = 0; at < total; at++) {
      if (at % TURN_OBJECTS === 0 && turns.due) await turns.take();
      const short = index.readUInt32BE(offsets + at * 4);
      const offset =
        short < 0x80000000 ? short : Number(index.readBigUInt64BE(offsets + total * 4 + (short - 0x80000000) * 8));
      if (at > 0) objects.#refuseTwin(at);
      if (offset >= end) {
        appended.push({ place: at, offset });
        continue;
      }
      const entry = received.entries.find(offset);
      if (entry === -1) throw damaged();
      objects.#entryOf[at] = entry;
    }
    if (total - appended.length !== received.objects || received.entries.count !== received.objects) throw damaged();
    if (appended.length > 0) await objects.#readAppended(`${file}.pack`, appended, end);
    if (!received.entries.resolveBases((id) => objects.#entryOfId(id))) throw damaged();
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
    return at === -1 ? null : this.#typeAt(at);
  }

  size(oid: string): number | null {
    const at = this.#find(oid);
    return at === -1 ? null : this.#entries.size(this.#entryOf[at] ?? 0);
  }

  /** Where among the {@link entries} it is, also when it was appended; −1 for what is not in the pack. */
  entry(oid: string): number {
    const at = this.#place(oid);
    return at === -1 ? -1 : (this.#entryOf[at] ?? 0);
  }

  get entries(): PackEntries {
    return this.#entries;
  }

  /** Notes that reading has met it. @returns true the first time; false when it was met before or is not of this pack */
  meet(oid: string): boolean {
    const at = this.#find(oid);
    if (at === -1 || this.#met[at] === 1) return false;
    this.#met[at] = 1;
    return true;
  }

  /** Nothing of it has been met: reading begins anew. */
  forget(): void {
    this.#met.fill(0);
  }

  *ofType(type: ObjectType): Generator<string> {
    for (let at = 0; at < this.#total; at++) {
      if (this.#isSent(at) && this.#typeAt(at) === type) yield this.oid(at);
    }
  }

  *unmet(): Generator<string> {
    for (let at = 0; at < this.#total; at++) if (this.#met[at] === 0 && this.#isSent(at)) yield this.oid(at);
  }

  /** What git appends is whole, one entry behind the other; their types are wanted, and their contents as bases of deltas. */
  async #readAppended(pack: string, appended: { place: number; offset: number }[], end: number): Promise<void> {
    const entries = this.#entries;
    entries.reserve(appended.length);
    const file = await open(pack);
    try {
      const last = (await file.stat()).size - this.#idBytes;
      const region = Buffer.alloc(Math.max(0, Math.min(last - end, MAX_APPENDED_BYTES)));
      await file.read(region, 0, region.length, end);
      for (const { place, offset } of appended.sort((a, b) => a.offset - b.offset)) {
        let bytes = region.subarray(offset - end);
        if (bytes.length < HEADER_BYTES) {
          bytes = Buffer.alloc(Math.min(HEADER_BYTES, last - offset));
          await file.read(bytes, 0, bytes.length, offset);
        }
        const header = readEntryHeader(bytes, offset, this.#idBytes);
        if (header === null || header.base !== null) throw damaged();
        const body = bytes.subarray(header.bodyOffset);
        const content = header.size <= MAX_APPENDED_BYTES ? inflateSmall(body, header.size)?.content : undefined;
        this.#entryOf[place] = entries.count;
        entries.add(header, header.size, content ?? null);
      }
    } finally {
      await file.close();
    }
  }

  /** In a sorted list, what is there twice stands side by side. */
  #refuseTwin(at: number): void {
    const begin = at * this.#idBytes;
    const before = begin - this.#idBytes;
    if (this.#ids.compare(this.#ids, begin, begin + this.#idBytes, before, begin) !== 0) return;
    throw new GatewayError("pack_invalid", `the pack holds object ${this.oid(at)} twice; repack and push again`);
  }

  #typeAt(at: number): ObjectType | null {
    return TYPE_NAMES[this.#entries.type(this.#entryOf[at] ?? 0)] ?? null;
  }

  #isSent(at: number): boolean {
    return (this.#entryOf[at] ?? 0) < this.#sent;
  }

  /** −1 for what the client did not send. */
  #find(oid: string): number {
    const at = this.#place(oid);
    return at !== -1 && !this.#isSent(at) ? -1 : at;
  }

  #place(oid: string): number {
    if (oid.length !== 2 * this.#idBytes) return -1;
    const prefix = (byteIn(oid, 0) << 8) | byteIn(oid, 1);
    // Of a hundred thousand ids, one or two begin alike.
    const end = this.#fanout[prefix + 1] ?? 0;
    for (let at = this.#fanout[prefix] ?? 0; at < end; at++) if (this.#isAt(at, oid)) return at;
    return -1;
  }

  #isAt(at: number, oid: string): boolean {
    const begin = at * this.#idBytes;
    for (let byte = 2; byte < this.#idBytes; byte++) if (this.#ids[begin + byte] !== byteIn(oid, byte)) return false;
    return true;
  }

  #entryOfId(id: Buffer): number {
    const at = this.#place(id.toString("hex"));
    return at === -1 ? -1 : (this.#entryOf[at] ?? 0);
  }
}

/** A byte of an id that is written in lower-case hexadecimal; what is none matches nothing. */
function byteIn(oid: string, at: number): number {
  const high = DIGITS[oid.charCodeAt(2 * at)] ?? NO_DIGIT;
  const low = DIGITS[oid.charCodeAt(2 * at + 1)] ?? NO_DIGIT;
  return (high << 4) | low;
}

/** By the first 16 bits of an id, where in the sorted list those that begin so are: from one number to the next. */
function fanoutOf(ids: Buffer, idBytes: number): Uint32Array {
  const fanout = new Uint32Array(0x10001);
  for (let at = 0; at < ids.length; at += idBytes) {
    const prefix = ids.readUInt16BE(at);
    fanout[prefix + 1] = (fanout[prefix + 1] ?? 0) + 1;
  }
  for (let prefix = 1; prefix < fanout.length; prefix++)
    fanout[prefix] = (fanout[prefix] ?? 0) + (fanout[prefix - 1] ?? 0);
  return fanout;
}
