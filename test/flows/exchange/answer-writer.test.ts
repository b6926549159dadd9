import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { type AnswerWriter, createAnswerWriter } from "../../../src/flows/exchange/answer-writer.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Heard {
  full: number;
  drained: number;
}

/** A server that answers by way of the writer; a connection to it; everything that came on it. */
async function open(
  answer: (response: ServerResponse, writer: AnswerWriter, heard: Heard, path: string) => Promise<void> | void,
): Promise<{ socket: Socket; text: () => string; heard: Heard; ended: Promise<unknown> }> {
  const heard = { full: 0, drained: 0 };
  const server = createServer((request, response) => {
    const writer = createAnswerWriter(response, { full: () => (heard.full += 1), drained: () => (heard.drained += 1) });
    void answer(response, writer, heard, request.url ?? "");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  closing.push(
    () => socket.destroy(),
    () => server.close(),
  );
  const came: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => came.push(chunk));
  return { socket, text: () => Buffer.concat(came).toString("utf8"), heard, ended: once(socket, "end") };
}

const get = (path: string, version = "1.1", last = true): string =>
  `GET ${path} HTTP/${version}\r\nHost: x\r\n${last ? "Connection: close\r\n" : ""}\r\n`;

/** The body of a chunked message, and what follows it; throws where its framing is broken. */
function unframe(text: string): { body: string; chunks: number; rest: string } {
  let rest = Buffer.from(text);
  let body = "";
  for (let chunks = 0; ; chunks += 1) {
    const line = rest.indexOf("\r\n");
    const head = rest.toString("latin1", 0, line);
    expect(head).toMatch(/^[0-9a-f]+$/);
    const size = Number.parseInt(head, 16);
    expect(rest.toString("latin1", line + 2 + size, line + 4 + size)).toBe("\r\n");
    body += rest.toString("utf8", line + 2, line + 2 + size);
    rest = rest.subarray(line + 4 + size);
    if (size === 0) return { body, chunks, rest: rest.toString("utf8") };
  }
}

const bodyOf = (text: string): string => text.slice(text.indexOf("\r\n\r\n") + 4);

test("a chunked body is framed as one, in order", async () => {
  const { socket, text, ended } = await open(async (response, writer) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (let turn = 0; turn < 4; turn += 1) {
      writer.write(Buffer.from(`<${turn}ä`));
      writer.write(Buffer.alloc(0));
      writer.write(Buffer.from(`${turn}>`));
      await setImmediate();
    }
    writer.write(Buffer.from("last"));
    writer.release();
    response.end();
  });
  socket.write(get("/"));
  await ended;
  expect(text()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(text().toLowerCase()).toContain("transfer-encoding: chunked");
  expect(unframe(bodyOf(text()))).toEqual({ body: "<0ä0><1ä1><2ä2><3ä3>last", chunks: 9, rest: "" });
});

test("a body of a known length, and one for a client of HTTP/1.0, go out bare", async () => {
  for (const version of ["1.0", "1.1"]) {
    const { socket, text, ended } = await open(async (response, writer) => {
      response.writeHead(200, version === "1.1" ? { "content-length": 6 } : {});
      writer.write(Buffer.from("one"));
      await setImmediate();
      writer.write(Buffer.from("two"));
      response.end();
    });
    socket.write(get("/", version));
    await ended;
    expect(bodyOf(text())).toBe("onetwo");
  }
});

test("two answers on one connection do not mix, though the second begins before the first has ended", async () => {
  let endFirst = (): void => {};
  const { socket, text, ended } = await open(async (response, writer, _heard, path) => {
    response.writeHead(200);
    for (const word of ["a", "b", "c"]) {
      writer.write(Buffer.from(path + word));
      await setImmediate();
    }
    const end = (): void => {
      writer.write(Buffer.from(`${path}!`));
      writer.release();
      response.end();
    };
    if (path === "/1") endFirst = end;
    else {
      endFirst();
      end();
    }
  });
  socket.write(get("/1", "1.1", false) + get("/2"));
  await ended;
  const first = unframe(bodyOf(text()));
  expect(first.body).toBe("/1a/1b/1c/1!");
  const second = unframe(bodyOf(first.rest));
  expect([second.body, second.rest]).toEqual(["/2a/2b/2c/2!", ""]);
});

test("a client that does not read is told of, and so is that it reads again; nothing is left on the connection", async () => {
  let drained = (): void => {};
  const told = new Promise<void>((resolve) => (drained = resolve));
  let listeners = [0, 0];
  const { socket, text, heard, ended } = await open(async (response, writer) => {
    const before = response.socket?.listenerCount("drain") ?? 0;
    response.writeHead(200);
    writer.write(Buffer.from("begin:"));
    await setImmediate();
    for (let turn = 0; !writer.isFull && turn < 10_000; turn += 1) {
      writer.write(Buffer.alloc(64 * 1024, "x"));
      await setImmediate();
    }
    expect(heard.full).toBeGreaterThan(0);
    socket.resume();
    while (writer.isFull) await setImmediate();
    drained();
    writer.write(Buffer.from(":end"));
    writer.release();
    listeners = [before, response.socket?.listenerCount("drain") ?? 0];
    response.end();
  });
  socket.pause();
  socket.write(get("/"));
  await told;
  await ended;
  expect(heard.drained).toBeGreaterThan(0);
  expect(listeners[1]).toBe(listeners[0]);
  const { body } = unframe(bodyOf(text()));
  expect(body === `begin:${"x".repeat(body.length - 10)}:end`).toBe(true);
});

test("after the client has left, nothing is written and nothing is thrown", async () => {
  let over = (): void => {};
  const left = new Promise<void>((resolve) => (over = resolve));
  const { socket } = await open(async (response, writer) => {
    response.on("error", () => {});
    response.writeHead(200);
    writer.write(Buffer.from("one"));
    await setImmediate();
    socket.destroy();
    await once(response, "close");
    writer.write(Buffer.from("two"));
    writer.release();
    over();
  });
  socket.write(get("/"));
  await expect(left).resolves.toBeUndefined();
});
