import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { expect, onTestFinished, test } from "vitest";
import { answerNatively, endSlowBody, type NodeEnv } from "../../src/web/node-adapter.ts";

test("an answer that waits behind another on its connection is told when that is lost", async () => {
  const app = new Hono<NodeEnv>();
  const told: string[] = [];
  const begun: string[] = [];
  app.get("/last", (c) =>
    answerNatively(c, async ({ outgoing }) => {
      // Not before the one behind it has come.
      while (begun.length === 0) await new Promise((resolve) => setImmediate(resolve));
      outgoing.writeHead(200, { connection: "close", "content-length": 0 });
      outgoing.end();
    }),
  );
  app.get("/behind", (c) =>
    answerNatively(c, async ({ outgoing, signal }) => {
      begun.push("behind");
      outgoing.once("close", () => told.push("answer"));
      outgoing.write("a part of what nobody hears");
      await once(signal, "abort");
      told.push("signal");
    }),
  );
  const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.write("GET /last HTTP/1.1\r\nHost: x\r\n\r\nGET /behind HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "close");
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  expect(text).not.toContain("nobody hears");
  await expect.poll(() => told).toEqual(["answer", "signal"]);
});

test("a body that is not whole in time ends its connection, also where it was answered long before", async () => {
  const server = createServer((request, response) => {
    endSlowBody(request, 50);
    if (request.url === "/answered") response.end("early");
  });
  const read: string[] = [];
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  for (const path of ["/answered", "/waiting"]) {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    socket.on("error", () => {});
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n`);
    const timer = setInterval(() => void socket.write("a"), 5);
    await new Promise((resolve) => socket.once("close", resolve));
    clearInterval(timer);
    read.push(text);
  }
  expect(read).toEqual([expect.stringContaining("early"), ""]);
});

test("one that is whole leaves it be, however long the answer takes", async () => {
  const server = createServer((request, response) => {
    endSlowBody(request, 20);
    request.resume();
    setTimeout(() => response.end("late"), 100);
  });
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  expect(await (await fetch(url, { method: "POST", body: "whole" })).text()).toBe("late");
});
