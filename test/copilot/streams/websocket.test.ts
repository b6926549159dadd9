/** The frame codec; `ws` writes what it reads and reads what it writes. */
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import {
  checkClose,
  encodeClose,
  encodeFrame,
  type Frame,
  FrameParser,
  MessageAssembler,
  OPCODE,
} from "../../../src/copilot/streams/websocket.ts";

const KEY = Buffer.from([1, 2, 3, 250]);
const parserOf = (masked: boolean, maxPayload = 1 << 20) => new FrameParser({ masked, maxPayload });
const told = (frames: readonly Frame[]) => frames.map(({ opcode, fin, payload }) => [opcode, fin, payload.toString()]);

const SEQUENCE = [
  encodeFrame(OPCODE.text, Buffer.from("äöü 🦊"), KEY),
  encodeFrame(OPCODE.ping, Buffer.from("p"), KEY),
  encodeFrame(OPCODE.text, Buffer.alloc(125, "a"), KEY),
  encodeFrame(OPCODE.text, Buffer.alloc(126, "b"), KEY),
  encodeFrame(OPCODE.binary, Buffer.alloc(65_536, "c"), KEY),
  encodeClose(1000, "bye", KEY),
];

describe("frames", () => {
  test("are read the same however the bytes are split", () => {
    const bytes = Buffer.concat(SEQUENCE.filter((frame) => frame.length < 1_000));
    const whole = parserOf(true);
    const expected = told(whole.push(bytes));
    expect(expected.map(([opcode]) => opcode)).toEqual([1, 9, 1, 1, 8]);
    for (let at = 0; at <= bytes.length; at += 1) {
      const parser = parserOf(true);
      expect(told([...parser.push(bytes.subarray(0, at)), ...parser.push(bytes.subarray(at))])).toEqual(expected);
    }
    const one = parserOf(true);
    expect(told([...bytes].flatMap((byte) => one.push(Buffer.from([byte]))))).toEqual(expected);
  });

  test("keep their own bytes", () => {
    const bytes = Buffer.concat(SEQUENCE);
    const parser = parserOf(true);
    const frames = [...parser.push(bytes.subarray(0, 70_00)), ...parser.push(bytes.subarray(70_00))];
    expect(Buffer.concat(frames.map((frame) => frame.raw)).equals(bytes)).toBe(true);
    expect(frames[4]?.payload.equals(Buffer.alloc(65_536, "c"))).toBe(true);
  });

  test.each([
    ["a reserved bit", Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
    ["an unknown opcode", Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
    ["an unknown control opcode", Buffer.from([0x8b, 0x80, 0, 0, 0, 0]), 1002],
    ["a frame without a mask", Buffer.from([0x81, 0x01, 0x61]), 1002],
    ["a fragmented ping", Buffer.from([0x09, 0x80, 0, 0, 0, 0]), 1002],
    ["a long ping", Buffer.from([0x89, 0xfe, 0, 126, 0, 0, 0, 0]), 1002],
    ["a length in too many bytes", Buffer.from([0x81, 0xfe, 0, 5, 0, 0, 0, 0]), 1002],
    ["a 64-bit length that fits 16", Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0]), 1002],
    ["the highest bit of a length", Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]), 1002],
    ["more than is relayed", Buffer.from([0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), 1009],
  ])("%s is refused before its payload is waited for", (_what, bytes, code) => {
    const parser = parserOf(true);
    expect(parser.push(bytes)).toEqual([]);
    expect(parser.failure?.code).toBe(code);
    expect(parser.push(encodeFrame(OPCODE.text, Buffer.from("x"), KEY))).toEqual([]);
  });

  test("a server's frame has no mask", () => {
    const parser = parserOf(false);
    parser.push(encodeFrame(OPCODE.text, Buffer.from("x"), KEY));
    expect(parser.failure?.code).toBe(1002);
  });
});

describe("messages", () => {
  const frame = (opcode: number, text: string | Buffer, fin = true): Frame => ({
    opcode,
    fin,
    payload: Buffer.from(text as string),
    raw: Buffer.alloc(0),
  });

  test("fragments are joined, a character cut in two included", () => {
    const fox = Buffer.from("🦊");
    const assembler = new MessageAssembler(100);
    expect(assembler.push(frame(OPCODE.text, fox.subarray(0, 2), false))).toBeNull();
    expect(assembler.push(frame(OPCODE.continuation, "", false))).toBeNull();
    expect(assembler.push(frame(OPCODE.continuation, fox.subarray(2)))).toMatchObject({ text: true, payload: fox });
    expect(assembler.push(frame(OPCODE.binary, "b"))).toMatchObject({ text: false });
  });

  test.each([
    ["a continuation of nothing", [frame(OPCODE.continuation, "x")], 1002],
    ["a message within another", [frame(OPCODE.text, "x", false), frame(OPCODE.text, "y")], 1002],
    ["text that is not UTF-8", [frame(OPCODE.text, Buffer.from([0xc3, 0x28]))], 1007],
    [
      "more than is relayed, in small fragments",
      [frame(OPCODE.text, "x".repeat(60), false), frame(OPCODE.continuation, "x".repeat(60))],
      1009,
    ],
  ])("%s", (_what, frames, code) => {
    const assembler = new MessageAssembler(100);
    for (const one of frames) assembler.push(one);
    expect(assembler.failure?.code).toBe(code);
  });

  test("close codes", () => {
    const close = (code: number, reason = "") => {
      const [frame] = parserOf(false).push(encodeClose(code, reason, null));
      return checkClose(frame?.payload ?? Buffer.alloc(0));
    };
    for (const code of [1000, 1001, 1009, 1012, 3000, 4999]) expect(close(code, "because")).toBeNull();
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2000, 5000]) expect(close(code)?.code).toBe(1002);
    expect(checkClose(Buffer.alloc(0))).toBeNull();
    expect(checkClose(Buffer.from([3]))?.code).toBe(1002);
    expect(checkClose(Buffer.from([3, 232, 0xff]))?.code).toBe(1007);
    // Cut to what a control frame holds, and still UTF-8.
    expect(close(1000, "ä".repeat(200))).toBeNull();
  });
});

describe("against ws", () => {
  test("its server understands what is written here, and is understood", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
    await once(server, "listening");
    const heard: string[] = [];
    server.on("connection", (socket) => {
      socket.on("message", (data: Buffer) => {
        heard.push(data.toString());
        socket.send(data.toString());
      });
    });
    const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
      perMessageDeflate: false,
    });
    await once(client, "open");
    const { _socket: raw } = client as unknown as { _socket: Socket };
    const parser = parserOf(false);
    const answers: Frame[] = [];
    const text = "fox 🦊 ".repeat(20_000);
    const done = new Promise<void>((resolve) => {
      raw.removeAllListeners("data");
      raw.on("data", (chunk: Buffer) => {
        answers.push(...parser.push(chunk));
        if (answers.length === 2) resolve();
      });
    });
    raw.write(encodeFrame(OPCODE.text, Buffer.from(text), KEY));
    raw.write(encodeFrame(OPCODE.text, Buffer.from("small"), KEY));
    await done;
    expect(heard).toEqual([text, "small"]);
    expect(answers.map(({ payload }) => payload.toString())).toEqual([text, "small"]);
    client.terminate();
  });
});
