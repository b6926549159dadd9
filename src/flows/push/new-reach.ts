/**
 * Which new objects each ref of a push reaches. Tens of thousands of refs may reach tens of thousands of commits each: one bit
 * for each pair, of which so many are kept as there is room for, and made again when they are asked for again.
 */
import type { NewObjects } from "../../git/new-objects.ts";

export type ReachedObjects = Pick<
  NewObjects,
  "commits" | "graph" | "tags" | "tagTargets" | "looseBlobs" | "looseNames"
>;

/** Of bits that are kept for one push. */
const KEPT_BYTES = 8 * 1024 * 1024;

export class NewReach {
  readonly #tagTargets: ReadonlyMap<string, string>;
  /** Commits first, in their order. */
  readonly #places = new Map<string, number>();
  readonly #parents: (readonly number[])[] = [];
  readonly #kept = new Map<string, Uint8Array>();
  readonly #maxKept: number;
  #last: { readonly newOid: string; readonly bits: Uint8Array } | null = null;

  constructor(objects: ReachedObjects, keptBytes = KEPT_BYTES) {
    this.#tagTargets = objects.tagTargets;
    for (const oid of objects.commits) this.#places.set(oid, this.#places.size);
    for (const oid of objects.commits) {
      const parents = objects.graph.get(oid)?.parents ?? [];
      this.#parents.push(parents.flatMap((parent) => this.#places.get(parent) ?? []));
    }
    const loose = [...objects.looseBlobs, ...objects.looseNames].map(({ root }) => root);
    for (const oid of [...objects.tags, ...loose]) if (!this.#places.has(oid)) this.#places.set(oid, this.#places.size);
    this.#maxKept = Math.max(1, Math.floor(keptBytes / this.#rowBytes));
  }

  /** Whether the ref at `newOid` reaches a new commit, tag, or what a ref or tag points at. Holds nothing itself. */
  from(newOid: string): (root: string) => boolean {
    return (root) => {
      const place = this.#places.get(root);
      return place !== undefined && ((this.#bitsOf(newOid)[place >> 3] ?? 0) & (1 << (place & 7))) !== 0;
    };
  }

  get #rowBytes(): number {
    return (this.#places.size >> 3) + 1;
  }

  /** Refs are asked about one after the other: the last one's are at hand without a look. */
  #bitsOf(newOid: string): Uint8Array {
    if (this.#last?.newOid === newOid) return this.#last.bits;
    let bits = this.#kept.get(newOid);
    if (bits === undefined) {
      bits = this.#mark(newOid);
      // Those that were made first are asked for first again: whoever goes through all refs twice finds some of them here.
      if (this.#kept.size < this.#maxKept) this.#kept.set(newOid, bits);
    }
    this.#last = { newOid, bits };
    return bits;
  }

  #mark(newOid: string): Uint8Array {
    const bits = new Uint8Array(this.#rowBytes);
    const mark = (place: number): boolean => {
      const byte = bits[place >> 3] ?? 0;
      const bit = 1 << (place & 7);
      if ((byte & bit) !== 0) return false;
      bits[place >> 3] = byte | bit;
      return true;
    };
    let target = newOid;
    for (let at: string | undefined = newOid; at !== undefined; at = this.#tagTargets.get(at)) {
      const place = this.#places.get(at);
      if (place !== undefined) mark(place);
      target = at;
    }
    const stack = [this.#places.get(target) ?? -1];
    for (let place = stack.pop(); place !== undefined; place = stack.pop()) {
      for (const parent of this.#parents[place] ?? []) if (mark(parent)) stack.push(parent);
    }
    return bits;
  }
}
