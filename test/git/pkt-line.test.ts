import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodePacket,
  encodePktLine,
  MAX_PKT_PAYLOAD,
  parsePktLines,
  PktLineParser,
  type PktLine,
} from "../../src/git/pkt-line.ts";
import { endsWell, everySplit } from "./splits.ts";

const packet: fc.Arbitrary<PktLine> = fc.oneof(
  fc.uint8Array({ maxLength: 70 }).map((bytes): PktLine => ({ kind: "data", payload: Buffer.from(bytes) })),
  fc.constantFrom<PktLine>({ kind: "flush" }, { kind: "delim" }, { kind: "response-end" }),
);

describe("pkt-line", () => {
  it("writes the forms of gitprotocol-common", () => {
    expect(encodePktLine("a\n").toString()).toBe("0006a\n");
    expect(encodePktLine("").toString()).toBe("0004");
    expect(encodePacket({ kind: "flush" }).toString()).toBe("0000");
    expect(encodePacket({ kind: "delim" }).toString()).toBe("0001");
    expect(encodePacket({ kind: "response-end" }).toString()).toBe("0002");
    expect(encodePktLine(Buffer.alloc(MAX_PKT_PAYLOAD)).subarray(0, 4).toString()).toBe("fff0");
    expect(() => encodePktLine(Buffer.alloc(MAX_PKT_PAYLOAD + 1))).toThrow(RangeError);
  });

  it("reads them the same however they are cut", () => {
    const bytes = Buffer.from("0006a\n0000000bfoobar\n000100020004000Ax\0y\x80z\n", "latin1");
    const whole = parsePktLines(bytes);
    expect(whole.map((p) => (p.kind === "data" ? p.payload.toString("latin1") : p.kind))).toEqual([
      "a\n",
      "flush",
      "foobar\n",
      "delim",
      "response-end",
      "",
      "x\0y\x80z\n",
    ]);
    for (const chunks of everySplit(bytes)) {
      const parser = new PktLineParser();
      expect(chunks.flatMap((chunk) => parser.push(chunk))).toEqual(whole);
      parser.end();
      expect(parser.pendingBytes).toBe(0);
    }
  });

  it.each([
    ["0003", "“0003”"],
    ["fff1", "“fff1”"],
    ["zzzz", "“zzzz”"],
    ["<htm", "“<htm”"],
    ["+123", "“+123”"],
    ["\x1b[2J", "“\\x1b[2J”"],
  ])("refuses the length %j and says where", (length, shown) => {
    const read = (): PktLine[] => parsePktLines(Buffer.from(`0006a\n${length}`, "latin1"));
    expect(read).toThrow(expect.objectContaining({ code: "request_malformed" }));
    expect(read).toThrow(`malformed pkt-line at byte 6: ${shown}`);
  });

  it("tells a stream that ends inside a packet", () => {
    expect(() => parsePktLines(Buffer.from("0006a\n0009abc"))).toThrow("truncated pkt-line at byte 6");
    expect(() => parsePktLines(Buffer.from("000"))).toThrow("truncated pkt-line at byte 0");
  });

  it("parse(encode(packets)) = packets", () => {
    fc.assert(
      fc.property(fc.array(packet), fc.integer({ min: 1, max: 40 }), (packets, size) => {
        const bytes = Buffer.concat(packets.map(encodePacket));
        const parser = new PktLineParser();
        const parsed: PktLine[] = [];
        for (let at = 0; at < bytes.length; at += size) parsed.push(...parser.push(bytes.subarray(at, at + size)));
        parser.end();
        expect(parsed).toEqual(packets);
      }),
    );
  });

  it("random bytes give packets or a GatewayError", async () => {
    const ascii = fc
      .string({ unit: fc.constantFrom(...Array.from("0123456789abcdef")) })
      .map((text) => Buffer.from(text));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array(), ascii), async (bytes) => {
        expect(
          await endsWell(() => {
            parsePktLines(bytes);
          }),
        ).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});
