/**
 * The one way from a Hono route to Node's own request and response, for what moves bytes: web streams cost half of the
 * throughput there. Everything else stays on Request and Response.
 */
import type { IncomingMessage, ServerOptions, ServerResponse } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context } from "hono";
import { sendError } from "./error-response.ts";

// A type and not an interface: Hono's `Env` wants an index signature, which only type aliases have implicitly.
export type NodeEnv = { Bindings: HttpBindings };

export interface NodeExchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** Aborted when the client's connection closes before the answer is complete. */
  readonly signal: AbortSignal;
}

/**
 * For the server that carries byte streams: no limit on how long a request may take (Node's 300 s would end a large push),
 * only on its headers. Bodies have limits of their own: see {@link endSlowBody}, and whoever reads a stream.
 *
 * A header that stands there twice is read with both its values, which for `Authorization` or `Content-Type` is none: by itself Node takes
 * the first one in silence, and a proxy in front of the gateway may have judged the other.
 */
export const STREAMING_SERVER_OPTIONS: ServerOptions = {
  requestTimeout: 0,
  headersTimeout: 60_000,
  joinDuplicateHeaders: true,
};

/** The client's request as Node has it; the target in it is raw. Undefined where there is no socket (`app.request()`). */
export const rawTarget = (c: Context<NodeEnv>): string | undefined =>
  // Hono's type promises bindings that a test's `app.request()` does not give.
  (c.env as Partial<HttpBindings> | undefined)?.incoming?.url;

/**
 * Lets `work` answer on Node's response. What it throws becomes an answer, or ends the connection where one has begun.
 * @param onError told of what was thrown, before it is answered
 */
export async function answerNatively(
  c: Context<NodeEnv>,
  work: (exchange: NodeExchange) => Promise<void>,
  onError: (error: unknown) => void = () => {},
): Promise<Response> {
  const { incoming, outgoing } = c.env;
  const gone = new AbortController();
  const onClose = (): void => {
    if (!outgoing.writableFinished) gone.abort();
  };
  outgoing.once("close", onClose);
  const forgetConnection = onConnectionLost(incoming, outgoing);
  // A connection that breaks shows on both streams; unheard, the error would end the process.
  incoming.on("error", () => {});
  outgoing.on("error", () => {});
  try {
    await work({
      incoming,
      outgoing,
      // Made when it is asked for: token streams do without.
      get signal() {
        return gone.signal;
      },
    });
  } catch (error) {
    onError(error);
    await drainRequest(incoming);
    await sendError(outgoing, error);
  } finally {
    forgetConnection();
  }
  return RESPONSE_ALREADY_SENT;
}

/**
 * Node tells of a lost connection only the answer that is being sent on it. One that waits behind it (pipelining, RFC 9112 §9.3.2) would
 * never end: it would be kept for a client that is gone, and its record stay open.
 * @returns stops listening
 */
function onConnectionLost({ socket }: IncomingMessage, outgoing: ServerResponse): () => void {
  const onLost = (): void => {
    if (outgoing.socket !== null || outgoing.writableFinished || outgoing.destroyed) return;
    outgoing.destroy();
    outgoing.emit("close");
  };
  socket.once("close", onLost);
  if (socket.destroyed) onLost();
  return () => void socket.off("close", onLost);
}

/**
 * Somebody who sends a body byte by byte would hold what has come of it for as long as they like, on as many connections as they like, and
 * before anybody knows who they are. Whatever becomes of the request, its connection ends where its body is not whole in time.
 */
export function endSlowBody(incoming: IncomingMessage, longestMs: number): void {
  if (incoming.complete) return;
  const timer = setTimeout(() => {
    if (!incoming.complete) incoming.destroy();
  }, longestMs);
  incoming.once("close", () => clearTimeout(timer));
}

const DRAIN_IDLE_MS = 60_000;
/** A client that never stalls, and never ends either. */
const DRAIN_MS = 10 * 60_000;

/** Reads and forgets what the client still sends, so that it reads the answer; gives up on a client that stalls. */
export function drainRequest(incoming: IncomingMessage): Promise<void> {
  if (incoming.readableEnded || incoming.destroyed) return Promise.resolve();
  endSlowBody(incoming, DRAIN_MS);
  return new Promise((resolve) => {
    incoming.socket.setTimeout(DRAIN_IDLE_MS);
    incoming.once("end", () => {
      incoming.socket.setTimeout(0);
      resolve();
    });
    incoming.once("close", resolve);
    incoming.resume();
  });
}
