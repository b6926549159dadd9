import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { readBody } from "../../../src/flows/exchange/read-body.ts";

/** A request of which this much has been sent, and the connection that it came by. */
async function begun(text: string) {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  client.on("error", () => {});
  client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n${text}`);
  const [request] = (await once(server, "request")) as [IncomingMessage];
  return { request, client };
}

test("a body that does not come to its end in time is given up, and its connection with it", async () => {
  const { request, client } = await begun("half");
  const closed = once(client, "close");
  await expect(readBody(request, 100, 20)).rejects.toMatchObject({ code: "client_gone" });
  await closed;
});

test("a whole body is read, and its connection stays; a larger one is not", async () => {
  const { request, client } = await begun("0123456789");
  expect(await readBody(request, 10)).toEqual(Buffer.from("0123456789"));
  expect(client.destroyed).toBe(false);
  expect(await readBody((await begun("0123456789")).request, 9)).toBeNull();
});
