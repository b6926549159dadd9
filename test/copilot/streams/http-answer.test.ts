import { describe, expect, test } from "vitest";
import { HttpAnswerParser } from "../../../src/copilot/streams/http-answer.ts";

interface Read {
  readonly status: number | null;
  readonly message: string;
  readonly raw: readonly string[];
  readonly body: string;
  readonly whole: boolean;
  readonly persistent: boolean;
  readonly failed: boolean;
}

/** Reads `bytes` in pieces that end at the given places, each in a buffer that is used again and again, as a socket's is. */
function read(bytes: Buffer, cuts: readonly number[], { method = "POST", ends = false } = {}): Read {
  const parser = new HttpAnswerParser(method);
  const buffer = Buffer.alloc(bytes.length + 16);
  const body: Buffer[] = [];
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    buffer.fill(0x21);
    bytes.copy(buffer, 0, from, to);
    parser.take(buffer, to - from);
    body.push(Buffer.from(buffer.subarray(parser.bodyStart, parser.bodyEnd)));
    from = to;
  }
  if (ends) parser.finish();
  return {
    status: parser.head?.statusCode ?? null,
    message: parser.head?.statusMessage ?? "",
    raw: parser.head?.rawHeaders ?? [],
    body: Buffer.concat(body).toString("utf8"),
    whole: parser.isWhole,
    persistent: parser.isPersistent,
    failed: parser.failure !== null,
  };
}

const answer = (...lines: readonly string[]): Buffer => Buffer.from(lines.join("\r\n"), "latin1");
const HEAD = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream"];

const ANSWERS: Readonly<
  Record<string, { readonly bytes: Buffer; readonly body: string; readonly persistent: boolean }>
> = {
  chunked: {
    bytes: answer(...HEAD, "Transfer-Encoding: chunked", "", "5", "data:", "a;name=x", " one\ntwo\n\n", "0", "", ""),
    body: "data: one\ntwo\n\n",
    persistent: true,
  },
  "chunked, with trailers": {
    bytes: answer(...HEAD, "transfer-encoding: Chunked", "", "00003", "abc", "0", "X-Sum: 1", "X-Other: 2", "", ""),
    body: "abc",
    persistent: true,
  },
  "chunked, of nothing": {
    bytes: answer(...HEAD, "Transfer-Encoding: chunked", "", "0", "", ""),
    body: "",
    persistent: true,
  },
  "of a known length": {
    bytes: answer(...HEAD, "Content-Length: 7", "", "\r\n\r\n0\r\n"),
    body: "\r\n\r\n0\r\n",
    persistent: true,
  },
  "of no length": { bytes: answer(...HEAD, "Content-Length: 0", "", ""), body: "", persistent: true },
  "on a connection that closes": {
    bytes: answer(...HEAD, "Connection: close", "Content-Length: 2", "", "ok"),
    body: "ok",
    persistent: false,
  },
  "behind interim answers": {
    bytes: answer(
      "HTTP/1.1 100 Continue",
      "",
      "HTTP/1.1 103 Early Hints",
      "Link: </a>",
      "",
      ...HEAD,
      "Content-Length: 2",
      "",
      "ok",
    ),
    body: "ok",
    persistent: true,
  },
  "without a body, by its status": {
    bytes: answer("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked", "", ""),
    body: "",
    persistent: true,
  },
};

describe.each(Object.entries(ANSWERS))("an answer %s", (_name, { bytes, body, persistent }) => {
  test("is read the same at every split", () => {
    const whole = read(bytes, []);
    expect(whole).toMatchObject({ body, whole: true, failed: false, persistent });
    for (let at = 0; at <= bytes.length; at += 1) expect(read(bytes, [at])).toEqual(whole);
    expect(
      read(
        bytes,
        Array.from({ length: bytes.length }, (_, at) => at),
      ),
    ).toEqual(whole);
  });

  test("is not whole before its last byte", () => {
    for (let length = 0; length < bytes.length; length += 1) {
      expect(read(bytes.subarray(0, length), [], { ends: true })).toMatchObject({ whole: false, persistent: false });
    }
  });

  test("leaves its connection to nobody when more follows", () => {
    const more = read(Buffer.concat([bytes, Buffer.from("H")]), []);
    expect(more).toMatchObject({ body, whole: true, persistent: false });
  });
});

test("an answer without a length ends with its connection, also one of HTTP/1.0", () => {
  for (const version of ["1.0", "1.1"]) {
    const bytes = answer(`HTTP/${version} 200 Fine thing`, "A: b", "", "all of it");
    expect(read(bytes, [20])).toMatchObject({ whole: false, message: "Fine thing" });
    expect(read(bytes, [20], { ends: true })).toMatchObject({ body: "all of it", whole: true, persistent: false });
  }
});

