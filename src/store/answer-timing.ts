/** The moments of an answer in a few hundred bytes: the differences to the moment before, each as LEB128, length and ms in turn. */
import type { TimingPoint } from "../model/answer-timing.ts";

export function encodeTiming(points: readonly TimingPoint[]): Buffer {
  const bytes: number[] = [];
  const put = (value: number): void => {
    let rest = value;
    while (rest >= 0x80) {
      bytes.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    bytes.push(rest);
  };
  let before: TimingPoint = { length: 0, ms: 0 };
  for (const point of points) {
    put(Math.max(0, point.length - before.length));
    put(Math.max(0, point.ms - before.ms));
    before = point;
  }
  return Buffer.from(bytes);
}

/** What is cut off at the end is left out. */
export function decodeTiming(bytes: Uint8Array): readonly TimingPoint[] {
  const points: TimingPoint[] = [];
  let at = 0;
  const take = (): number | null => {
    let value = 0;
    for (let unit = 1; at < bytes.length; unit *= 0x80) {
      const byte = bytes[at] ?? 0;
      at += 1;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
    return null;
  };
  let before: TimingPoint = { length: 0, ms: 0 };
  for (;;) {
    const [length, ms] = [take(), take()];
    if (length === null || ms === null) return points;
    before = { length: before.length + length, ms: before.ms + ms };
    points.push(before);
  }
}
