/** Scratch, all zeros between calls: candidates are many on hostile text, and an array each would cost more than the sum. */
const counts = new Uint32Array(65_536);

/** Shannon entropy in bits per UTF-16 code unit: 0 for "aaaa", 4 for sixteen different ones. */
export function entropyOf(text: string): number {
  for (let i = 0; i < text.length; i++) counts[text.charCodeAt(i)]!++;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const share = counts[code]! / text.length;
    if (share > 0) bits -= share * Math.log2(share);
    counts[code] = 0;
  }
  return bits;
}
