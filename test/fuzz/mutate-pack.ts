/** Packs that are odd in themselves: deltas of every make, wrong types, sizes and places. */
import { deflateRawSync, deflateSync, constants } from "node:zlib";
import type { ObjectFormat } from "../../src/git/push-command.ts";
import { mutateBytes } from "./mutate-bytes.ts";
import {
  encodePackFile,
  idBytes,
  makeDelta,
  objectId,
  OFS_DELTA,
  plainEntry,
  REF_DELTA,
  signPack,
  varint,
  type GitObject,
  type PackEntry,
} from "./pack-file.ts";
import type { Random } from "./random.ts";

/**
 * The objects as a pack, in some order, some of them as deltas of others, of old ones, or of deltas: right, and unlike
 * what git itself would have made of them.
 */
export function packObjects(
  objects: ReadonlyMap<string, GitObject>,
  old: ReadonlyMap<string, GitObject>,
  format: ObjectFormat,
  random: Random,
): PackEntry[] {
  const all = [...objects.values()];
  if (random.once(2)) all.sort(() => (random.once(2) ? 1 : -1));
  const deltas = random.pick([0, 0, 2, 5]);
  const entries: PackEntry[] = [];
  for (const [at, object] of all.entries()) {
    const before = all.slice(0, at).map((other, place) => [place, other] as const);
    const bases = before.filter(([, other]) => other.kind === object.kind);
    if (deltas === 0 || random.int(6) >= deltas) {
      entries.push(plainEntry(object));
      continue;
    }
    const oldBases = [...old].filter(([, other]) => other.kind === object.kind && other.content.length < 300_000);
    if (oldBases.length > 0 && (bases.length === 0 || random.once(3))) {
      const [oid, base] = random.pick(oldBases);
      entries.push({
        type: REF_DELTA,
        content: makeDelta(base.content, object.content, random),
        base: Buffer.from(oid, "hex"),
      });
    } else if (bases.length > 0) {
      const [place, base] = random.pick(bases);
      const content = makeDelta(base.content, object.content, random);
      entries.push(
        random.once(3)
          ? { type: REF_DELTA, content, base: Buffer.from(objectId(base, format), "hex") }
          : { type: OFS_DELTA, content, base: place },
      );
    } else entries.push(plainEntry(object));
  }
  return entries;
}

/** A pack that git writes, made strange; its checksum is right. */
export function mutatePack(entries: readonly PackEntry[], format: ObjectFormat, random: Random): Buffer {
  const changed = entries.map((entry) => ({ ...entry }));
  const entry = changed.length > 0 ? random.pick(changed) : null;
  const isDelta = entry !== null && (entry.type === OFS_DELTA || entry.type === REF_DELTA);
  const encode = (options = {}): Buffer => encodePackFile(changed, format, options);
  if (entry === null) return signPack(mutateBytes(encode(), random).subarray(0, -idBytes(format)), format);
  return random.pick<() => Buffer>([
    // As good as before.
    () => encode({ level: random.int(10) }),
    () => encode({ version: 3 }),
    () => {
      entry.stream = deflateSync(entry.content, { level: 9, strategy: constants.Z_FIXED });
      return encode();
    },
    () => {
      changed.push({ ...entry });
      return encode();
    },
    () => {
      changed.splice(changed.indexOf(entry), 1);
      return encode();
    },
    () => encode({ version: random.pick([0, 1, 4, 0xffff_ffff]) }),
    () =>
      encode({ count: random.pick([0, 1, changed.length - 1, changed.length + 1, 0xffff_ffff, 0x7fff_ffff]) >>> 0 }),
    () => {
      entry.type = random.int(8);
      return encode();
    },
    () => {
      entry.declared = random.pick([
        0,
        1,
        entry.content.length - 1,
        entry.content.length + 1,
        2 ** 31,
        2 ** 40,
        2 ** 52,
      ]);
      return encode();
    },
    () => {
      entry.stream = deflateRawSync(entry.content);
      return encode();
    },
    () => {
      entry.stream = Buffer.concat([deflateSync(entry.content), random.bytes(1 + random.int(40))]);
      return encode();
    },
    () => {
      // Two streams where one is declared.
      entry.stream = Buffer.concat([deflateSync(entry.content), deflateSync(Buffer.from("behind it"))]);
      return encode();
    },
    () => {
      entry.stream = deflateSync(entry.content).subarray(0, -random.int(6));
      return encode();
    },
    () => {
      // The checksum of the stream itself.
      const stream = deflateSync(entry.content);
      stream[stream.length - 1]! ^= 0xff;
      entry.stream = stream;
      return encode();
    },
    () => {
      const stream = deflateSync(entry.content);
      entry.stream = mutateBytes(stream, random);
      return encode();
    },
    () => {
      entry.stream = deflateSync(entry.content, { dictionary: Buffer.from("tok-") });
      return encode();
    },
    () => {
      entry.content = mutateBytes(entry.content, random);
      return encode();
    },
    () => {
      if (isDelta) entry.content = Buffer.concat([entry.content, Buffer.from([random.pick([0, 1, 0x7f, 0x80, 0xff])])]);
      else entry.type = REF_DELTA;
      entry.base ??= random.bytes(idBytes(format));
      return encode();
    },
    () => {
      if (isDelta)
        entry.base = typeof entry.base === "number" ? random.int(changed.length) : random.bytes(idBytes(format));
      return encode();
    },
    () => {
      // A delta that says another size than it makes, or builds on another size than its base has.
      if (isDelta) {
        entry.content = Buffer.concat([
          varint(random.int(70_000)),
          varint(random.pick([0, 5, 2 ** 31, 2 ** 45])),
          entry.content,
        ]);
      }
      return encode();
    },
    () => {
      changed.push({
        type: OFS_DELTA,
        content: Buffer.concat([varint(10), varint(0)]),
        base: random.int(changed.length),
      });
      return encode();
    },
    () => {
      const at = changed.length;
      changed.push({ type: 3, content: Buffer.alloc(70_000, "copied ") });
      changed.push({
        type: OFS_DELTA,
        content: Buffer.concat([varint(70_000), varint(0x10000 * 300), Buffer.alloc(300, 0x80)]),
        base: at,
      });
      return encode();
    },
    () => signPack(Buffer.concat([encode().subarray(0, -idBytes(format)), random.bytes(1 + random.int(25))]), format),
    () => Buffer.concat([encode(), random.bytes(1 + random.int(40))]),
    () => encode().subarray(0, -1 - random.int(idBytes(format) + 4)),
    () => {
      const pack = encode();
      pack[pack.length - 1]! ^= 1;
      return pack;
    },
    () => signPack(mutateBytes(encode().subarray(0, -idBytes(format)), random), format),
  ])();
}
