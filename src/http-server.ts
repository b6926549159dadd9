/** The gateway's socket: bound first, so that a taken port is told before anything else is started, and links know the port. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { formatListen } from "./config.ts";
import type { ListenAddress } from "./config/values.ts";
import { GatewayError } from "./errors.ts";
import { STREAMING_SERVER_OPTIONS } from "./web/node-adapter.ts";

export interface HttpServer {
  /** Where it listens, as a URL without a final slash. */
  readonly address: string;
  /** Who answers from now on; until then requests are told to come again. */
  handle(listener: RequestListener): void;
  /** Takes no new connections; requests under way have `drainMs` to end. */
  close(drainMs: number): Promise<void>;
}

const notReady: RequestListener = (_request, response) => {
  response.writeHead(503, { "content-type": "text/plain; charset=utf-8", "retry-after": "1" });
  response.end("Sallyport is starting; try again in a second.\n");
};

/** @throws GatewayError `config_invalid` when the address cannot be listened on */
export async function openHttpServer({ host, port }: ListenAddress): Promise<HttpServer> {
  let listener = notReady;
  const server = createServer(STREAMING_SERVER_OPTIONS, (request, response) => listener(request, response));
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GatewayError(
      "config_invalid",
      `cannot listen on ${formatListen({ host, port })} (${why}): stop what listens there, or set SALLYPORT_LISTEN`,
      { cause },
    );
  }
  return {
    address: `http://${formatListen({ host, port: (server.address() as AddressInfo).port })}`,
    handle: (next) => {
      listener = next;
    },
    close: (drainMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), drainMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}
