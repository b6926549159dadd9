import { describe, expect, test } from "vitest";
import { type SseEvent, SseParser } from "../../../src/copilot/streams/sse.ts";

const parse = (...chunks: (string | Uint8Array)[]): SseEvent[] => {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk));
};

describe("server-sent events", () => {
  test("fields, comments, and the one space after the colon", () => {
    expect(parse(": hello\nevent: add\ndata: 1\ndata:  2\nid: 7\nunknown: x\n\n")).toEqual([
      { type: "add", data: "1\n 2" },
    ]);
  });

  test("the examples of the specification, §9.2.6", () => {
    expect(parse("data: YHOO\ndata: +2\ndata: 10\n\n")).toEqual([{ type: "message", data: "YHOO\n+2\n10" }]);
    expect(parse("data\n\ndata\ndata\n\ndata:")).toEqual([
      { type: "message", data: "" },
      { type: "message", data: "\n" },
    ]);
    expect(parse("data:test\n\ndata: test\n\n")).toEqual([
      { type: "message", data: "test" },
      { type: "message", data: "test" },
    ]);
  });

  test("an event without data is none, and its type does not stick", () => {
    expect(parse("event: ping\n\ndata: x\n\n")).toEqual([{ type: "message", data: "x" }]);
  });

  test("line ends of all three kinds, and a byte order mark", () => {
    expect(parse("\ufeffdata: a\r\n\r\ndata: b\r\rdata: c\n\n").map((event) => event.data)).toEqual(["a", "b", "c"]);
  });

  test("a byte order mark that stands later is a character, also where all before it was ASCII", () => {
    expect(parse("data: a\n\n", "\ufeffdata: b\n\ndata: \ufeffc\n\n").map((event) => event.data)).toEqual([
      "a",
      "\ufeffc",
    ]);
  });

  test("a character that was cut off is told as such, also where ASCII comes next", () => {
    const cut = Buffer.from("data: ä").subarray(0, -1);
    expect(parse(cut, "x\n\ndata: y\n\n").map((event) => event.data)).toEqual(["\ufffdx", "y"]);
  });

  test("what stands unfinished at the end is no event", () => {
    expect(parse("data: a\n\ndata: b\n")).toEqual([{ type: "message", data: "a" }]);
  });

  test("split at every byte border, one by one and in two, it reads the same", () => {
    const stream = Buffer.from(
      '\ufeffevent: größe\r\ndata: {"t":"日本 🦊"}\r\n\r\n: x\n\ndata: 1\rdata: 2\r\rdata: [DONE]\n\n',
    );
    const whole = parse(stream);
    expect(whole).toHaveLength(3);
    for (let at = 0; at <= stream.length; at += 1) {
      expect(parse(stream.subarray(0, at), stream.subarray(at))).toEqual(whole);
    }
    expect(parse(...[...stream].map((byte) => Uint8Array.of(byte)))).toEqual(whole);
  });

  test("an event that never ends is given up, and nothing is kept of it", () => {
    const parser = new SseParser(1_000);
    expect(parser.push(Buffer.from("data: ok\n\n"))).toHaveLength(1);
    for (let sent = 0; sent < 20; sent += 1) parser.push(Buffer.from(`data: ${"x".repeat(94)}\n`));
    expect(parser.overflowed).toBe(true);
    expect(parser.push(Buffer.from("\n\ndata: later\n\n"))).toEqual([]);
  });

  test("a line that never ends is given up", () => {
    const parser = new SseParser(1_000);
    for (let sent = 0; sent < 20; sent += 1) parser.push(Buffer.from("x".repeat(100)));
    expect(parser.overflowed).toBe(true);
  });

  test("many events in one chunk do not add up to one event", () => {
    const parser = new SseParser(100);
    expect(parser.push(Buffer.from("data: 0123456789\n\n".repeat(100)))).toHaveLength(100);
    expect(parser.overflowed).toBe(false);
  });
});
