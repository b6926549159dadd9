/** One request to the upstream, over kept-alive connections. */
import { type OutgoingHttpHeaders, validateHeaderName, validateHeaderValue } from "node:http";
import type { AnswerHead } from "../../copilot/streams/http-answer.ts";
import { GatewayError } from "../../errors.ts";
import type { UpstreamAnswer } from "./upstream-answer.ts";
import { type Origin, UpstreamConnection } from "./upstream-connection.ts";

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

export interface Upstreams {
  /**
   * @returns the answer, its body not yet read
   * @throws GatewayError `upstream_unreachable`; `client_gone` when the signal fired first
   */
  send(request: UpstreamRequest): Promise<UpstreamAnswer>;
  /** Closes the connections that are idle. */
  close(): void;
}

/** Of one origin. */
const MOST_IDLE = 256;
/** As long a connection waits for its next request, where the upstream says nothing else. */
const IDLE_MS = 60_000;

class StaleConnection extends Error {}

export function createUpstreams(): Upstreams {
  /** The idle ones, those used last at the end. */
  const idle = new Map<string, UpstreamConnection[]>();
  const sessions = new Map<string, Buffer>();

  const forget = (key: string, connection: UpstreamConnection): void => {
    const kept = idle.get(key)?.filter((one) => one !== connection) ?? [];
    if (kept.length === 0) idle.delete(key);
    else idle.set(key, kept);
  };

  function take(key: string): UpstreamConnection | undefined {
    const free = idle.get(key) ?? [];
    for (let one = free.pop(); one !== undefined; one = free.pop()) if (one.isOpen) return one;
    return undefined;
  }

  const open = (origin: Origin, key: string): UpstreamConnection =>
    new UpstreamConnection(origin, {
      session: sessions.get(key),
      onSession: (session) => void sessions.set(key, session),
      onFree: (connection, head) => {
        const free = idle.get(key) ?? [];
        const keptMs = keptFor(head);
        if (keptMs <= 0 || free.length >= MOST_IDLE) return connection.destroy();
        free.push(connection);
        idle.set(key, free);
        connection.rest(keptMs);
      },
      onClose: (connection) => forget(key, connection),
    });

  function attempt(request: UpstreamRequest, fresh: boolean): Promise<UpstreamAnswer> {
    const { url, signal, idleMs } = request;
    const key = url.origin;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(clientGone());
      const connection = (fresh ? undefined : take(key)) ?? open(originOf(url), key);
      const leave = (): void => connection.destroy();
      signal.addEventListener("abort", leave, { once: true });
      connection.send({
        method: request.method,
        head: encodeHead(request),
        body: request.body,
        idleMs,
        answered: (answer) => {
          signal.removeEventListener("abort", leave);
          resolve(answer);
        },
        failed: (error, wasHeard) => {
          signal.removeEventListener("abort", leave);
          if (signal.aborted) reject(clientGone());
          else if (connection.uses > 1 && !wasHeard && isHangUp(error)) reject(new StaleConnection());
          else {
            const message = `The upstream ${url.host} cannot be reached (${error.code ?? error.message}). Try again; if it lasts, tell whoever runs this gateway.`;
            reject(new GatewayError("upstream_unreachable", message, { cause: error }));
          }
        },
      });
    });
  }

  return {
    async send(request) {
      try {
        return await attempt(request, false);
      } catch (error) {
        // A kept-alive connection that the upstream closed just as it was used again: nothing was read, so once more. On a new one: the
        // others that were kept may be closing at this moment, too.
        if (error instanceof StaleConnection) return await attempt(request, true);
        throw error;
      }
    },
    close: () => {
      for (const connection of [...idle.values()].flat()) connection.destroy();
    },
  };
}

const isHangUp = ({ code }: NodeJS.ErrnoException): boolean => code === "ECONNRESET" || code === "EPIPE";

const clientGone = () => new GatewayError("client_gone", "The client left before the upstream answered.");

function originOf({ protocol, hostname, port }: URL): Origin {
  const secure = protocol === "https:";
  return { secure, host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || (secure ? 443 : 80) };
}

/** A little less than the upstream says (`Keep-Alive: timeout=5`): what is sent at its end would meet a closed door. */
function keptFor({ headers }: AnswerHead): number {
  const said = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(String(headers["keep-alive"] ?? ""))?.[1];
  return said === undefined ? IDLE_MS : Math.min(IDLE_MS, Number(said) * 1_000 - 1_000);
}

/** Request line and headers (RFC 9112 §3 and §5). @throws TypeError for a header that would be more than one */
function encodeHead({ url, method, headers, body }: UpstreamRequest): string {
  const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`];
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name === "content-length") continue;
    validateHeaderName(name);
    for (const one of Array.isArray(value) ? value : [String(value)]) {
      validateHeaderValue(name, one);
      lines.push(`${name}: ${one}`);
    }
  }
  // Of these methods a server expects a body, or to be told that there is none (RFC 9110 §8.6).
  if (body !== null || /^(?:POST|PUT|PATCH)$/.test(method)) lines.push(`content-length: ${body?.length ?? 0}`);
  lines.push("connection: keep-alive", "", "");
  return lines.join("\r\n");
}
