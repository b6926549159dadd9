/**
 * Which names the refs of an upstream had when they were last listed, so that a fetch, which asks for ids, can be recorded with
 * names. A help for readers and no more: bounded, forgotten first where nobody asks, and gone with the process.
 */
import { PktLineParser } from "./pkt-line.ts";

export interface RefNames {
  /** @param listing what it is a listing of, and for whom: others may be shown other refs */
  remember(listing: string, names: ReadonlyMap<string, readonly string[]>): void;
  /** The names of these ids, each once, in their order. */
  find(listing: string, oids: readonly string[]): readonly string[];
}

/** Names of one listing; the others are not known. */
const MAX_LISTED = 20_000;
/** Names of all listings together: some 200 bytes each. */
const MAX_NAMES = 100_000;

export function createRefNames(maxNames = MAX_NAMES): RefNames {
  const listings = new Map<string, ReadonlyMap<string, readonly string[]>>();
  let count = 0;
  const forget = (listing: string): void => {
    count -= listings.get(listing)?.size ?? 0;
    listings.delete(listing);
  };
  return {
    remember: (listing, names) => {
      forget(listing);
      if (names.size === 0 || names.size > maxNames) return;
      listings.set(listing, names);
      count += names.size;
      // The first of a Map is what was used longest ago.
      for (const oldest of listings.keys()) {
        if (count <= maxNames) break;
        forget(oldest);
      }
    },
    find: (listing, oids) => {
      const names = listings.get(listing);
      if (names === undefined) return [];
      listings.delete(listing);
      listings.set(listing, names);
      return [...new Set(oids.flatMap((oid) => names.get(oid) ?? []))];
    },
  };
}

/** Reads a listing as it passes: an advertisement of version 0 or 1, or an answer to `ls-refs`. What it cannot read it leaves out. */
export interface RefListingReader {
  push(chunk: Uint8Array): void;
  /** Object id → the names that it has. */
  readonly names: ReadonlyMap<string, readonly string[]>;
}

const LISTED = /^([0-9a-f]{40}|[0-9a-f]{64}) ([^ \0\n]+)/;

export function createRefListingReader(): RefListingReader {
  const packets = new PktLineParser();
  const names = new Map<string, string[]>();
  let count = 0;
  let isReadable = true;
  return {
    push: (chunk) => {
      if (!isReadable || count >= MAX_LISTED) return;
      try {
        for (const packet of packets.push(chunk)) {
          if (packet.kind !== "data" || count >= MAX_LISTED) continue;
          const [, oid, name] = LISTED.exec(packet.payload.toString("utf8")) ?? [];
          if (oid === undefined || name === undefined || name.endsWith("^{}") || name === ".have") continue;
          count += 1;
          const known = names.get(oid);
          if (known === undefined) names.set(oid, [name]);
          else known.push(name);
        }
      } catch {
        // No listing: whoever relays it finds that out too, and says so.
        isReadable = false;
      }
    },
    names,
  };
}
