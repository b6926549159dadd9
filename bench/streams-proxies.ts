/** What else could stand between: a pipe of Node's own, and a proxy as frameworks show it. The body of a process. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { proxy } from "hono/proxy";

const [kind = "", upstream = ""] = process.argv.slice(2);
const tell = (port: number): void => void process.send?.({ url: `http://127.0.0.1:${port}` });

if (kind === "pipe") {
  const agent = new http.Agent({ keepAlive: true });
  const { hostname, port } = new URL(upstream);
  const server = http.createServer((request, response) => {
    const { method, url, headers } = request;
    const outgoing = http.request({ hostname, port, method, path: url, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    response.on("close", () => outgoing.destroy());
    request.pipe(outgoing);
  });
  server.listen(0, "127.0.0.1", () => tell((server.address() as AddressInfo).port));
} else {
  const app = new Hono();
  app.all("*", (c) => {
    const { pathname, search } = new URL(c.req.url);
    return proxy(`${upstream}${pathname}${search}`, c.req);
  });
  serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => tell(port));
}
process.once("disconnect", () => process.exit());
