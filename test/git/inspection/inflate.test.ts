import { constants, deflateSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SmallInflater } from "../../../src/git/inspection/inflate.ts";

const inflater = new SmallInflater(70_000);

const content = fc.oneof(
  fc.uint8Array({ maxLength: 3_000 }),
  fc
    .array(fc.constantFrom("the ", "same ", "words ", "\n", "x"), { maxLength: 5_000 })
    .map((words) => Buffer.from(words.join(""))),
  fc.tuple(fc.nat(255), fc.nat(70_000)).map(([byte, length]) => Buffer.alloc(length, byte)),
  fc
    .array(
      fc.nat(20).map((n) => n * n),
      { maxLength: 20_000 },
    )
    .map((bytes) => Buffer.from(bytes)),
);

const settings = fc.record({
  level: fc.constantFrom(0, 1, 6, 9),
  strategy: fc.constantFrom(constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE),
  memLevel: fc.constantFrom(1, 8, 9),
});

test("what zlib packs comes out whole, and what stands behind it stays", () => {
  fc.assert(
    fc.property(content, settings, fc.uint8Array({ maxLength: 40 }), (bytes, options, behind) => {
      const packed = deflateSync(bytes, options);
      const inflated = inflater.inflate(Buffer.concat([packed, behind]), bytes.length);
      expect(inflated?.consumed).toBe(packed.length);
      expect(inflated?.content.equals(bytes)).toBe(true);
    }),
    { numRuns: 400 },
  );
});

test("what is cut off, changed, or of another size is zlib's to judge", () => {
  fc.assert(
    fc.property(content, settings, fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, options, place, change) => {
      const packed = deflateSync(bytes, options);
      expect(inflater.inflate(packed.subarray(0, place % packed.length), bytes.length)).toBeNull();
      expect(inflater.inflate(packed, bytes.length + 1)).toBeNull();
      if (bytes.length > 0) expect(inflater.inflate(packed, bytes.length - 1)).toBeNull();
      packed[place % packed.length]! ^= change;
      const inflated = inflater.inflate(packed, bytes.length);
      // Bits that mean nothing may change; what comes out may not.
      if (inflated !== null) expect(inflated.content.equals(bytes)).toBe(true);
    }),
    { numRuns: 400 },
  );
});
