/**
 * Inflates small zlib streams (RFC 1950 around RFC 1951) in one go, without an engine for each: a pack has thousands of them of
 * a hundred bytes, and making zlib's own takes longer than all the rest.
 *
 * It answers only for streams that are whole and right; what it makes nothing of is zlib's to judge.
 */
import { FAST_BITS, FIXED_DISTANCES, FIXED_LITERALS, HuffmanCode, MAX_BITS } from "./huffman-code.ts";

const END_OF_BLOCK = 256;

const LENGTH_BASE = Uint16Array.from([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]);
const LENGTH_EXTRA = Uint8Array.from([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
]);
const DISTANCE_BASE = Uint16Array.from([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577,
]);
const DISTANCE_EXTRA = Uint8Array.from([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]);
/** RFC 1951, 3.2.7: in what order the lengths of the code lengths' own codes come. */
const LENGTHS_ORDER = Uint8Array.from([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);

const NO_SYMBOL = -1;

export class SmallInflater {
  readonly #output: Buffer;
  readonly #literals = new HuffmanCode();
  readonly #distances = new HuffmanCode();
  readonly #lengths = new Uint8Array(320);
  #input: Uint8Array = new Uint8Array(0);
  #at = 0;
  #hold = 0;
  #bits = 0;
  #end = 0;
  #size = 0;

  /** @param maxBytes of what comes out */
  constructor(maxBytes: number) {
    this.#output = Buffer.allocUnsafeSlow(maxBytes);
  }

  /**
   * @param size what comes out, exactly
   * @returns how much of `input` belongs to the stream, and what it holds (until the next call); null for zlib to judge
   */
  inflate(input: Uint8Array, size: number): { readonly consumed: number; readonly content: Buffer } | null {
    const header = ((input[0] ?? 0) << 8) | (input[1] ?? 0);
    if (size > this.#output.length || (header & 0x0f20) !== 0x0800 || header % 31 !== 0) return null;
    this.#input = input;
    this.#size = size;
    this.#at = 2;
    this.#hold = 0;
    this.#bits = 0;
    this.#end = 0;
    for (let isLast = false; !isLast;) {
      const block = this.#take(3);
      if (block === NO_SYMBOL) return null;
      isLast = (block & 1) === 1;
      const kind = block >> 1;
      const isRight =
        kind === 0
          ? this.#stored()
          : kind === 1
            ? this.#packed(FIXED_LITERALS, FIXED_DISTANCES)
            : kind === 2 && this.#readCodes() && this.#packed(this.#literals, this.#distances);
      if (!isRight) return null;
    }
    this.#at -= this.#bits >> 3;
    const content = this.#output.subarray(0, size);
    if (this.#end !== size || this.#at + 4 > input.length || adler32(content) !== this.#trailer()) return null;
    return { consumed: this.#at + 4, content };
  }

  #trailer(): number {
    const [a, b, c, d] = this.#input.subarray(this.#at, this.#at + 4);
    return (((a ?? 0) << 24) | ((b ?? 0) << 16) | ((c ?? 0) << 8) | (d ?? 0)) >>> 0;
  }

  /** The next bits as a number; {@link NO_SYMBOL} behind the end of the input. */
  #take(bits: number): number {
    while (this.#bits < bits) {
      const byte = this.#input[this.#at++];
      if (byte === undefined) return NO_SYMBOL;
      this.#hold |= byte << this.#bits;
      this.#bits += 8;
    }
    const value = this.#hold & ((1 << bits) - 1);
    this.#hold >>>= bits;
    this.#bits -= bits;
    return value;
  }

  #symbol({ fast, counts, symbols }: HuffmanCode): number {
    while (this.#bits < MAX_BITS) {
      const byte = this.#input[this.#at++];
      // Four more bytes follow the last code of a whole stream.
      if (byte === undefined) return NO_SYMBOL;
      this.#hold |= byte << this.#bits;
      this.#bits += 8;
    }
    const entry = fast[this.#hold & ((1 << FAST_BITS) - 1)] ?? 0;
    if (entry !== 0) {
      this.#hold >>>= entry & 15;
      this.#bits -= entry & 15;
      return entry >> 4;
    }
    let code = 0;
    let first = 0;
    let index = 0;
    for (let bits = 1; bits <= MAX_BITS; bits++) {
      code |= (this.#hold >> (bits - 1)) & 1;
      const count = counts[bits] ?? 0;
      if (code - count < first) {
        this.#hold >>>= bits;
        this.#bits -= bits;
        return symbols[index + (code - first)] ?? NO_SYMBOL;
      }
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    return NO_SYMBOL;
  }

  #stored(): boolean {
    this.#at -= this.#bits >> 3;
    this.#hold = 0;
    this.#bits = 0;
    const [a, b, c, d] = this.#input.subarray(this.#at, this.#at + 4);
    if (a === undefined || b === undefined || c === undefined || d === undefined) return false;
    const length = a | (b << 8);
    if (length !== (~(c | (d << 8)) & 0xffff)) return false;
    const begin = this.#at + 4;
    if (begin + length > this.#input.length || this.#end + length > this.#size) return false;
    this.#output.set(this.#input.subarray(begin, begin + length), this.#end);
    this.#at = begin + length;
    this.#end += length;
    return true;
  }

  #readCodes(): boolean {
    const literals = this.#take(5) + 257;
    const distances = this.#take(5) + 1;
    const count = this.#take(4) + 4;
    if (literals > 286 || distances > 30 || count < 4 || distances < 1 || literals < 257) return false;
    const lengths = this.#lengths;
    lengths.fill(0, 0, 19);
    for (let at = 0; at < count; at++) {
      const length = this.#take(3);
      if (length === NO_SYMBOL) return false;
      lengths[LENGTHS_ORDER[at] ?? 0] = length;
    }
    if (!this.#literals.build(lengths, 0, 19)) return false;
    const total = literals + distances;
    for (let at = 0; at < total;) {
      const symbol = this.#symbol(this.#literals);
      if (symbol === NO_SYMBOL) return false;
      if (symbol < 16) {
        lengths[at++] = symbol;
        continue;
      }
      if (symbol === 16 && at === 0) return false;
      const value = symbol === 16 ? (lengths[at - 1] ?? 0) : 0;
      const extra = symbol === 16 ? this.#take(2) : this.#take(symbol === 17 ? 3 : 7);
      if (extra === NO_SYMBOL) return false;
      const times = extra + (symbol === 18 ? 11 : 3);
      if (at + times > total) return false;
      lengths.fill(value, at, at + times);
      at += times;
    }
    if (lengths[END_OF_BLOCK] === 0) return false;
    return this.#literals.build(lengths, 0, literals) && this.#distances.build(lengths, literals, total);
  }

  #packed(literals: HuffmanCode, distances: HuffmanCode): boolean {
    const output = this.#output;
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol < END_OF_BLOCK) {
        if (symbol === NO_SYMBOL || this.#end >= this.#size) return false;
        output[this.#end++] = symbol;
        continue;
      }
      if (symbol === END_OF_BLOCK) return true;
      const kind = symbol - END_OF_BLOCK - 1;
      const extra = this.#take(LENGTH_EXTRA[kind] ?? 0);
      const far = this.#symbol(distances);
      if (kind >= LENGTH_BASE.length || extra === NO_SYMBOL || far === NO_SYMBOL || far >= DISTANCE_BASE.length)
        return false;
      const more = this.#take(DISTANCE_EXTRA[far] ?? 0);
      const length = (LENGTH_BASE[kind] ?? 0) + extra;
      const distance = (DISTANCE_BASE[far] ?? 0) + more;
      let to = this.#end;
      if (more === NO_SYMBOL || distance > to || to + length > this.#size) return false;
      for (const stop = to + length; to < stop; to++) output[to] = output[to - distance] ?? 0;
      this.#end = to;
    }
  }
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length;) {
    // So many at a time, and the sums stay exact.
    for (const stop = Math.min(at + 3800, bytes.length); at < stop; at++) {
      a += bytes[at] ?? 0;
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}
