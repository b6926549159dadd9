/** Packs taken apart and put together again (gitformat-pack), also those that no git would write: checksums are always repaired. */
import { createHash } from "node:crypto";
import { deflateSync, inflateSync } from "node:zlib";
import type { ObjectFormat } from "../../src/git/push-command.ts";
import type { Random } from "./random.ts";

export const OFS_DELTA = 6;
export const REF_DELTA = 7;
const TYPE_NAMES = ["", "commit", "tree", "blob", "tag"] as const;
export type ObjectKind = "commit" | "tree" | "blob" | "tag";
const typeNumber = (kind: ObjectKind): number => TYPE_NAMES.indexOf(kind);

export interface PackEntry {
  /** 1 commit, 2 tree, 3 blob, 4 tag, 6 and 7 deltas. */
  type: number;
  /** Unpacked: an object, or a delta's instructions. */
  content: Buffer;
  /** Of an offset delta: the entry's place in the list. Of the other: an id. */
  base?: number | Buffer;
  /** A size that is not the content's. */
  declared?: number;
  /** Bytes that stand for the zlib stream. */
  stream?: Buffer;
}

export interface GitObject {
  readonly kind: ObjectKind;
  readonly content: Buffer;
}

export const idBytes = (format: ObjectFormat): number => (format === "sha1" ? 20 : 32);

export const objectId = ({ kind, content }: GitObject, format: ObjectFormat): string =>
  createHash(format).update(`${kind} ${content.length}\0`).update(content).digest("hex");

export function parsePackFile(pack: Buffer, format: ObjectFormat): PackEntry[] {
  const entries: PackEntry[] = [];
  const placeOf = new Map<number, number>();
  let at = 12;
  for (let left = pack.readUInt32BE(8); left > 0; left--) {
    const begin = at;
    placeOf.set(begin, entries.length);
    let byte = pack.readUInt8(at++);
    const type = (byte >> 4) & 7;
    while ((byte & 0x80) !== 0) byte = pack.readUInt8(at++);
    let base: number | Buffer | undefined;
    if (type === OFS_DELTA) {
      byte = pack.readUInt8(at++);
      let distance = byte & 0x7f;
      while ((byte & 0x80) !== 0) {
        byte = pack.readUInt8(at++);
        distance = (distance + 1) * 128 + (byte & 0x7f);
      }
      base = placeOf.get(begin - distance) ?? 0;
    } else if (type === REF_DELTA) {
      base = Buffer.from(pack.subarray(at, at + idBytes(format)));
      at += idBytes(format);
    }
    const { buffer, engine } = inflateSync(pack.subarray(at), { info: true }) as unknown as {
      readonly buffer: Buffer;
      readonly engine: { readonly bytesWritten: number };
    };
    at += engine.bytesWritten;
    entries.push({ type, content: buffer, ...(base === undefined ? {} : { base }) });
  }
  return entries;
}

function entryHeader(type: number, size: number): Buffer {
  const bytes: number[] = [];
  let byte = (type << 4) | (size & 15);
  let rest = Math.floor(size / 16);
  while (rest > 0) {
    bytes.push(byte | 0x80);
    byte = rest & 0x7f;
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, byte]);
}

function offsetVarint(distance: number): Buffer {
  const bytes = [distance & 0x7f];
  for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor(rest / 128)) {
    rest -= 1;
    bytes.unshift(0x80 | (rest & 0x7f));
  }
  return Buffer.from(bytes);
}

export function encodePackFile(
  entries: readonly PackEntry[],
  format: ObjectFormat,
  options: { readonly count?: number; readonly version?: number; readonly level?: number } = {},
): Buffer {
  const header = Buffer.alloc(12);
  header.write("PACK");
  header.writeUInt32BE(options.version ?? 2, 4);
  header.writeUInt32BE(options.count ?? entries.length, 8);
  const parts = [header];
  const offsets: number[] = [];
  let offset = header.length;
  for (const entry of entries) {
    offsets.push(offset);
    const base =
      typeof entry.base === "number"
        ? offsetVarint(offset - (offsets[entry.base] ?? 0))
        : (entry.base ?? Buffer.alloc(0));
    const stream = entry.stream ?? deflateSync(entry.content, { level: options.level ?? 1 });
    const whole = Buffer.concat([entryHeader(entry.type, entry.declared ?? entry.content.length), base, stream]);
    parts.push(whole);
    offset += whole.length;
  }
  return signPack(Buffer.concat(parts), format);
}

