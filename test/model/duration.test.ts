import { describe, expect, it } from "vitest";
import { parseDuration } from "../../src/model/duration.ts";

describe("parseDuration", () => {
  it.each([
    ["0s", 0],
    ["60s", 60_000],
    ["5m", 300_000],
    ["24h", 86_400_000],
    ["400d", 34_560_000_000],
  ])("%s is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "60", "s", "-1s", "1.5h", "1 h", "5M", "1w", "1h30m", "9999999999s", "constructor"])(
    "refuses %j",
    (text) => {
      expect(parseDuration(text)).toBeNull();
    },
  );
});
