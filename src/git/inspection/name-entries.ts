import { createHash } from "node:crypto";
import type { ObjectType } from "../cat-file.ts";
import { hashBytes } from "../pack-entry-header.ts";
import type { ObjectFormat } from "../push-command.ts";
import { OFS_DELTA, TYPE_NAMES, type PackEntries } from "./pack-entries.ts";
import type { Turns } from "./turns.ts";
import type { UnpackedEntries } from "./unpacked-entries.ts";

/** An old object that a delta of a thin pack builds on. */
export interface OldBase {
  readonly oid: string;
  readonly type: ObjectType;
  readonly content: Buffer;
}

export interface NameEntriesOptions {
  /** All of them in memory. */
  readonly entries: PackEntries;
  readonly unpacked: UnpackedEntries;
  readonly format: ObjectFormat;
  /** Reads those of the ids that are old objects; null: not in little memory. */
  readonly readOld: (oids: readonly string[]) => Promise<readonly OldBase[] | null>;
  readonly turns: Turns;
}

/**
 * Deltas by name are looked for in the pack so often, as each may wait for the next. git makes no pack that needs more than
 * two; one that is made to need many is left to git.
 */
const MAX_ROUNDS = 8;

/**
 * Gives every entry of a pack its object's id, made of its content, as `git index-pack --fix-thin` does, and puts the old objects
 * behind them that deltas build on. Of a small pack that is done before git has begun.
 * @returns the ids, one after the other; null where git has to do it, which also knows what is wrong
 * @throws GatewayError `pack_invalid`, and those of reading old objects
 */
export async function nameEntries(options: NameEntriesOptions): Promise<Buffer | null> {
  const takeBack = options.entries.mark();
  let ids: Buffer | null = null;
  try {
    ids = await tryToName(options);
    return ids;
  } finally {
    if (ids === null) takeBack();
  }
}

async function tryToName({ entries, unpacked, format, readOld, turns }: NameEntriesOptions): Promise<Buffer | null> {
  const idBytes = hashBytes(format);
  const sent = entries.count;
  let ids = Buffer.alloc(sent * idBytes);
  const places = new Map<string, number>();
  const hasNames = entries.baseNames().length > 0;

  /** @returns false when it cannot be made of what is in memory */
  const name = (entry: number): boolean => {
    const content = unpacked.content(entry);
    const type = TYPE_NAMES[entries.type(entry)];
    if (content === null || type === undefined || type === null) return false;
    const id = idOf(format, type, content);
    ids.set(id, entry * idBytes);
    if (hasNames) places.set(id.toString("latin1"), entry);
    return true;
  };

  let left: number[] = Array.from({ length: sent }, (_, entry) => entry);
  for (let round = 0; left.length > 0; round++) {
    if (round === MAX_ROUNDS) return null;
    const waiting: number[] = [];
    for (const entry of left) {
      if (turns.due) await turns.take();
      if (entries.type(entry) >= OFS_DELTA) {
        const named = entries.baseName(entry);
        const base = named === null ? (entries.base(entry) ?? -1) : (places.get(named.toString("latin1")) ?? -1);
        if (base === -1 || entries.type(base) >= OFS_DELTA) {
          waiting.push(entry);
          continue;
        }
        entries.settle(entry, base);
      }
      if (!name(entry)) return null;
    }
    if (waiting.length === left.length) {
      const wanted = new Set<string>();
      for (const entry of waiting) {
        const named = entries.baseName(entry);
        if (named !== null && !places.has(named.toString("latin1"))) wanted.add(named.toString("hex"));
      }
      const bases = wanted.size === 0 ? null : await readOld([...wanted]);
      if (bases === null || bases.length === 0) return null;
      entries.reserve(bases.length);
      const grown = Buffer.alloc(ids.length + bases.length * idBytes);
      grown.set(ids);
      ids = grown;
      for (const { oid, type, content } of bases) {
        const offset = Number.MAX_SAFE_INTEGER - bases.length + entries.count;
        entries.add({ offset, type: TYPE_NAMES.indexOf(type), base: null }, content.length, content);
        if (!name(entries.count - 1)) return null;
        // The cache is damaged: git says it better.
        if (places.get(Buffer.from(oid, "hex").toString("latin1")) !== entries.count - 1) return null;
      }
    }
    left = waiting;
  }
  return ids;
}

function idOf(format: ObjectFormat, type: ObjectType, content: Buffer): Buffer {
  return createHash(format).update(`${type} ${content.length}\0`).update(content).digest();
}
