/**
 * `/copilot/<connection>/…` and `/u/<token>/copilot/<connection>/…`: who asks, for which connection, which path. What follows is
 * `flows/exchange.ts`. Works on Node's own request and response, because web streams are too slow for token streams.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { err, GatewayError, ok, type Result } from "../errors.ts";
import type { Duplex } from "node:stream";
import type { ExchangeFlow } from "../flows/exchange.ts";
import type { CredentialSources } from "../identity/credentials.ts";
import type { Identify } from "../identity/identity.ts";
import type { CopilotConnection } from "../model/connection.ts";
import { escapeLine } from "../model/printable.ts";
import type { Principal } from "../model/principal.ts";
import { isNamed } from "../model/who.ts";
import type { UpgradeListener } from "./upgrades.ts";

export interface CopilotDependencies {
  readonly connections: readonly CopilotConnection[];
  readonly identify: Identify;
  /** For connections that go on while the database is away; absent: the same. */
  readonly identifyAway?: Identify;
  readonly exchanges: ExchangeFlow;
  /** Takes secrets out of a text. */
  readonly mask: (text: string) => string;
}

/** What a request target below `/copilot/` says, as sent and undecoded. */
export interface CopilotTarget {
  readonly token: string | null;
  readonly connection: string;
  /** Beginning with `/`; without the query. */
  readonly path: string;
  /** With its `?`; empty where there is none. */
  readonly query: string;
}

interface Failure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Whether this handler answers a request target (`request.url`). */
export const isCopilotTarget = (target: string): boolean => /^(?:\/u\/[^/?]*)?\/copilot(?:[/?]|$)/.test(target);

/**
 * Takes a request target apart without decoding it: what the gateway checks has to be what the upstream reads. Encoded slashes, dot segments
 * and empty segments could mean one path here and another there, and are refused.
 */
