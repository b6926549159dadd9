/**
 * Marvin32, the keyed checksum in Microsoft's annotated keys. Not a cryptographic hash: it tells a key from a look-alike.
 * Source: https://github.com/microsoft/security-utilities (`Marvin`)
 */

const rotated = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

/** @returns the checksum as an unsigned number of 32 bits. */
export function marvin32(bytes: Uint8Array, seed: { readonly low: number; readonly high: number }): number {
  let low = seed.low;
  let high = seed.high;
  const mix = (): void => {
    high ^= low;
    low = (rotated(low, 20) + high) | 0;
    high = rotated(high, 9) ^ low;
    low = (rotated(low, 27) + high) | 0;
    high = rotated(high, 19);
  };
  const whole = bytes.length - (bytes.length % 4);
  for (let i = 0; i < whole; i += 4) {
    low = (low + (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))) | 0;
    mix();
  }
  let last = 0x80;
  for (let i = bytes.length - 1; i >= whole; i--) last = (last << 8) | bytes[i]!;
  low = (low + last) | 0;
  mix();
  mix();
  return (low ^ high) >>> 0;
}
