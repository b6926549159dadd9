import { expect, test } from "vitest";
import { createWaitingBytes } from "../../../src/copilot/streams/waiting-bytes.ts";

const takeAll = (waiting: ReturnType<typeof createWaitingBytes>): [string, number][] => {
  const taken: [string, number][] = [];
  const { bytes, ends, moments } = waiting.takeAll() ?? { bytes: new Uint8Array(), ends: [], moments: [] };
  for (const [at, end] of ends.entries()) {
    const piece = Buffer.from(bytes.subarray(ends[at - 1] ?? 0, end));
    taken.push([piece.toString("utf8"), moments[at] ?? Number.NaN]);
  }
  return taken;
};

test("pieces come out as they went in, each with its moment, once", () => {
  const waiting = createWaitingBytes();
  waiting.add(Buffer.from("one "), 5);
  waiting.add(Buffer.from("ünd two"), 7);
  expect(waiting.size).toBe(12);
  expect(takeAll(waiting)).toEqual([
    ["one ", 5],
    ["ünd two", 7],
  ]);
  expect(waiting.size).toBe(0);
  expect(takeAll(waiting)).toEqual([]);
});

test("what was given may change afterwards: it was copied", () => {
  const waiting = createWaitingBytes();
  const piece = Buffer.from("as it came");
  waiting.add(piece, 1);
  piece.fill("x");
  expect(takeAll(waiting)).toEqual([["as it came", 1]]);
});

test("more than usual waits, too, and nothing of it is lost", () => {
  const waiting = createWaitingBytes();
  const pieces = Array.from({ length: 50 }, (_, at) => `${at}:`.padEnd(1 + at * 97, "abc"));
  for (let round = 0; round < 2; round += 1) {
    for (const [at, piece] of pieces.entries()) waiting.add(Buffer.from(piece), at);
    expect(takeAll(waiting)).toEqual(pieces.map((piece, at) => [piece, at]));
  }
});

test("what came last can be looked at, with a little before it, whether that has been read or not", () => {
  const waiting = createWaitingBytes();
  expect(waiting.latest(4)).toBe("");
  waiting.add(Buffer.from("one"), 1);
  expect(waiting.latest(4)).toBe("one");
  waiting.add(Buffer.from("two"), 2);
  expect(waiting.latest(2)).toBe("netwo");
  takeAll(waiting);
  waiting.add(Buffer.from("\xff!"), 3);
  expect(waiting.latest(4)).toBe("etwo\xc3\xbf!");
  const long = "x".repeat(20_000);
  waiting.add(Buffer.from(`${long}end`), 4);
  expect(takeAll(waiting).map(([piece]) => piece)).toEqual(["\xff!", `${long}end`]);
  waiting.add(Buffer.from("after"), 5);
  expect(waiting.latest(4)).toBe("xendafter");
  expect(takeAll(waiting)).toEqual([["after", 5]]);
});

test("the event that has begun stands behind the last empty line, however the pieces are cut", () => {
  for (const line of ["\n\n", "\r\n\r\n", "\r\n\n"]) {
    const text = `data: one${line}data: two${line}data: th`;
    for (let cut = 1; cut < text.length; cut += 1) {
      const waiting = createWaitingBytes();
      waiting.add(Buffer.from(text.slice(0, cut)), 1);
      const before = waiting.begun.toString();
      waiting.add(Buffer.from(text.slice(cut)), 2);
      expect(waiting.begun.toString()).toBe("data: th");
      expect(waiting.begunAndLatest.toString()).toBe(before + text.slice(cut));
    }
  }
  const waiting = createWaitingBytes();
  waiting.add(Buffer.from("data: one\n\n"), 1);
  expect(waiting.begun.length).toBe(0);
  expect(waiting.begunAndLatest.toString()).toBe("data: one\n\n");
});
