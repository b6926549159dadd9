import { expect, it } from "vitest";
import { formatByteSize, parseByteSize } from "../../src/model/byte-size.ts";

it.each([
  ["512", 512],
  ["512B", 512],
  ["10kB", 10_000],
  ["10KB", 10_000],
  ["10KiB", 10_240],
  ["10MB", 10_000_000],
  ["10MiB", 10_485_760],
  ["2 GiB", 2_147_483_648],
  ["1.5GB", 1_500_000_000],
  ["0", 0],
])("%s is %d bytes", (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes);
});

it.each(["", "MB", "-1", "1e3", "10mb", "10M", "10  MB", " 1", "1 ", "1.MB", "1.5B", "0x10", "9999999TiB", "１MB"])(
  "“%s” is no size",
  (text) => {
    expect(parseByteSize(text)).toBeNull();
  },
);

it.each([
  [1, "1 byte"],
  [999, "999 bytes"],
  [10_000_000, "10 MB"],
  [10_485_760, "10 MiB"],
  [1_500_000_000, "1500 MB"],
  [10_000_001, "10000001 bytes"],
])("%d is told as %s", (bytes, text) => {
  expect(formatByteSize(bytes)).toBe(text);
});
