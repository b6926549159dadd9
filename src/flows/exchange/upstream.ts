/** One request to the upstream, over kept-alive connections. */
import http, { type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import { GatewayError } from "../../errors.ts";

export interface UpstreamAgents {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

export const createUpstreamAgents = (): UpstreamAgents => ({
  http: new http.Agent({ keepAlive: true }),
  https: new https.Agent({ keepAlive: true }),
});

export interface UpstreamRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer | null;
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal;
  /** How long the upstream may stay silent, in milliseconds. */
  readonly idleMs: number;
}

/**
 * @returns the answer, its body not yet read
 * @throws GatewayError `upstream_unreachable`; `client_gone` when the signal fired first
 */
export async function sendUpstream(agents: UpstreamAgents, request: UpstreamRequest): Promise<IncomingMessage> {
  try {
    return await attempt(agents[secureOf(request.url)], request);
  } catch (error) {
    // A kept-alive connection that the upstream closed just as it was used again: nothing was read, so once more. On a new one: the others
    // that were kept may be closing at this moment, too.
    if (error instanceof StaleConnection) return await attempt(false, request);
    throw error;
  }
}

class StaleConnection extends Error {}

const secureOf = ({ protocol }: URL): keyof UpstreamAgents => (protocol === "https:" ? "https" : "http");

/** @param agent false: a connection for this request alone */
function attempt(agent: http.Agent | false, { url, method, headers, body, signal, idleMs }: UpstreamRequest) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const options = { method, headers, signal, agent };
    const request = secureOf(url) === "https" ? https.request(url, options) : http.request(url, options);
    request.setTimeout(idleMs, () => request.destroy(new Error(`silent for ${idleMs / 1000} s`)));
    request.once("response", resolve);
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(new GatewayError("client_gone", "The client left before the upstream answered."));
      else if (request.reusedSocket && error.code === "ECONNRESET") reject(new StaleConnection());
      else {
        const message = `The upstream ${url.host} cannot be reached (${error.code ?? error.message}). Try again; if it lasts, tell whoever runs this gateway.`;
        reject(new GatewayError("upstream_unreachable", message, { cause: error }));
      }
    });
    request.end(body ?? undefined);
  });
}
