/**
 * The headers inside a pack (gitformat-pack), as bytes alone:
 *
 *     header = "PACK" version(4, 2 or 3) count(4)
 *     entry  = type-and-size-varint [ofs-varint | base-id] zlib-stream
 *     delta  = base-size-varint result-size-varint instructions       ; inside the zlib stream of types 6 and 7
 */
import { GatewayError } from "../errors.ts";
import { OFS_DELTA, REF_DELTA, type PackEntry } from "./inspection/pack-entries.ts";
import type { ObjectFormat } from "./push-command.ts";

/** The bytes of an object id and of a pack's checksum. */
export const hashBytes = (format: ObjectFormat): 20 | 32 => (format === "sha1" ? 20 : 32);

export const HEADER_BYTES = 12;

export interface EntryHeader extends PackEntry {
  /** Bytes that the zlib stream unpacks to. */
  readonly size: number;
  /** Where the zlib stream begins, counted from the entry. */
  readonly bodyOffset: number;
}

export const damaged = (what: string): GatewayError =>
  new GatewayError("pack_invalid", `the pack is damaged: ${what}; push again`);

/** @returns how many objects it announces. @throws GatewayError `pack_invalid` */
export function readPackHeader(bytes: Buffer): number {
  if (bytes.toString("latin1", 0, 4) !== "PACK") throw damaged("it does not begin with “PACK”");
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw damaged(`its version is ${version}, known are 2 and 3`);
  return bytes.readUInt32BE(8);
}

/**
 * The header of an entry that begins at offset `begin` of the pack.
 * @returns null when `bytes` ends inside of it
 * @throws GatewayError `pack_invalid`
 */
export function readEntryHeader(bytes: Buffer, begin: number, hashLength: number): EntryHeader | null {
  let offset = 0;
  let byte = bytes[offset++];
  if (byte === undefined) return null;
  const type = (byte >> 4) & 7;
  if (type === 0 || type === 5) throw damaged(`an object has the type ${type}, which does not exist`);
  let size = byte & 15;
  for (let shift = 4; (byte & 0x80) !== 0; shift += 7) {
    byte = bytes[offset++];
    if (byte === undefined) return null;
    if (shift > 46) throw damaged("an object says that it is larger than anything can be");
    size += (byte & 0x7f) * 2 ** shift;
  }
  let base: number | Buffer | null = null;
  if (type === OFS_DELTA) {
    let distance = -1;
    do {
      byte = bytes[offset++];
      if (byte === undefined) return null;
      if (distance > 2 ** 40) throw damaged("the offset of a delta's base is no number");
      // Each length of the number begins where the shorter ones end (gitformat-pack, "offset encoding").
      distance = (distance + 1) * 128 + (byte & 0x7f);
    } while ((byte & 0x80) !== 0);
    base = begin - distance;
  } else if (type === REF_DELTA) {
    offset += hashLength;
    if (offset > bytes.length) return null;
    base = bytes.subarray(offset - hashLength, offset);
  }
  return { offset: begin, type, base, size, bodyOffset: offset };
}

/** @param head of what the zlib stream of a delta holds. @throws GatewayError `pack_invalid` */
export function readDeltaResultSize(head: Buffer): number {
  let offset = 0;
  let size = 0;
  for (let varint = 0; varint < 2; varint++) {
    size = 0;
    for (let shift = 0, byte = 0x80; (byte & 0x80) !== 0; shift += 7) {
      const next = head[offset++];
      if (next === undefined || shift > 46) throw damaged("a delta does not say how long its result is");
      byte = next;
      size += (byte & 0x7f) * 2 ** shift;
    }
  }
  return size;
}
