/** What one push may hold in memory of what it unpacks; what is beyond is read from the disk again. */
const PUSH_BYTES = 32 * 1024 * 1024;
/** And all pushes of this process together. */
const PROCESS_BYTES = 96 * 1024 * 1024;
const FIRST_SLAB = 64 * 1024;
const SLAB = 1024 * 1024;

let heldByAll = 0;

/** Where contents stand: which slab, and where in it. */
const SLAB_UNIT = 2 ** 32;

/**
 * Many small contents in few large buffers: a buffer object for each of a hundred thousand would cost more than what is in
 * them.
 */
export class HeldBytes {
  #slabs: Buffer[] = [];
  #at = 0;
  #held = 0;

  /** Keeps a copy. @returns its address; null when there is no room for it */
  put(bytes: Uint8Array): number | null {
    const last = this.#slabs.at(-1);
    if (last === undefined || this.#at + bytes.length > last.length) {
      const size = Math.max(bytes.length, last === undefined ? FIRST_SLAB : SLAB);
      if (this.#held + size > PUSH_BYTES || heldByAll + size > PROCESS_BYTES) return null;
      this.#held += size;
      heldByAll += size;
      this.#slabs.push(Buffer.allocUnsafeSlow(size));
      this.#at = 0;
    }
    const address = (this.#slabs.length - 1) * SLAB_UNIT + this.#at;
    this.#slabs.at(-1)?.set(bytes, this.#at);
    this.#at += bytes.length;
    return address;
  }

  get(address: number, length: number): Buffer {
    const begin = address % SLAB_UNIT;
    return this.#slabs[Math.floor(address / SLAB_UNIT)]?.subarray(begin, begin + length) ?? Buffer.alloc(0);
  }

  release(): void {
    heldByAll -= this.#held;
    this.#held = 0;
    this.#slabs = [];
  }
}
