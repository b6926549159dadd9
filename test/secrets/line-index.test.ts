import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createLineIndex } from "../../src/secrets/line-index.ts";

test("lines and columns count from one, columns in UTF-16 code units", () => {
  const at = createLineIndex("ab\n😀c\r\n\nd");
  expect([0, 2, 3, 5, 7, 8, 9, 10].map((offset) => Object.values(at(offset)).join(":"))).toEqual([
    "1:1",
    "1:3",
    "2:1",
    "2:3",
    "2:5",
    "3:1",
    "4:1",
    "4:2",
  ]);
});

test("a place leads back to its offset", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", "\n") }), fc.nat(), (text, n) => {
      const offset = n % (text.length + 1);
      const { line, column } = createLineIndex(text)(offset);
      const lines = text.split("\n");
      expect(lines.slice(0, line - 1).reduce((sum, l) => sum + l.length + 1, 0) + column - 1).toBe(offset);
    }),
  );
});