test("the answer to HEAD has no body, whatever it says of one", () => {
  const bytes = answer(...HEAD, "Content-Length: 99", "", "");
  expect(read(bytes, [], { method: "HEAD" })).toMatchObject({ whole: true, body: "", persistent: true });
});

test("headers keep order and spelling, and are joined by name in lower case", () => {
  const parser = new HttpAnswerParser("GET");
  const bytes = answer(
    "HTTP/1.1 200",
    "Set-Cookie: a=1",
    "X-Tag:one",
    "set-cookie:\t b=2 \t",
    "X-TAG: two",
    "Content-Type: text/plain",
    "content-type: text/html",
    "X-Empty:",
    "__proto__: x",
    "X-Latin: \u00e9",
    "Content-Length: 0",
    "",
    "",
  );
  parser.take(bytes, bytes.length);
  expect(parser.head?.rawHeaders.slice(0, 8)).toEqual([
    "Set-Cookie",
    "a=1",
    "X-Tag",
    "one",
    "set-cookie",
    "b=2",
    "X-TAG",
    "two",
  ]);
  expect(parser.head?.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
  expect(parser.head?.headers["x-tag"]).toBe("one, two");
  expect(parser.head?.headers["content-type"]).toBe("text/plain");
  expect(parser.head?.headers["x-empty"]).toBe("");
  expect(parser.head?.headers["x-latin"]).toBe("\u00e9");
  expect(Object.hasOwn(parser.head?.headers ?? {}, "__proto__")).toBe(true);
});

test.each([
  ["another protocol", answer("SSH-2.0-x", "", "")],
  ["a bare line feed in its head", Buffer.from("HTTP/1.1 200 OK\nA: b\r\n\r\n")],
  ["a folded header", answer(...HEAD, "A: b", " c", "Content-Length: 0", "", "")],
  ["a space before the colon", answer(...HEAD, "Content-Length : 0", "", "")],
  ["a control character in a header", answer(...HEAD, "A: b\u0000c", "Content-Length: 0", "", "")],
  ["a carriage return in a header", answer(...HEAD, "A: b\rC: d", "Content-Length: 0", "", "")],
  ["two lengths", answer(...HEAD, "Content-Length: 1", "Content-Length: 1", "", "a")],
  ["a length that is no number", answer(...HEAD, "Content-Length: +1", "", "a")],
  ["a length and chunks", answer(...HEAD, "Content-Length: 3", "Transfer-Encoding: chunked", "", "0", "", "")],
  ["chunks within another coding", answer(...HEAD, "Transfer-Encoding: gzip, chunked", "", "0", "", "")],
  ["chunks over HTTP/1.0", answer("HTTP/1.0 200 OK", "Transfer-Encoding: chunked", "", "0", "", "")],
  ["a chunk without a size", answer(...HEAD, "Transfer-Encoding: chunked", "", "", "a", "0", "", "")],
  ["a chunk of a negative size", answer(...HEAD, "Transfer-Encoding: chunked", "", "-1", "a", "0", "", "")],
  ["a chunk of an enormous size", answer(...HEAD, "Transfer-Encoding: chunked", "", "f".repeat(13), "a")],
  ["a chunk that is longer than it says", answer(...HEAD, "Transfer-Encoding: chunked", "", "1", "ab", "0", "", "")],
  ["a chunk's size that ends with a line feed alone", answer(...HEAD, "Transfer-Encoding: chunked", "", "1\na\n0\n\n")],
  [
    "a line feed within a chunk's extension",
    answer(...HEAD, "Transfer-Encoding: chunked", "", "1;a\nb", "a", "0", "", ""),
  ],
  ["a change of protocol", answer("HTTP/1.1 101 Switching Protocols", "Upgrade: x", "", "")],
])("an answer with %s is none", (_what, bytes) => {
  expect(read(bytes, [], { ends: true })).toMatchObject({ failed: true, persistent: false });
  expect(
    read(
      bytes,
      Array.from({ length: bytes.length }, (_, at) => at),
    ),
  ).toMatchObject({ failed: true });
});

test("a head, an extension and trailers have an end", () => {
  const long = "x".repeat(70_000);
  expect(read(answer(...HEAD, `A: ${long}`, "", ""), []).failed).toBe(true);
  expect(read(answer(...HEAD, `A: ${long}`), [60_000]).failed).toBe(true);
  expect(read(answer(...HEAD, "Transfer-Encoding: chunked", "", `1;${long}`), []).failed).toBe(true);
  expect(read(answer(...HEAD, "Transfer-Encoding: chunked", "", "0", `A: ${long}`), []).failed).toBe(true);
});
