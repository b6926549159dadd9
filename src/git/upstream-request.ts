/**
 * One HTTP request to an upstream, as streams, with every failure named. `node:http` and not `fetch`: piping a request through web
 * streams costs half of the throughput.
 */
import http, { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import { GatewayError } from "../errors.ts";

export interface UpstreamTimeouts {
  /** Until the connection stands, TLS included. */
  readonly connectMs: number;
  /** Without a byte in either direction. An upstream's hooks and checks may take minutes before they say a word. */
  readonly idleMs: number;
}

export const DEFAULT_UPSTREAM_TIMEOUTS: UpstreamTimeouts = { connectMs: 10_000, idleMs: 600_000 };

export interface UpstreamRequestOptions {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: URL;
  readonly headers: OutgoingHttpHeaders;
  readonly agent: http.Agent;
  readonly timeouts: UpstreamTimeouts;
  /** The connection's name, for error texts. */
  readonly connection: string;
  /** Aborted when there is nobody left to answer. */
  readonly signal?: AbortSignal;
}

export interface OpenRequest {
  readonly request: ClientRequest;
  /** Rejects with a GatewayError: `upstream_unreachable`, `upstream_misbehaved`, `client_gone`. */
  readonly response: Promise<IncomingMessage>;
  /** Resolves once bytes can reach the upstream, and also when they never will. */
  readonly connected: Promise<void>;
}

/** Opens a request whose body the caller writes and ends. */
export function openUpstreamRequest(options: UpstreamRequestOptions): OpenRequest {
  const { connection, timeouts, signal } = options;
  const client = options.url.protocol === "https:" ? https : http;
  const request = client.request(options.url, {
    method: options.method,
    headers: options.headers,
    agent: options.agent,
    ...(signal === undefined ? {} : { signal }),
  });
  request.setTimeout(timeouts.idleMs, () => request.destroy(timedOut(connection, timeouts.idleMs)));
  const connected = new Promise<void>((resolve) => {
    request.once("close", resolve);
    request.once("socket", (socket) => {
      if (!socket.connecting) {
        resolve();
        return;
      }
      const timer = setTimeout(() => request.destroy(timedOut(connection, timeouts.connectMs)), timeouts.connectMs);
      socket.once(options.url.protocol === "https:" ? "secureConnect" : "connect", resolve);
      void connected.then(() => clearTimeout(timer));
    });
  });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    // Stays on after the answer has begun: then the answer's own stream tells, and this one must not be unhandled.
    request.on("error", (error) => {
      if (isRaceOfKeepAlive(options, request, error)) resolve(askAgain(options));
      else reject(describeFailure(error, connection, signal));
    });
    request.once("close", () => reject(describeFailure(new Error("closed"), connection, signal)));
  });
  // Whoever only writes the body may see the failure there first.
  response.catch(() => {});
  return { request, response, connected };
}

/** An upstream may close a connection that was kept, just as it is used again: what has no body is asked once more, on a new one. */
const isRaceOfKeepAlive = ({ method, signal }: UpstreamRequestOptions, request: ClientRequest, error: Error): boolean =>
  method === "GET" &&
  request.reusedSocket &&
  signal?.aborted !== true &&
  "code" in error &&
  (error.code === "ECONNRESET" || error.code === "EPIPE");

function askAgain(options: UpstreamRequestOptions): Promise<IncomingMessage> {
  const agent = options.url.protocol === "https:" ? new https.Agent() : new http.Agent();
  const { request, response } = openUpstreamRequest({ ...options, agent });
  request.end();
  return response;
}

const timedOut = (connection: string, ms: number): GatewayError =>
  new GatewayError("upstream_unreachable", `the upstream of “${connection}” did not answer within ${ms / 1000} s`);

/** Names a failure of the transport. The address stays in the cause: it may be internal. */
export function describeFailure(error: unknown, connection: string, signal?: AbortSignal): GatewayError {
  if (error instanceof GatewayError) return error;
  if (signal?.aborted === true) {
    return new GatewayError("client_gone", "the client closed its connection", { cause: error });
  }
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (code.startsWith("HPE_")) {
    const message = `the upstream of “${connection}” does not answer in HTTP (${code})`;
    return new GatewayError("upstream_misbehaved", message, { cause: error });
  }
  if (/^(?:CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code)) {
    const message = `the upstream of “${connection}” shows no certificate that the gateway trusts (${code}); ask the gateway's operator`;
    return new GatewayError("upstream_unreachable", message, { cause: error });
  }
  const message =
    code === "ECONNRESET" || code === "EPIPE" || code === ""
      ? `the upstream of “${connection}” broke the connection; try again`
      : `the upstream of “${connection}” cannot be reached (${code}); try again later or ask the gateway's operator`;
  return new GatewayError("upstream_unreachable", message, { cause: error });
}

/** Closes an answer that nobody will read, so that its socket is not kept waiting. */
export function dropResponse(response: IncomingMessage): void {
  response.on("error", () => {});
  response.destroy();
}
