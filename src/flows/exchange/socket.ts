/**
 * `GET /responses` as a WebSocket: whether it may be opened, and opening it on both sides of the gateway. What passes on it then is
 * `socket-relay.ts`.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { other } from "../../copilot/endpoints/other.ts";
import { findRoute } from "../../copilot/routes.ts";
import { GatewayError } from "../../errors.ts";
import type { CopilotConnection } from "../../model/connection.ts";
import { newId } from "../../model/id.ts";
import { describeFailure } from "./describe-failure.ts";
import { REQUEST_ID } from "./headers.ts";
import { readBody } from "./read-body.ts";
import type { ExchangeStart } from "./record.ts";
import { type Refusal, unrouted } from "./refusals.ts";
import { checkHandshake, CLOSE_MS, openUpstreamSocket, switchingProtocols } from "./socket-handshake.ts";
import { relaySocket, type SocketRelayDependencies, type SocketUpgrade, startOfSocket } from "./socket-relay.ts";

export type SocketRelay = (upgrade: SocketUpgrade) => Promise<void>;

const CONNECT_MS = 30_000;
const MOST_REFUSAL = 64 * 1024;

export function createSocketRelay(deps: SocketRelayDependencies): SocketRelay {
  return async (upgrade) => {
    const { request, socket, connection, path, query } = upgrade;
    const id = newId();
    socket.on("error", () => {});
    const start = startOfSocket(upgrade, id, deps.now());
    const problem = checkHandshake(request);
    const refusal =
      problem === null
        ? refusalOfSocket(connection, path)
        : { httpStatus: 400, code: "request_malformed", message: `The WebSocket cannot be opened: ${problem}.` };
    if (refusal !== null) {
      await deps.records.refuse(start, refusal);
      return endWithRefusal(socket, id, refusal);
    }
    const leaving = new AbortController();
    const leave = (): void => leaving.abort();
    socket.once("close", leave);
    try {
      // `url` ends in a slash, and is http or https: Node speaks the handshake itself.
      const url = new URL(connection.url + path.slice(1) + query);
      const upstream = await openUpstreamSocket({
        url,
        headers: request.headers,
        connection,
        signal: leaving.signal,
        patience: CONNECT_MS,
      });
      if ("refused" in upstream) return await passRefusal(upgrade, start, upstream.refused);
      if (socket.destroyed) return void upstream.socket.destroy();
      const protocol = upstream.headers["sec-websocket-protocol"];
      const extra = [[REQUEST_ID, id], ...(protocol === undefined ? [] : [["Sec-WebSocket-Protocol", protocol]])] as [
        string,
        string,
      ][];
      socket.write(switchingProtocols(request.headers["sec-websocket-key"] ?? "", extra));
      await relaySocket(deps, upgrade, upstream);
    } catch (error) {
      const known = error instanceof GatewayError && error.code !== "client_gone" ? error : null;
      if (known === null && !(error instanceof GatewayError)) {
        deps.log.error({ exchange: id, failure: describeFailure(error) }, "A WebSocket failed within the gateway");
      }
      const message = known?.message ?? "The gateway failed while it opened this WebSocket.";
      const failed = { httpStatus: 502, code: known?.code ?? "internal", message };
      await deps.records.refuse(start, failed);
      endWithRefusal(socket, id, failed);
    } finally {
      socket.off("close", leave);
    }
  };

  /** The upstream opens no WebSocket: its own answer, where it is one for the client. */
  async function passRefusal({ socket, connection }: SocketUpgrade, start: ExchangeStart, answer: IncomingMessage) {
    const body = await readBody(answer, MOST_REFUSAL).catch(() => null);
    answer.destroy();
    const status = answer.statusCode ?? 502;
    const own = status === 401 && connection.credential.kind !== "passthrough";
    const message = own
      ? `The upstream of ${connection.name} refused the gateway's own credential. Your token is fine. Tell whoever runs this gateway.`
      : `The upstream of ${connection.name} opened no WebSocket (${status}).`;
    const refusal = { httpStatus: own || status < 400 ? 502 : status, code: "upstream_refused", message };
    await deps.records.refuse(start, refusal);
    const isJson = /^application\/json\b/i.test(answer.headers["content-type"] ?? "");
    if (own || body === null || !isJson || status < 400) return endWithRefusal(socket, start.id, refusal);
    endWithBody(socket, start.id, status, body);
  }
}

const SOCKET_PATHS = ["/responses", "/v1/responses"];

/** Why a path does not become a WebSocket; null where it does. */
function refusalOfSocket(connection: CopilotConnection, path: string): Refusal | null {
  const route = findRoute(connection, "GET", path);
  const named = { connection: connection.name, method: "GET", path };
  if (!route.ok && route.error.reason === "refused") return unrouted(named, route.error);
  if (!SOCKET_PATHS.includes(path)) return unrouted(named, { reason: "unnamed", endpoint: other });
  if (connection.rules.websocket === "relay") return null;
  const message = `The connection ${connection.name} relays no WebSockets. Send POST ${path} instead.`;
  return { httpStatus: 400, code: "websocket_refused", message };
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

function endWithBody(socket: Duplex, id: string, status: number, body: Buffer): void {
  if (socket.destroyed) return;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? "Refused"}`,
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    `${REQUEST_ID}: ${id}`,
    "Connection: close",
  ];
  // Whatever else came on this connection is nothing that anybody reads as a request.
  socket.end(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body]));
  setTimeout(() => socket.destroy(), CLOSE_MS).unref();
}

const endWithRefusal = (socket: Duplex, id: string, { httpStatus, code, message }: Refusal): void =>
  endWithBody(socket, id, httpStatus, Buffer.from(JSON.stringify({ error: { message, code } })));
