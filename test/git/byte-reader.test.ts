import { describe, expect, it } from "vitest";
import { createByteReader } from "../../src/git/byte-reader.ts";
import { everySplit, streamOf } from "./splits.ts";

const collect = async (chunks: AsyncIterable<Buffer>): Promise<string> => {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString("latin1");
};

describe("createByteReader", () => {
  it("takes exactly what is asked for, so that the rest begins at the right byte", async () => {
    const bytes = Buffer.from("0006a\n0000PACKrest", "latin1");
    for (const chunks of everySplit(bytes)) {
      const reader = createByteReader(streamOf(chunks));
      const raw: Buffer[] = [];
      expect(await reader.readPktLine(raw)).toEqual({ kind: "data", payload: Buffer.from("a\n") });
      expect(await reader.readPktLine(raw)).toEqual({ kind: "flush" });
      expect(Buffer.concat(raw).toString()).toBe("0006a\n0000");
      expect(reader.consumed).toBe(10);
      expect(await reader.atEnd()).toBe(false);
      expect((await reader.read(4)).toString()).toBe("PACK");
      expect(await collect(reader.rest())).toBe("rest");
      expect(await reader.atEnd()).toBe(true);
      expect(reader.consumed).toBe(bytes.length);
    }
  });

  it("says where a stream ends too early", async () => {
    const reader = createByteReader(streamOf([Buffer.from("0009ab")]));
    await expect(reader.readPktLine()).rejects.toThrow("the stream ends at byte 6, 3 bytes too early");
    // What did come is still there to be drained.
    expect(await reader.discard()).toBe(2);
  });

  it("holds the limits of the whole stream and of its rest", async () => {
    const limited = createByteReader(streamOf([Buffer.alloc(5), Buffer.alloc(6)]), { bytes: 10, what: "the head" });
    await expect(limited.read(11)).rejects.toMatchObject({
      code: "limit_exceeded",
      message: expect.stringMatching(/^the head is larger than 10/),
    });
    const rest = createByteReader(streamOf([Buffer.alloc(5), Buffer.alloc(6)]));
    await rest.read(1);
    await expect(collect(rest.rest({ bytes: 9, what: "the pack" }))).rejects.toThrow("the pack is larger than 9 bytes");
  });

  it("does not close its source when a reader of the rest stops early", async () => {
    const reader = createByteReader(streamOf([Buffer.from("ab"), Buffer.from("cd"), Buffer.from("ef")]));
    for await (const chunk of reader.rest()) {
      expect(chunk.toString()).toBe("ab");
      break;
    }
    expect(await reader.discard()).toBe(4);
  });
});