/** Appends the checksum. */
export const signPack = (body: Buffer, format: ObjectFormat): Buffer =>
  Buffer.concat([body, createHash(format).update(body).digest()]);

/** @throws RangeError for instructions that lead outside of base or result */
export function applyDelta(base: Buffer, delta: Buffer): Buffer {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0, byte = 0x80; (byte & 0x80) !== 0; shift += 7) {
      byte = delta.readUInt8(at++);
      value += (byte & 0x7f) * 2 ** shift;
    }
    return value;
  };
  varint();
  varint();
  const parts: Buffer[] = [];
  while (at < delta.length) {
    const op = delta.readUInt8(at++);
    if ((op & 0x80) === 0) {
      parts.push(delta.subarray(at, at + op));
      at += op;
      continue;
    }
    let from = 0;
    let size = 0;
    for (let bit = 0; bit < 4; bit++) if ((op & (1 << bit)) !== 0) from += delta.readUInt8(at++) * 2 ** (8 * bit);
    for (let bit = 0; bit < 3; bit++) if ((op & (16 << bit)) !== 0) size += delta.readUInt8(at++) * 2 ** (8 * bit);
    parts.push(base.subarray(from, from + (size === 0 ? 0x10000 : size)));
  }
  return Buffer.concat(parts);
}

export const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
};

function copyOf(from: number, size: number): Buffer {
  const bytes: number[] = [];
  let op = 0x80;
  for (let bit = 0; bit < 4; bit++) {
    const byte = Math.floor(from / 2 ** (8 * bit)) & 0xff;
    if (byte === 0) continue;
    op |= 1 << bit;
    bytes.push(byte);
  }
  for (let bit = 0; bit < 3; bit++) {
    const byte = Math.floor(size / 2 ** (8 * bit)) & 0xff;
    if (byte === 0) continue;
    op |= 16 << bit;
    bytes.push(byte);
  }
  return Buffer.from([op, ...bytes]);
}

/** A right delta: what the two begin and end with alike is copied, in pieces, the rest is put in. */
export function makeDelta(base: Buffer, result: Buffer, random: Random): Buffer {
  let head = 0;
  while (head < base.length && head < result.length && base[head] === result[head]) head += 1;
  let tail = 0;
  while (
    tail < base.length - head &&
    tail < result.length - head &&
    base[base.length - 1 - tail] === result[result.length - 1 - tail]
  ) {
    tail += 1;
  }
  const parts = [varint(base.length), varint(result.length)];
  const copy = (from: number, length: number): void => {
    for (let at = from, left = length; left > 0;) {
      const size = Math.min(left, random.once(3) ? 1 + random.int(400) : 0xff_ffff);
      parts.push(copyOf(at, size));
      at += size;
      left -= size;
    }
  };
  copy(0, head);
  for (let at = head; at < result.length - tail; at += 127) {
    const piece = result.subarray(at, Math.min(at + 127, result.length - tail));
    parts.push(Buffer.from([piece.length]), piece);
  }
  copy(base.length - tail, tail);
  return Buffer.concat(parts);
}

/** Every object that a pack holds, deltas resolved. `old`: what thin packs build on. */
export function resolvePack(
  entries: readonly PackEntry[],
  format: ObjectFormat,
  old: ReadonlyMap<string, GitObject>,
): Map<string, GitObject> {
  const done: (GitObject | undefined)[] = [];
  const byId = new Map<string, GitObject>();
  // A base given by id may stand behind its delta.
  for (let round = 0, before = -1; byId.size > before && round < entries.length + 1; round++) {
    before = byId.size;
    for (const [at, { type, content, base }] of entries.entries()) {
      if (done[at] !== undefined) continue;
      const kind = TYPE_NAMES[type];
      let object: GitObject | undefined;
      if (kind !== undefined && kind !== "") object = { kind, content };
      else {
        const under =
          typeof base === "number"
            ? done[base]
            : (byId.get(base?.toString("hex") ?? "") ?? old.get(base?.toString("hex") ?? ""));
        if (under !== undefined) object = { kind: under.kind, content: applyDelta(under.content, content) };
      }
      if (object === undefined) continue;
      done[at] = object;
      byId.set(objectId(object, format), object);
    }
  }
  return byId;
}

export const plainEntry = ({ kind, content }: GitObject): PackEntry => ({ type: typeNumber(kind), content });
