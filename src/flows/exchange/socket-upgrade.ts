/** A connection that becomes a WebSocket: what is known of it before anything is said on it. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { RequestHead } from "../../copilot/request-head.ts";
import type { Result } from "../../errors.ts";
import type { CopilotConnection } from "../../model/connection.ts";
import type { Principal } from "../../model/principal.ts";
import { readHead, recordHead } from "./headers.ts";
import type { ExchangeStart } from "./record.ts";
import { OWN_HEADERS } from "./socket-handshake.ts";

export interface SocketUpgrade {
  readonly principal: Principal;
  /** The gateway token that they came with; null: the identity provider's. */
  readonly tokenId: string | null;
  readonly connection: CopilotConnection;
  readonly path: string;
  readonly query: string;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came behind the handshake. */
  readonly head: Buffer;
  /** Aborted when the gateway is to stop: what runs may end, nothing new begins. */
  readonly stopping: AbortSignal;
  /** Whether the person may still use the connection; asked before each message. One line says why not. */
  readonly recheck: () => Promise<Result<Principal, string>>;
}

/** What of a handshake the client says: the rest is the handshake's own, and another one goes to the upstream. */
export const headOfHandshake = ({ query, headers }: RequestHead): RequestHead => ({
  query,
  headers: headers.filter(([name]) => !OWN_HEADERS.has(name)),
});

/** What is known of a connection before anything is said on it. */
export const startOfSocket = (
  { principal, connection, path, query, request }: SocketUpgrade,
  id: string,
  now: Date,
): ExchangeStart => ({
  id,
  principal,
  connection: connection.name,
  method: "GET",
  path,
  headers: request.headers,
  head: recordHead(headOfHandshake(readHead(request.headers, query, connection)), request.headers),
  format: "responses",
  model: null,
  streamed: null,
  messages: null,
  bodyConversation: null,
  grouping: "none",
  requestBytes: 0,
  requestMasked: false,
  startedAt: now,
});
