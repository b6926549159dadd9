/** The world outside of the loopback, as a client under test sees it: a proxy that refuses, remembers, and knows the names given. */
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface Outside {
  readonly proxyUrl: string;
  /** What a client wanted to reach and did not. */
  readonly refused: readonly string[];
  /** The request lines that went to a known name in clear; over TLS there is nothing to see. */
  readonly requestLines: readonly string[];
}

/** @param names `host:port` → the port on the loopback that it leads to */
export async function startOutside(names: ReadonlyMap<string, number> = new Map()): Promise<Outside> {
  const refused: string[] = [];
  const requestLines: string[] = [];
  const proxy = createServer((request, response) => {
    refused.push(request.url ?? "");
    response.writeHead(403).end();
  });
  proxy.on("connect", (request, socket, head: Buffer) => {
    // A client that hangs up first is no matter; unheard, its error would end the test run.
    socket.on("error", () => {});
    const port = names.get(request.url ?? "");
    if (port === undefined) {
      refused.push(request.url ?? "");
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      return;
    }
    const upstream = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.write(head);
      upstream.pipe(socket);
      socket.on("data", (chunk: Buffer) => {
        requestLines.push(...(chunk.toString("latin1").match(/^[A-Z]+ \S+ HTTP\/1\.1(?=\r$)/gm) ?? []));
      });
      socket.pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("close", () => upstream.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return { proxyUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, refused, requestLines };
}
