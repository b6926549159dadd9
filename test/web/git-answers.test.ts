import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { startGitGateway, TOKEN } from "./git-gateway.ts";

/** A gateway whose upstream answers as it is told, under the client's own credential. */
async function gatewayOf(answer: RequestListener) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return startGitGateway({ connection: { url, credential: { kind: "passthrough" } } });
}

const ask = (gateway: { readonly url: string }, target: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${gateway.url}/u/${TOKEN}/git/code/team/app/${target}`, init);

const askForObjects = (gateway: { readonly url: string }): Promise<Response> =>
  ask(gateway, "git-upload-pack", {
    method: "POST",
    headers: { "content-type": "application/x-git-upload-pack-request" },
    body: "0000",
  });

it("passes an error on with the upstream's own words", async () => {
  const gateway = await gatewayOf((_incoming, outgoing) => {
    outgoing.writeHead(418, "Short and stout", { "content-type": "text/plain" }).end("no coffee\n");
  });

  const answer = await ask(gateway, "info/refs?service=git-upload-pack");

  expect([answer.status, answer.statusText, await answer.text()]).toEqual([418, "Short and stout", "no coffee\n"]);
});

it.each([
  ["a type that is none", "text/application/x-git-upload-pack-result"],
  ["no type", undefined],
])("takes a fetch's answer for Git by its bytes where it has %s", async (_what, type) => {
  const gateway = await gatewayOf((incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(200, type === undefined ? {} : { "content-type": type }).end("0008NAK\n");
  });

  const answer = await askForObjects(gateway);

  expect(await answer.text()).toBe("0008NAK\n");
  // Nothing but Git, whatever the upstream called it: a browser must not take it for a page of the gateway's.
  expect(answer.headers.get("content-type")).toBe("application/x-git-upload-pack-result");
});

it.each(["text/html", "text/plain", "application/x-git-upload-pack-result"])(
  "refuses a page that comes as a fetch's answer under the type %s",
  async (type) => {
    const gateway = await gatewayOf((incoming, outgoing) => {
      incoming.resume();
      outgoing.writeHead(200, { "content-type": type }).end("<html>Sign in</html>");
    });

    const answer = await askForObjects(gateway);

    expect(await answer.text()).toMatch(/^[0-9a-f]{4}ERR Sallyport: the upstream of “code” answered .* a sign-in page/);
  },
);
