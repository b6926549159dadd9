import http from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { openUpstreamRequest } from "../../src/git/upstream-request.ts";

/** An upstream that closes a connection as soon as it is used for a second request, which it never sees. */
async function startForgetful(): Promise<{ readonly url: URL; readonly answered: () => number }> {
  let answered = 0;
  const used = new WeakSet<object>();
  const server = http.createServer((request, response) => {
    if (used.has(request.socket)) {
      request.socket.resetAndDestroy();
      return;
    }
    used.add(request.socket);
    answered += 1;
    request.resume().on("end", () => response.end(`${answered}`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`), answered: () => answered };
}

test("a kept connection that the upstream closes as it is used again: asked once more, but never with a body", async () => {
  const { url, answered } = await startForgetful();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const send = async (method: "GET" | "POST"): Promise<string> => {
    const timeouts = { connectMs: 60_000, idleMs: 60_000 };
    const { request, response } = openUpstreamRequest({
      method,
      url,
      headers: {},
      agent,
      timeouts,
      connection: "code",
    });
    request.end();
    let text = "";
    for await (const chunk of (await response) as AsyncIterable<Buffer>) text += chunk.toString();
    return text;
  };
  expect(await send("GET")).toBe("1");
  expect(await send("GET")).toBe("2");
  expect(await send("GET")).toBe("3");
  await expect(send("POST")).rejects.toMatchObject({ code: "upstream_unreachable" });
  expect(answered()).toBe(3);
});
