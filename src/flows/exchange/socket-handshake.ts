/**
 * Opening a WebSocket, on both sides of the gateway (RFC 6455, section 4). The two handshakes have keys of their own, and no extension is
 * agreed on with either side: a compressed frame could not be read along.
 */
import { createHash, randomBytes } from "node:crypto";
import http, { type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { GatewayError } from "../../errors.ts";
import type { CopilotConnection } from "../../model/connection.ts";
import { upstreamHeaders } from "./headers.ts";

/** How long a side may take to answer a close (section 7.1.1). */
export const CLOSE_MS = 5_000;

const acceptOf = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

const tokensIn = (header: string | undefined): readonly string[] =>
  (header ?? "").split(",").map((token) => token.trim().toLowerCase());

/** What is wrong with a client's handshake (section 4.2.1), or null. A body has no place in one: it would be the next request. */
export function checkHandshake({ method, headers, httpVersion }: IncomingMessage): string | null {
  if (method !== "GET" || httpVersion !== "1.1") return "a WebSocket is opened by GET over HTTP/1.1";
  if (!tokensIn(headers.upgrade).includes("websocket") || !tokensIn(headers.connection).includes("upgrade")) {
    return "the handshake's Upgrade and Connection do not say websocket and upgrade";
  }
  if (headers["sec-websocket-version"] !== "13") return "its Sec-WebSocket-Version is not 13";
  if (!/^[A-Za-z0-9+/]{22}==$/.test(headers["sec-websocket-key"] ?? "")) return "its Sec-WebSocket-Key is no 16 bytes";
  if (headers["transfer-encoding"] !== undefined || !/^0*$/.test(headers["content-length"] ?? "")) {
    return "the handshake has a body";
  }
  return null;
}

export interface UpstreamSocket {
  readonly socket: Duplex;
  /** Bytes that came right behind the handshake. */
  readonly head: Buffer;
  readonly headers: IncomingHttpHeaders;
}

/** The upstream's answer where it opens no WebSocket; its body is not read. */
export interface SocketRefused {
  readonly refused: IncomingMessage;
}

export interface OpenSocketOptions {
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly connection: CopilotConnection;
  /** Names of headers of the client's that stay here. */
  readonly withheld: readonly string[];
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly patience: number;
}

/** @throws GatewayError `upstream_unreachable`, `upstream_misbehaved`; `client_gone` when the signal fired first */
export function openUpstreamSocket(options: OpenSocketOptions): Promise<UpstreamSocket | SocketRefused> {
  const { url, connection, withheld, signal, patience } = options;
  const key = randomBytes(16).toString("base64");
  const own = { connection, host: url.host, bodyBytes: null, withheld };
  const passed = Object.entries(upstreamHeaders(options.headers, own));
  const headers = {
    ...Object.fromEntries(passed.filter(([name]) => !OWN_HEADERS.has(name))),
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-key": key,
    "sec-websocket-version": "13",
  };
  return new Promise((resolve, reject) => {
    // A socket of its own: what becomes a WebSocket never goes back to a pool.
    const request = (url.protocol === "https:" ? https : http).request(url, { headers, signal, agent: false });
    request.setTimeout(patience, () => request.destroy(new Error(`silent for ${patience / 1000} s`)));
    request.once("response", (refused) => resolve({ refused }));
    request.once("upgrade", (answer, socket, head) => {
      socket.setTimeout(0);
      const problem = checkUpstream(answer.headers, key);
      if (problem === null) return resolve({ socket, head, headers: answer.headers });
      socket.destroy();
      const message = `The upstream ${url.host} opened a WebSocket ${problem}. Tell whoever runs this gateway.`;
      reject(new GatewayError("upstream_misbehaved", message));
    });
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (signal.aborted)
        return reject(new GatewayError("client_gone", "The client left before the upstream answered."));
      const message = `The upstream ${url.host} cannot be reached (${error.code ?? error.message}). Try again; if it lasts, tell whoever runs this gateway.`;
      reject(new GatewayError("upstream_unreachable", message, { cause: error }));
    });
    request.end();
  });
}

/** The client's own handshake stays on its side. */
export const OWN_HEADERS: ReadonlySet<string> = new Set([
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
]);

function checkUpstream(headers: IncomingHttpHeaders, key: string): string | null {
  if (!tokensIn(headers.upgrade).includes("websocket")) return "of another protocol";
  if (headers["sec-websocket-accept"] !== acceptOf(key)) return "that answers another handshake";
  return headers["sec-websocket-extensions"] === undefined ? null : "with an extension that nobody asked for";
}

/** The answer that makes the client's connection a WebSocket. @param extra names and values */
export function switchingProtocols(key: string, extra: readonly (readonly [string, string])[]): string {
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptOf(key)}`,
    ...extra.map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}
