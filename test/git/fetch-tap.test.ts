import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createFetchTap, type FetchTapOptions } from "../../src/git/fetch-tap.ts";
import { DELIM_PKT, encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";

const A = "a".repeat(40);
const pkts = (...lines: readonly string[]): Buffer =>
  Buffer.concat([...lines.map((line) => encodePktLine(`${line}\n`)), FLUSH_PKT]);
const LS_REFS = pkts("command=ls-refs", "agent=git/2");
const FETCH = Buffer.concat([encodePktLine("command=fetch\n"), DELIM_PKT, pkts(`want ${A}`, "done")]);
const LISTING = pkts(`${A} HEAD symref-target:refs/heads/main`, `${A} refs/heads/main`);

const tapFor = (changes: Partial<FetchTapOptions> = {}) => {
  let told: (names: ReadonlyMap<string, readonly string[]>) => void = () => {};
  const names = new Promise<ReadonlyMap<string, readonly string[]>>((resolve) => (told = resolve));
  const tap = createFetchTap({
    kind: "rpc",
    gitProtocol: "version=2",
    contentEncoding: undefined,
    onNames: (listed) => told(listed),
    ...changes,
  });
  return { tap, names };
};

/** What comes out of the tap for these bytes, `size` at a time. @throws what it refuses */
async function pass(tap: ReturnType<typeof createFetchTap>, bytes: Buffer, size = 1): Promise<Buffer> {
  if (tap.body === null) throw new Error("no body");
  const out = new PassThrough();
  const chunks: Buffer[] = [];
  const collect = async (): Promise<void> => {
    for await (const chunk of out) chunks.push(chunk as Buffer);
  };
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
  await Promise.all([pipeline(Readable.from(pieces), tap.body, out), collect()]);
  return Buffer.concat(chunks);
}

describe("a request that passes", () => {
  it.each([
    ["as it is", undefined, FETCH],
    ["in gzip", "gzip", gzipSync(FETCH)],
    ["in x-gzip", " X-GZIP", gzipSync(FETCH)],
  ])("%s comes out byte for byte, and is read", async (_what, contentEncoding, bytes) => {
    const { tap } = tapFor({ contentEncoding });
    expect(await pass(tap, bytes)).toEqual(bytes);
    expect(tap.request).toMatchObject({ kind: "objects", wants: [A], wantCount: 1 });
  });

  it.each([
    ["broken packets", undefined, Buffer.from(`0032want ${A}\n0000zzzz, and more`)],
    ["broken gzip", "gzip", Buffer.from("no gzip")],
    ["cut-off gzip", "gzip", gzipSync(FETCH).subarray(0, 20)],
  ])("under version 0 is the upstream's to judge, also with %s", async (_what, contentEncoding, bytes) => {
    const { tap } = tapFor({ gitProtocol: undefined, contentEncoding });
    expect(await pass(tap, bytes)).toEqual(bytes);
  });

  it.each([
    ["broken packets", undefined, Buffer.from("zzzz")],
    ["broken gzip", "gzip", Buffer.from("no gzip")],
    ["cut-off gzip", "gzip", gzipSync(FETCH).subarray(0, 20)],
    ["a line that holds a NUL byte", undefined, pkts("command=bundle-uri\0x")],
    ["bytes behind the gzip", "gzip", Buffer.concat([gzipSync(FETCH), Buffer.from("x")])],
    ["more gzip behind zeros", "gzip", Buffer.concat([gzipSync(FETCH), Buffer.alloc(512), gzipSync(FETCH)])],
  ])("under version 2 is refused with %s", async (_what, contentEncoding, bytes) => {
    for (const size of [1, 100, bytes.length]) {
      const { tap } = tapFor({ contentEncoding });
      await expect(pass(tap, bytes, size)).rejects.toMatchObject({ code: "request_malformed" });
    }
  });

  it("has an encoding that can be read", () => {
    expect(() => tapFor({ contentEncoding: "deflate" })).toThrow(
      expect.objectContaining({ code: "request_malformed", message: expect.stringContaining("“deflate”") }),
    );
  });
});

describe("a list of refs that passes", () => {
  it.each([
    ["as it is", undefined, LISTING],
    ["in gzip", "gzip", gzipSync(LISTING)],
  ])("%s is read for its names", async (_what, contentEncoding, bytes) => {
    const { tap, names } = tapFor();
    await pass(tap, LS_REFS);
    const look = tap.answer(contentEncoding);
    for (const byte of bytes) look?.(Buffer.of(byte));
    look?.(null);
    expect(await names).toEqual(new Map([[A, ["HEAD", "refs/heads/main"]]]));
  });

  it("is not looked for in objects, nor in an encoding that cannot be read", async () => {
    const { tap } = tapFor();
    expect(tap.answer("br")).toBeNull();
    await pass(tap, FETCH);
    expect(tap.answer(undefined)).toBeNull();
  });

  it("is an advertisement, except under version 2", () => {
    expect(tapFor({ kind: "advertisement", gitProtocol: undefined }).tap.request.kind).toBe("refs");
    expect(tapFor({ kind: "advertisement", gitProtocol: "version=2" }).tap.request.kind).toBe("other");
    expect(tapFor({ kind: "advertisement" }).tap.body).toBeNull();
  });
});
