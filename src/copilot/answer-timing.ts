/**
 * How an answer came, so that it can be replayed: a bounded list of moments, whatever the answer's length. What follows within the
 * same gap counts as one moment; where the list would grow past its bound, every second moment goes and the gap doubles.
 */
import type { TimingPoint } from "../model/answer-timing.ts";

/** About two frames of a screen: nobody sees more. */
const GAP_MS = 32;
const MAX_POINTS = 240;

export interface AnswerTiming {
  /** @param length characters of the answer so far; it never shrinks */
  note(length: number): void;
  points(): readonly TimingPoint[];
}

/** @param now milliseconds, from wherever */
export function createAnswerTiming(now: () => number): AnswerTiming {
  let points: { length: number; ms: number }[] = [];
  let gap = GAP_MS;
  let began: number | null = null;

  return {
    note(length) {
      const at = now();
      began ??= at;
      const last = points.at(-1);
      // A clock that is set back makes nothing come before what came before it.
      const ms = Math.max(at - began, last?.ms ?? 0);
      if (length <= (last?.length ?? 0)) return;
      if (last !== undefined && ms - last.ms < gap) {
        last.length = length;
        return;
      }
      points.push({ length, ms });
      if (points.length <= MAX_POINTS) return;
      gap *= 2;
      points = points
        .filter((_, index) => index % 2 === 0)
        .map((point, index) => ({ ms: point.ms, length: points[index * 2 + 1]?.length ?? point.length }));
    },
    points: () => points,
  };
}
