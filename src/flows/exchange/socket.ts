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
import { readHead, REQUEST_ID } from "./headers.ts";
import { failedEnd, NOTHING } from "./outcome.ts";
import { readBody } from "./read-body.ts";
import type { OpenRecord } from "./records.ts";
import { DATABASE_AWAY, type Refusal, unrouted } from "./refusals.ts";
import { checkHandshake, CLOSE_MS, openUpstreamSocket, switchingProtocols } from "./socket-handshake.ts";
import { relaySocket, type SocketRelayDependencies } from "./socket-relay.ts";
import { headOfHandshake, type SocketUpgrade, startOfSocket } from "./socket-upgrade.ts";

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
    const head = deps.passHead(path, headOfHandshake(readHead(request.headers, query, connection)));
    if (!head.ok) {
      await deps.records.refuse(start, head.error);
      return endWithRefusal(socket, id, head.error);
    }
    const sent = head.value;
    // The upstream hears of the handshake before anything is asked, so that it is on record by itself.
    const isMasked = sent.withheld.length > 0 || sent.query !== query;
    const opened = { ...start, format: "other", requestMasked: isMasked } as const;
    const record = await deps.records.begin(opened, connection.policy.databaseAway);
    if (record === null) return endWithRefusal(socket, id, DATABASE_AWAY);
    const leaving = new AbortController();
    const leave = (): void => leaving.abort();
    socket.once("close", leave);
    let settled: Promise<void> | null = null;
    try {
      // `url` ends in a slash, and is http or https: Node speaks the handshake itself.
      const url = new URL(connection.url + path.slice(1) + sent.query);
      const upstream = await openUpstreamSocket({
        url,
        headers: request.headers,
        connection,
        withheld: sent.withheld,
        signal: leaving.signal,
        patience: CONNECT_MS,
      });
      if ("refused" in upstream) return await passRefusal(upgrade, record, upstream.refused);
      // Not waited for: what either side says meanwhile must be heard.
      settled = deps.records.settle(record, { ...NOTHING, status: "complete", httpStatus: 101 });
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
      settled ??= deps.records.settle(record, failedEnd(error));
      endWithRefusal(socket, id, failed);
    } finally {
      socket.off("close", leave);
      await settled;
    }
  };

  /** The upstream opens no WebSocket: its own answer, where it is one for the client. */
  async function passRefusal({ socket, connection }: SocketUpgrade, record: OpenRecord, answer: IncomingMessage) {
    const body = await readBody(answer, MOST_REFUSAL).catch(() => null);
    answer.destroy();
    const status = answer.statusCode ?? 502;
    const own = status === 401 && connection.credential.kind !== "passthrough";
    const message = own
      ? `The upstream of ${connection.name} refused the gateway's own credential. Your token is fine. Tell whoever runs this gateway.`
      : `The upstream of ${connection.name} opened no WebSocket (${status}).`;
    const refusal = { httpStatus: own || status < 400 ? 502 : status, code: "upstream_refused", message };
    await deps.records.settle(record, { ...NOTHING, status: "upstream_failed", httpStatus: status, error: message });
    const isJson = /^application\/json\b/i.test(answer.headers["content-type"] ?? "");
    if (own || body === null || !isJson || status < 400) return endWithRefusal(socket, record.id, refusal);
    endWithBody(socket, record.id, status, body);
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
