import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BLANK,
  createLineHasher,
  lineWeight,
  normaliseLine,
  packHashes,
  unpackHashes,
} from "../../src/attribution/fingerprints.ts";
import { GatewayError } from "../../src/errors.ts";

const key = Buffer.from("a key of the gateway");

describe("normaliseLine", () => {
  it.each([
    ["  const a = 'x';", 'const a = "x"'],
    ["\tfoo( a,b ),", "foo(a, b)"],
    ["return `x`\r", "return 'x';"],
    ["say(“hello”);", 'say("hello")'],
    ["f();;", "f()"],
  ])("%j equals %j", (left, right) => {
    expect(normaliseLine(left)).toBe(normaliseLine(right));
  });

  it("keeps what changes the meaning", () => {
    expect(normaliseLine("a = b")).not.toBe(normaliseLine("a = c"));
    expect(normaliseLine("f(a, b)")).not.toBe(normaliseLine("f(ab)"));
  });

  it("takes linear time on a line of semicolons", () => {
    expect(normaliseLine(`${";".repeat(2_000_000)}x`)).toHaveLength(2_000_001);
  });
});

describe("createLineHasher", () => {
  it("gives the same numbers on every platform and in every release: the index lives longer than both", () => {
    const plain = createLineHasher(null);
    const keyed = createLineHasher(key);
    expect(["const total = sum(items);", "naïve", ""].map(plain)).toEqual([8636145018259428, 8224122723633932, 0]);
    expect(["const total = sum(items);", "naïve", ""].map(keyed)).toEqual([6804213789933398, 8600882571928693, 0]);
  });

  it("gives safe integers, 0 for blank lines alone", () => {
    const hashLine = createLineHasher(key);
    fc.assert(
      fc.property(fc.string(), (line) => {
        const value = hashLine(line);
        expect(Number.isSafeInteger(value)).toBe(true);
        expect(value === BLANK).toBe(normaliseLine(line) === "");
      }),
    );
  });

  it("takes lone surrogates", () => {
    expect(createLineHasher(key)("a\ud800b")).toBeGreaterThan(0);
  });
});

describe("lineWeight", () => {
  it.each(["", "}", "});", "} else {", "end", "a = b;", "// ------------", "12345 67890"])(
    "%j says nothing",
    (line) => {
      expect(lineWeight(line)).toBe(0);
    },
  );

  it("rises with what the line holds, to 2", () => {
    const short = lineWeight("return null;");
    const usual = lineWeight("const user = await findUser(id);");
    expect(short).toBeGreaterThan(0);
    expect(usual).toBeGreaterThan(short);
    expect(lineWeight("word ".repeat(100_000))).toBe(2);
  });

  it("says the same of ASCII as of the same line with a character beyond it that says nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii", maxLength: 120 }), (line) => {
        expect(lineWeight(line)).toBe(lineWeight(`${line}\u00a0`));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("packHashes", () => {
  it("writes 8 bytes a line, big-endian", () => {
    expect(packHashes([1, 2 ** 53 - 1]).toString("hex")).toBe("0000000000000001001fffffffffffff");
  });

  it("comes back as it was", () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat()), (hashes) => {
        expect([...unpackHashes(packHashes(hashes))]).toEqual(hashes);
      }),
    );
  });

  it.each(["00", "ffffffffffffffff", "0020000000000000"])("refuses %s, which it cannot have written", (hex) => {
    expect(() => unpackHashes(Buffer.from(hex, "hex"))).toThrow(GatewayError);
  });
});
