/**
 * Requests that ask for another protocol. Node takes every one of them out of the hands of its HTTP server as soon as somebody listens for
 * them, also those that are answered as plain HTTP whatever they ask for (curl and libcurl, and so git, ask for h2c): these go back, as if
 * they had not asked.
 */
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { Duplex } from "node:stream";
import { STREAMING_SERVER_OPTIONS } from "./node-adapter.ts";

/** @returns true when it has taken the connection over */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;

export interface Upgrades {
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Who is asked first. */
  handle(listener: UpgradeListener): void;
  closeIdleConnections(): void;
  closeAllConnections(): void;
}

export function createUpgrades(onRequest: RequestListener): Upgrades {
  let listener: UpgradeListener = () => false;
  // Never listens: it is given connections.
  const plain = createServer(STREAMING_SERVER_OPTIONS, onRequest);

  return {
    onUpgrade: (request, socket, head) => {
      if (listener(request, socket, head)) return;
      socket.unshift(Buffer.concat([requestHead(request), head]));
      plain.emit("connection", socket);
    },
    handle: (next) => {
      listener = next;
    },
    closeIdleConnections: () => plain.closeIdleConnections(),
    closeAllConnections: () => plain.closeAllConnections(),
  };
}

/** The request's head as it came, but for the wish. Node has parsed it: there is no line in it that is another request's. */
function requestHead({ method = "GET", url = "/", rawHeaders }: IncomingMessage): Buffer {
  const lines: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = [rawHeaders[at], rawHeaders[at + 1]];
    const lower = name.toLowerCase();
    if (lower === "upgrade" || lower === "http2-settings") continue;
    lines.push(`${name}: ${lower === "connection" ? withoutUpgrade(value) : value}`);
  }
  return Buffer.from(`${method} ${url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

const withoutUpgrade = (connection: string): string => {
  const kept = connection
    .split(",")
    .map((token) => token.trim())
    .filter((token) => !/^(?:upgrade|http2-settings)$/i.test(token));
  return kept.length === 0 ? "keep-alive" : kept.join(", ");
};
