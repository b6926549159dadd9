import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FLUSH_PKT } from "../../src/git/pkt-line.ts";
import { encodeSideband, MAX_BAND_PAYLOAD, MAX_SMALL_BAND_PAYLOAD, SidebandDemux } from "../../src/git/sideband.ts";
import { endsWell, everySplit } from "./splits.ts";

const demux = (chunks: readonly Buffer[]): Map<number, string> => {
  const stream = new SidebandDemux();
  const bands = new Map<number, string>();
  for (const part of chunks.flatMap((chunk) => stream.push(chunk))) {
    if (part.band !== "flush") bands.set(part.band, (bands.get(part.band) ?? "") + part.data.toString("latin1"));
  }
  stream.end();
  return bands;
};

describe("side-band", () => {
  it("takes apart what was put together, however it is cut", () => {
    const bytes = Buffer.concat([
      encodeSideband(2, "hello\n"),
      encodeSideband(1, "data"),
      encodeSideband(2, "again\n"),
      encodeSideband(3, "fatal"),
      FLUSH_PKT,
    ]);
    for (const chunks of everySplit(bytes)) {
      expect(demux(chunks)).toEqual(
        new Map([
          [2, "hello\nagain\n"],
          [1, "data"],
          [3, "fatal"],
        ]),
      );
    }
  });

  it.each([
    [MAX_BAND_PAYLOAD, 65520],
    [MAX_SMALL_BAND_PAYLOAD, 1000],
  ])("splits at %i bytes of payload, packets of %i", (payload, length) => {
    const bytes = encodeSideband(1, Buffer.alloc(payload + 1), payload);
    expect(Number.parseInt(bytes.subarray(0, 4).toString(), 16)).toBe(length);
    expect(bytes.length).toBe(length + 6);
    expect(encodeSideband(1, "")).toHaveLength(0);
  });

  it.each([
    ["band 4", Buffer.from("0006\x04x"), "no band"],
    ["no band", Buffer.from("0004"), "no band"],
    ["a delim packet", Buffer.from("0001"), "no band"],
    ["a packet behind the end", Buffer.from("00000006\x01x"), "follows the end"],
  ])("refuses %s", (_what, bytes, text) => {
    expect(() => new SidebandDemux().push(bytes)).toThrow(text);
  });

  it("tells a stream without its flush", () => {
    const stream = new SidebandDemux();
    stream.push(encodeSideband(1, "x"));
    expect(stream.flushed).toBe(false);
    expect(() => stream.end()).toThrow("without its flush packet");
  });

  it("random bytes give parts or a GatewayError", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), async (bytes) => {
        expect(
          await endsWell(() => {
            const stream = new SidebandDemux();
            stream.push(bytes);
            stream.end();
          }),
        ).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
