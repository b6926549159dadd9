import http, { type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { createByteReader } from "../../src/git/byte-reader.ts";
import { openRequestBody } from "../../src/git/http-body.ts";

/** Sends a body to a server that handles it with `work`. @returns what `work` made of it, and the status the client saw */
async function post(
  body: Buffer,
  encoding: string | null,
  work: (incoming: IncomingMessage) => Promise<string>,
): Promise<{ readonly result: string; readonly status: number }> {
  let result = "";
  const server = http.createServer((incoming, outgoing) => {
    const answer = async (): Promise<void> => {
      result = await work(incoming).catch((error: unknown) =>
        error instanceof Error && "code" in error ? `${String(error.code)}: ${error.message}` : "no GatewayError",
      );
      outgoing.end();
    };
    void answer();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const status = await new Promise<number>((resolve, reject) => {
    const headers = encoding === null ? {} : { "content-encoding": encoding };
    const request = http.request({ port, method: "POST", headers, agent: false }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0));
    });
    request.on("error", reject);
    request.end(body);
  });
  return { result, status };
}

const readAll =
  (maxBytes: number) =>
  async (incoming: IncomingMessage): Promise<string> => {
    const body = openRequestBody(incoming, { maxBytes });
    const parts: Buffer[] = [];
    try {
      for await (const chunk of body.chunks) parts.push(chunk);
    } finally {
      await body.drain();
    }
    return Buffer.concat(parts).toString();
  };

describe("openRequestBody", () => {
  it.each([
    [null, Buffer.from("hello")],
    ["identity", Buffer.from("hello")],
    ["gzip", gzipSync("hello")],
    ["X-GZIP", gzipSync("hello")],
    ["gzip", Buffer.concat([gzipSync("hel"), gzipSync("lo")])],
  ])("decodes %s", async (encoding, body) => {
    expect((await post(body, encoding, readAll(100))).result).toBe("hello");
  });

  it.each([
    ["an unknown encoding", "deflate", Buffer.from("x"), "request_malformed: a push in Content-Encoding “deflate”"],
    ["two encodings", "gzip, gzip", gzipSync(gzipSync("x")), "request_malformed: a push in Content-Encoding"],
    ["what is no gzip", "gzip", Buffer.from("hello"), "request_malformed: the push's gzip encoding is broken"],
    [
      "a cut-off gzip",
      "gzip",
      gzipSync("hello").subarray(0, -4),
      "request_malformed: the push's gzip encoding is broken",
    ],
    [
      "bytes behind it",
      "gzip",
      Buffer.concat([gzipSync("x"), Buffer.alloc(3)]),
      "request_malformed: bytes follow the end",
    ],
    [
      "other bytes behind it",
      "gzip",
      Buffer.concat([gzipSync("x"), Buffer.from("y")]),
      "request_malformed: the push's gzip",
    ],
  ])("refuses %s", async (_what, encoding, body, text) => {
    const answered = await post(body, encoding, readAll(100));
    expect(answered.result).toContain(text);
    expect(answered.status).toBe(200);
  });

  it("stops inflating a bomb at the limit, and drains it", async () => {
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
    const before = process.memoryUsage().rss;
    const answered = await post(bomb, "gzip", readAll(1024 * 1024));
    expect(answered).toEqual({
      status: 200,
      result: expect.stringContaining("limit_exceeded: this push is larger than 1048576"),
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(40 * 1024 * 1024);
  });

  it.each([null, "gzip"])("drains what was not read, so that the client reads the answer (%s)", async (encoding) => {
    const data = Buffer.alloc(3 * 1024 * 1024, "0123456789");
    const answered = await post(encoding === null ? data : gzipSync(data, { level: 0 }), encoding, async (incoming) => {
      const body = openRequestBody(incoming, { maxBytes: 100 * 1024 * 1024 });
      const begin = await createByteReader(body.chunks).read(4);
      await body.drain();
      return begin.toString();
    });
    expect(answered).toEqual({ result: "0123", status: 200 });
  });

  it("tells when the client goes away", async () => {
    const result = await new Promise<string>((resolve, reject) => {
      const server = http.createServer((incoming) => {
        readAll(100)(incoming).then(reject, (error: Error & { code?: string }) => resolve(error.code ?? ""));
      });
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo;
        const request = http.request({ port, method: "POST", agent: false, headers: { "content-length": 10 } });
        request.on("error", () => server.close());
        request.write("abc", () => setTimeout(() => request.destroy(), 20));
      });
    });
    expect(result).toBe("client_gone");
  });
});
