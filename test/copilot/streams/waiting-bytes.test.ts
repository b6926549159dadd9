import { expect, test } from "vitest";
import { createWaitingBytes } from "../../../src/copilot/streams/waiting-bytes.ts";

const takeAll = (waiting: ReturnType<typeof createWaitingBytes>): [string, number][] => {
  const taken: [string, number][] = [];
  waiting.takeAll((piece, cameMs) => taken.push([piece.toString("utf8"), cameMs]));
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

test("where reading throws, the rest is gone and the next piece is the first", () => {
  const waiting = createWaitingBytes();
  waiting.add(Buffer.from("a"), 1);
  waiting.add(Buffer.from("b"), 2);
  expect(() =>
    waiting.takeAll(() => {
      throw new Error("stumbled");
    }),
  ).toThrow("stumbled");
  expect(waiting.size).toBe(0);
  waiting.add(Buffer.from("c"), 3);
  expect(takeAll(waiting)).toEqual([["c", 3]]);
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
