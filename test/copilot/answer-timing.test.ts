import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createAnswerTiming } from "../../src/copilot/answer-timing.ts";
import { decodeTiming, encodeTiming } from "../../src/store/answer-timing.ts";

const timingOf = (notes: readonly (readonly [ms: number, length: number])[]) => {
  let now = 0;
  const timing = createAnswerTiming(() => now);
  for (const [ms, length] of notes) {
    now = ms;
    timing.note(length);
  }
  return timing.points();
};

describe("how an answer came", () => {
  it("is counted from its first bytes, in moments of some width", () => {
    const points = timingOf([
      [5_000, 0],
      [5_010, 3],
      [5_020, 7],
      [5_100, 7],
      [5_200, 9],
    ]);
    expect(points).toEqual([
      { length: 7, ms: 10 },
      { length: 9, ms: 200 },
    ]);
  });

  it("stays small however long the answer is, and keeps its end", () => {
    const points = timingOf(Array.from({ length: 50_000 }, (_, index) => [index * 40, index + 1] as const));
    expect(points.length).toBeLessThanOrEqual(240);
    expect(points.at(-1)?.length).toBe(50_000);
    expect(encodeTiming(points).length).toBeLessThan(1_500);
  });

  it("never goes back, whatever the clock does", () => {
    const moment = fc.tuple(fc.integer({ min: -1e6, max: 1e9 }), fc.nat({ max: 1e7 }));
    fc.assert(
      fc.property(fc.array(moment, { maxLength: 600 }), (notes) => {
        const points = timingOf(notes);
        for (const [index, point] of points.entries()) {
          expect(point.length).toBeGreaterThan(points[index - 1]?.length ?? 0);
          expect(point.ms).toBeGreaterThanOrEqual(points[index - 1]?.ms ?? 0);
        }
        expect(points.at(-1)?.length ?? 0).toBe(Math.max(0, ...notes.map(([, length]) => length)));
        expect(decodeTiming(encodeTiming(points))).toEqual(points);
      }),
      { numRuns: 200 },
    );
  });

  it("is read as far as it goes where its end is missing", () => {
    const bytes = encodeTiming([
      { length: 300, ms: 5 },
      { length: 70_000, ms: 90_000 },
    ]);
    expect(decodeTiming(bytes.subarray(0, -1))).toEqual([{ length: 300, ms: 5 }]);
    expect(decodeTiming(new Uint8Array())).toEqual([]);
  });
});
