import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";

export const BLOB = 3;
export const OFS_DELTA = 6;
export const REF_DELTA = 7;

/** One entry of a pack: `declared` is the size that its header says. */
export function packEntry(type: number, content: Buffer, options: { declared?: number; base?: Buffer } = {}): Buffer {
  const header: number[] = [];
  let size = options.declared ?? content.length;
  let byte = (type << 4) | (size & 15);
  size = Math.floor(size / 16);
  while (size > 0) {
    header.push(byte | 0x80);
    byte = size & 0x7f;
    size = Math.floor(size / 128);
  }
  header.push(byte);
  return Buffer.concat([Buffer.from(header), options.base ?? Buffer.alloc(0), deflateSync(content)]);
}

/** A pack of the entries, its checksum right; `count` is what the header says. */
export function makePack(entries: readonly Buffer[], options: { count?: number; version?: number } = {}): Buffer {
  const header = Buffer.alloc(12);
  header.write("PACK");
  header.writeUInt32BE(options.version ?? 2, 4);
  header.writeUInt32BE(options.count ?? entries.length, 8);
  return sign(Buffer.concat([header, ...entries]));
}

export const sign = (pack: Buffer): Buffer => Buffer.concat([pack, createHash("sha1").update(pack).digest()]);

const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
};

/** A delta that copies the first 64 KiB of its base `times` times. */
export function copyBomb(baseSize: number, times: number): Buffer {
  // 0x80: a copy from offset 0 of 0x10000 bytes (size 0 means that).
  return Buffer.concat([varint(baseSize), varint(times * 0x10000), Buffer.alloc(times, 0x80)]);
}