export function parseCopilotTarget(target: string): Result<CopilotTarget, Failure> {
  const malformed = (what: string) =>
    err({
      status: 400,
      code: "request_malformed",
      message: `The path ${what}. Send it as <gateway>/copilot/<connection>/<path>.`,
    });
  const [path = "", ...rest] = target.split("?");
  const query = rest.length === 0 ? "" : `?${rest.join("?")}`;
  if (/[\\#]|[^\x21-\x7e]/.test(target)) return malformed("holds a character that has no place in a URL");
  const segments = path.split("/").slice(1);
  for (const segment of segments) {
    const plain = decodeSegment(segment);
    if (plain === null) return malformed("holds a broken percent escape");
    if (plain === "") return malformed("holds an empty segment (two slashes in a row, or one at its end)");
    if (plain === "." || plain === "..") return malformed("holds a dot segment");
    if (/[/\\]|\p{Cc}/u.test(plain)) return malformed("holds an encoded slash or control character");
    if (plain.includes("%")) return malformed("is percent-encoded twice");
    // `/%61gents` and `/agents` are one path (RFC 3986 §6.2.2.2), and only one of them is what a rule names.
    if (UNRESERVED_ESCAPE.test(segment)) return malformed("percent-encodes a character that needs none");
    // Some servers cut a segment off here: `/agents;x` would be `/agents`.
    if (plain.includes(";")) return malformed("holds a semicolon");
  }
  const token = segments[0] === "u" ? (segments[1] ?? null) : null;
  const [root, connection, ...below] = token === null ? segments : segments.slice(2);
  if (root !== "copilot" || connection === undefined) return malformed("names no connection");
  return ok({ token, connection, path: `/${below.join("/")}`, query });
}

/** Escapes of letters, digits, `-`, `.`, `_` and `~` (RFC 3986 §2.3). */
const UNRESERVED_ESCAPE = /%(?:3[0-9]|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a]|2[de]|5f|7e)/i;

const decodeSegment = (segment: string): string | null => {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
};

/** @returns the handler for every target that {@link isCopilotTarget} names; `target` is `request.url` as it came */
export function createCopilotHandler(
  deps: CopilotDependencies,
): (request: IncomingMessage, response: ServerResponse, target?: string) => Promise<void> {
  const connections = new Map(deps.connections.map((connection) => [connection.name, connection]));

  return async (request, response, target = request.url ?? "") => {
    const parsed = parseCopilotTarget(target);
    if (!parsed.ok) return sendFailure(response, parsed.error);
    const { token, path, query } = parsed.value;

    // First the person: without one, nobody learns which connections exist.
    const connection = connections.get(parsed.value.connection);
    // Where `Authorization` is meant for the upstream, the person has to be known by something else.
    const passthrough = connection?.credential.kind === "passthrough";
    const sources = { headers: withKey(request.headers, passthrough), pathToken: token, passthrough };
    const person = await identifyOrFail(identifyFor(deps, connection), sources);
    if (!person.ok) return sendFailure(response, person.error);
    const { principal, tokenId } = person.value;

    if (connection === undefined) return sendFailure(response, unknownConnection(deps, parsed.value.connection));
    if (!isNamed(principal, connection.allow)) return sendFailure(response, notAllowed(connection, principal));

    await deps.exchanges.run({ principal, tokenId, connection, path, query, request, response });
  };
}

/**
 * Clients of Anthropic's API send their key as `x-api-key`, those of Azure's as `api-key`: a gateway token in it counts as Bearer. Not where the
 * client's own credentials are for the upstream, and never beside an `Authorization`, which comes first.
 */
function withKey(headers: IncomingHttpHeaders, passthrough: boolean): IncomingHttpHeaders {
  const key = headers["x-api-key"] ?? headers["api-key"];
  if (passthrough || headers.authorization !== undefined || typeof key !== "string") return headers;
  return { ...headers, authorization: `Bearer ${key}` };
}

/**
 * Takes over connections that are to become WebSockets below `/copilot/`; the person is known before anything is said to the upstream, and
 * asked for again at each message.
 * @param stopping aborted when the gateway is to stop
 */
export function createCopilotUpgrade(deps: CopilotDependencies, stopping: AbortSignal): UpgradeListener {
  const connections = new Map(deps.connections.map((connection) => [connection.name, connection]));

  async function open(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const parsed = parseCopilotTarget(request.url ?? "");
    if (!parsed.ok) return endWithFailure(socket, parsed.error);
    const { token, path, query } = parsed.value;
    const connection = connections.get(parsed.value.connection);
    const passthrough = connection?.credential.kind === "passthrough";
    const sources = { headers: withKey(request.headers, passthrough), pathToken: token, passthrough };
    const who = async (): ReturnType<typeof identifyOrFail> => {
      const person = await identifyOrFail(identifyFor(deps, connection), sources);
      if (!person.ok) return person;
      if (connection === undefined) return err(unknownConnection(deps, parsed.value.connection));
      return isNamed(person.value.principal, connection.allow)
        ? person
        : err(notAllowed(connection, person.value.principal));
    };
    const person = await who();
    if (!person.ok || connection === undefined) {
      return endWithFailure(socket, person.ok ? unknownConnection(deps, parsed.value.connection) : person.error);
    }
    const recheck = async (): Promise<Result<Principal, string>> => {
      const still = await who();
      return still.ok ? ok(still.value.principal) : err(still.error.message);
    };
    const asked = { ...person.value, connection, path, query, request };
    await deps.exchanges.upgrade({ ...asked, socket, head, stopping, recheck });
  }

  return (request, socket, head) => {
    const target = request.url ?? "";
    if (!isCopilotTarget(target) || !/\bwebsocket\b/i.test(request.headers.upgrade ?? "")) {
      return false;
    }
    socket.on("error", () => {});
    open(request, socket, head).catch(() => socket.destroy());
    return true;
  };
}

/** The connection ends with it: whatever else came on it is no request. */
function endWithFailure(socket: Duplex, failure: Failure): void {
  const body = JSON.stringify({ error: { message: failure.message, code: failure.code } });
  const lines = [
    `HTTP/1.1 ${failure.status} Refused`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(failure.status === 401 ? ['WWW-Authenticate: Bearer realm="Sallyport"'] : []),
    "Connection: close",
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

const identifyFor = (deps: CopilotDependencies, connection: CopilotConnection | undefined): Identify =>
  connection?.policy.databaseAway === "spool" ? (deps.identifyAway ?? deps.identify) : deps.identify;

async function identifyOrFail(
  identify: Identify,
  sources: CredentialSources,
): Promise<Result<{ readonly principal: Principal; readonly tokenId: string | null }, Failure>> {
  let person: Awaited<ReturnType<Identify>>;
  try {
    person = await identify(sources, "copilot");
  } catch (error) {
    // Whether the token is good cannot be known just now: nobody is let in, and nobody's client is told that its token is bad.
    if (error instanceof GatewayError && error.code === "upstream_unreachable") {
      return err({ status: 503, code: "identity_provider_unavailable", message: error.message });
    }
    return err({
      status: 503,
      code: "database_unavailable",
      message:
        "The gateway cannot check who you are just now, because its database does not answer. Try again in a moment.",
    });
  }
  if (person.ok) return person;
  const how =
    "You make a token yourself on the gateway's page /tokens, or its operator makes one (`npx sallyport token create --user YOU --for copilot`); `npx sallyport setup` prints where each client takes it.";
  return err({ status: 401, code: "unauthenticated", message: `${person.error.message} ${how}` });
}

const unknownConnection = ({ mask }: CopilotDependencies, name: string): Failure => ({
  status: 404,
  code: "not_found",
  message: `This gateway has no Copilot connection named ${escapeLine(mask(name), 60)}. Check the address in your client's settings.`,
});

const notAllowed = (connection: CopilotConnection, principal: Principal): Failure => ({
  status: 403,
  code: "forbidden",
  message: `${escapeLine(principal.email, 100)} may not use the Copilot connection ${connection.name}: none of your groups is on its list. Ask whoever runs this gateway.`,
});

function sendFailure(response: ServerResponse, { status, code, message }: Failure): void {
  const body = JSON.stringify({ error: { message, code } });
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...(status === 401 ? { "www-authenticate": 'Bearer realm="Sallyport"' } : {}),
    // The request's body was not read.
    ...(response.req.method === "GET" ? {} : { connection: "close" }),
  });
  response.end(body);
}
