import type { ObjectType } from "../cat-file.ts";
import type { BlobDigest } from "./blob-digest.ts";
import { HeldBytes } from "./held-bytes.ts";

/** Types of pack entries (gitformat-pack, "Object types"). */
export const COMMIT = 1;
export const BLOB = 3;
export const OFS_DELTA = 6;
export const REF_DELTA = 7;
export const TYPE_NAMES: readonly (ObjectType | null)[] = [null, "commit", "tree", "blob", "tag"];

/** No base: the object is whole. */
const WHOLE = 0xffffffff;
/** The base is named by its id, which stands among the names at this place. */
const NAMED = 0x80000000;

export interface PackEntry {
  /** Where it begins in the pack. */
  readonly offset: number;
  /** As the entry's header says. */
  readonly type: number;
  /** Of a delta: where its base's entry begins, or the base's id. */
  readonly base: number | Buffer | null;
}

/** Room is made as entries come: a header of twelve bytes may announce a million of them. */
const FIRST_CAPACITY = 1024;

/** What the entries of a pack are, in the order of the pack, in some 40 bytes each; and the contents of as many as there is room for. */
export class PackEntries {
  #offsets: Float64Array;
  #types: Uint8Array;
  /** Of the object, unpacked; for a delta what it makes. */
  #sizes: Float64Array;
  #bases: Uint32Array;
  #addresses: Float64Array;
  #lengths: Uint32Array;
  #count = 0;
  #names: Buffer[] = [];
  readonly #digests = new Map<number, BlobDigest>();
  #isWhole = true;
  #hasOffsets = false;
  /** Room for what is kept of them. */
  readonly held = new HeldBytes();

  /** @param announced how many are to come */
  constructor(announced: number) {
    const capacity = Math.min(announced, FIRST_CAPACITY);
    this.#offsets = new Float64Array(capacity);
    this.#types = new Uint8Array(capacity);
    this.#sizes = new Float64Array(capacity);
    this.#bases = new Uint32Array(capacity);
    this.#addresses = new Float64Array(capacity);
    this.#lengths = new Uint32Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  /** Whether a delta names its base by where that stands in the pack. */
  get hasOffsets(): boolean {
    return this.#hasOffsets;
  }

  /** The ids by which deltas name their bases. */
  baseNames(): string[] {
    return [...new Set(this.#names.map((name) => name.toString("hex")))];
  }

  /** Whether the contents of all entries so far are in memory. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Makes room for so many more entries. */
  reserve(more: number): void {
    const grown = <T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T => {
      to.set(from.subarray(0, this.#count));
      return to;
    };
    const capacity = this.#count + more;
    this.#offsets = grown(this.#offsets, new Float64Array(capacity));
    this.#types = grown(this.#types, new Uint8Array(capacity));
    this.#sizes = grown(this.#sizes, new Float64Array(capacity));
    this.#bases = grown(this.#bases, new Uint32Array(capacity));
    this.#addresses = grown(this.#addresses, new Float64Array(capacity));
    this.#lengths = grown(this.#lengths, new Uint32Array(capacity));
  }

  /**
   * Notes the next entry.
   * @param content unpacked, of a delta the delta itself; kept where there is room
   * @returns false when a delta's base does not begin at any entry before
   */
  add({ offset, type, base }: PackEntry, size: number, content: Uint8Array | null): boolean {
    if (this.#count === this.#offsets.length) this.reserve(Math.max(FIRST_CAPACITY, this.#count));
    const at = this.#count++;
    this.#offsets[at] = offset;
    this.#types[at] = type;
    this.#sizes[at] = size;
    this.#bases[at] = WHOLE;
    if (typeof base === "number") {
      const found = this.find(base);
      if (found === -1 || found === at) return false;
      this.#bases[at] = found;
      this.#hasOffsets = true;
    } else if (base !== null) {
      this.#bases[at] = NAMED + this.#names.length;
      this.#names.push(Buffer.from(base));
    }
    const address = content === null ? null : this.held.put(content);
    if (address === null) this.#isWhole = false;
    this.#addresses[at] = address ?? -1;
    this.#lengths[at] = content?.length ?? 0;
    return true;
  }

  /** The entry that begins at this offset; −1 where none does. */
  find(offset: number): number {
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#offsets[middle] ?? 0;
      if (found === offset) return middle;
      if (found < offset) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /**
   * Follows all deltas to the objects that they are made from: after this every entry has its object's type.
   * @param placeOf the entry of an id; −1 for none
   * @returns false when one leads nowhere
   */
  resolveBases(placeOf: (id: Buffer) => number): boolean {
    for (let at = 0; at < this.#count; at++) {
      const base = this.#bases[at] ?? WHOLE;
      if (base === WHOLE || base < NAMED) continue;
      const place = placeOf(this.#names[base - NAMED] ?? Buffer.alloc(0));
      if (place === -1) return false;
      this.#bases[at] = place;
    }
    this.#names = [];
    const chain: number[] = [];
    for (let at = 0; at < this.#count; at++) {
      let root = at;
      while ((this.#types[root] ?? 0) >= OFS_DELTA) {
        chain.push(root);
        root = this.#bases[root] ?? 0;
        if (chain.length > this.#count) return false;
      }
      const type = this.#types[root] ?? 0;
      for (let entry = chain.pop(); entry !== undefined; entry = chain.pop()) this.#types[entry] = type;
    }
    return true;
  }

  /** The id of a delta's base, where the entry names it by that and {@link settle} has not told yet which entry it is. */
  baseName(at: number): Buffer | null {
    const base = this.#bases[at] ?? WHOLE;
    return base === WHOLE || base < NAMED ? null : (this.#names[base - NAMED] ?? null);
  }

  /** Notes which entry a delta builds on, one that has its object's type already, and with it the delta's own. */
  settle(at: number, base: number): void {
    this.#bases[at] = base;
    this.#types[at] = this.#types[base] ?? 0;
  }

  /** @returns what takes everything back that is settled or added from now on */
  mark(): () => void {
    const [count, isWhole] = [this.#count, this.#isWhole];
    const [bases, types] = [this.#bases.slice(), this.#types.slice()];
    return () => {
      this.#count = count;
      this.#isWhole = isWhole;
      this.#bases.set(bases);
      this.#types.set(types);
    };
  }

  /** The number of the object's type; see {@link TYPE_NAMES}. Of a delta whose base is not known yet its own. */
  type(at: number): number {
    return this.#types[at] ?? 0;
  }

  size(at: number): number {
    return this.#sizes[at] ?? 0;
  }

  /** The entry that this one is a delta of; null for a whole object, and for a base that is known by its name alone. */
  base(at: number): number | null {
    const base = this.#bases[at] ?? WHOLE;
    return base === WHOLE || base >= NAMED ? null : base;
  }

  /** What was unpacked of it; null where there was no room. */
  content(at: number): Buffer | null {
    const address = this.#addresses[at] ?? -1;
    return address < 0 ? null : this.held.get(address, this.#lengths[at] ?? 0);
  }

  /** What was found in the last entry, which is too large to be kept. */
  addDigest(digest: BlobDigest): void {
    this.#digests.set(this.#count - 1, digest);
  }

  digest(at: number): BlobDigest | null {
    return this.#digests.get(at) ?? null;
  }

  release(): void {
    this.#digests.clear();
    this.held.release();
    this.#addresses.fill(-1);
  }
}
