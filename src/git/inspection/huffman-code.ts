export const MAX_BITS = 15;
/** Codes of so many bits are looked up at once. */
export const FAST_BITS = 9;

/** A canonical Huffman code (RFC 1951, 3.2.2). */
export class HuffmanCode {
  /** How many codes of each length. */
  readonly counts = new Uint16Array(MAX_BITS + 1);
  /** In the order of their codes. */
  readonly symbols = new Uint16Array(288);
  /** By the next bits: symbol × 16 + length; 0 for longer codes, and for none. */
  readonly fast = new Uint16Array(1 << FAST_BITS);
  readonly #offsets = new Uint16Array(MAX_BITS + 2);
  readonly #next = new Uint16Array(MAX_BITS + 2);

  /** @returns whether the lengths make a code that is complete, or has a single symbol */
  build(lengths: Uint8Array, begin: number, end: number): boolean {
    const { counts, symbols, fast } = this;
    counts.fill(0);
    for (let at = begin; at < end; at++) counts[lengths[at] ?? 0]!++;
    let left = 1;
    let code = 0;
    this.#offsets[1] = 0;
    for (let bits = 1; bits <= MAX_BITS; bits++) {
      left = left * 2 - (counts[bits] ?? 0);
      if (left < 0) return false;
      this.#next[bits] = code;
      code = (code + (counts[bits] ?? 0)) << 1;
      this.#offsets[bits + 1] = (this.#offsets[bits] ?? 0) + (counts[bits] ?? 0);
    }
    const used = end - begin - (counts[0] ?? 0);
    if (left > 0 && (used > 1 || counts[1] !== used)) return false;
    fast.fill(0);
    for (let at = begin; at < end; at++) {
      const bits = lengths[at] ?? 0;
      if (bits === 0) continue;
      symbols[this.#offsets[bits]!++] = at - begin;
      const value = this.#next[bits]!++;
      if (bits > FAST_BITS) continue;
      let reversed = 0;
      for (let bit = 0; bit < bits; bit++) reversed |= ((value >> bit) & 1) << (bits - 1 - bit);
      for (let slot = reversed; slot < fast.length; slot += 1 << bits) fast[slot] = ((at - begin) << 4) | bits;
    }
    return true;
  }
}

const fixedLengths = new Uint8Array(288 + 30)
  .fill(8, 0, 144)
  .fill(9, 144, 256)
  .fill(7, 256, 280)
  .fill(8, 280, 288)
  .fill(5, 288);
/** Those of blocks that bring none (RFC 1951, 3.2.6). */
export const FIXED_LITERALS = new HuffmanCode();
FIXED_LITERALS.build(fixedLengths, 0, 288);
export const FIXED_DISTANCES = new HuffmanCode();
// Two of the 32 codes mean nothing.
FIXED_DISTANCES.build(new Uint8Array(32).fill(5), 0, 32);
