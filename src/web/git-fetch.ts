/** A fetch or clone, passed as a stream, and told to whoever records it. */
import type { IncomingMessage } from "node:http";
import { GatewayError, maskFailure } from "../errors.ts";
import { isDumbFile } from "../git/dumb-file.ts";
import { createFetchTap, type FetchTap } from "../git/fetch-tap.ts";
import { encodePktLine } from "../git/pkt-line.ts";
import type { RefNames } from "../git/ref-names.ts";
import type { GitTarget } from "../git/repository-path.ts";
import { createRelayMeter, type RelayMeter } from "../git/upstream-relay.ts";
import type { GitUpstream } from "../git/upstream.ts";
import type { GitConnection } from "../model/connection.ts";
import type { FetchStatus, RelayedFetch } from "../model/fetch.ts";
import type { Principal } from "../model/principal.ts";
import { escapeLine } from "../model/printable.ts";
import { describeError } from "./error-response.ts";
import { drainRequest, type NodeExchange } from "./node-adapter.ts";

export interface FetchDependencies {
  readonly upstream: GitUpstream;
  readonly refNames: RefNames;
  /** Told of every fetch that the upstream was asked for, once it has ended. */
  readonly onFetch: (fetch: RelayedFetch) => void;
  /** Told of what was answered as an error packet. */
  readonly onError: (error: unknown) => void;
  /** Takes secrets out of a text. */
  readonly mask: (text: string) => string;
  readonly now: () => Date;
}

export interface AdmittedFetch {
  readonly principal: Principal;
  readonly connection: GitConnection;
  readonly target: GitTarget;
}

/** @throws GatewayError, where nothing has been answered yet; see `GitUpstream.relay` */
export async function relayFetch(
  deps: FetchDependencies,
  exchange: NodeExchange,
  admitted: AdmittedFetch,
  kind: "advertisement" | "rpc",
): Promise<void> {
  const { incoming, outgoing } = exchange;
  const { principal, target } = admitted;
  const { "git-protocol": gitProtocol, "content-encoding": contentEncoding } = incoming.headers;
  // By the person: an upstream may show others other refs.
  const listing = `${principal.id} ${target.repository}`;
  const meter = createRelayMeter();
  const startedAt = deps.now();
  let tap: FetchTap | null = null;
  const tell = (status: FetchStatus | null): void => {
    // A version 2 advertisement names no ref, and what the upstream refuses nobody has read.
    if (status === null || tap === null || tap.request.kind === "other" || isRefusal(meter)) return;
    const { kind: asked, wants, wantCount, wantRefs, options } = tap.request;
    const refs = [...wantRefs, ...deps.refNames.find(listing, wants)];
    const request = { kind: asked, wants, wantCount: wantCount + wantRefs.length, refs, options };
    deps.onFetch({ ...factsOf(admitted, incoming, meter), ...request, status, startedAt, finishedAt: deps.now() });
  };
  try {
    tap = createFetchTap({
      kind,
      gitProtocol,
      contentEncoding,
      onNames: (names) => deps.refNames.remember(listing, names),
    });
    await deps.upstream.relay({
      ...exchange,
      path: target.upstreamPath,
      service: "git-upload-pack",
      kind,
      prefix: target.prefix,
      tap,
      meter,
    });
  } catch (error) {
    tell(statusOf(error));
    if (kind === "advertisement" || outgoing.headersSent) throw error;
    deps.onError(error);
    return answerFetchError(exchange, maskFailure(error, deps.mask));
  }
  tell((meter.status ?? 0) >= 500 ? "upstream_failed" : "complete");
}

/** A file of the dumb protocol. @throws GatewayError, where nothing has been answered yet */
export async function relayDumbFile(
  deps: FetchDependencies,
  exchange: NodeExchange,
  admitted: AdmittedFetch,
  file: string,
): Promise<void> {
  if (!isDumbFile(file)) {
    throw new GatewayError(
      "not_found",
      "the gateway serves no such file: only what a fetch by the dumb protocol needs",
    );
  }
  const meter = createRelayMeter();
  const startedAt = deps.now();
  const tell = (status: FetchStatus | null): void => {
    if (status === null || isRefusal(meter)) return;
    const request = { kind: "dumb" as const, wants: [], wantCount: 0, refs: [], options: [] };
    const facts = factsOf(admitted, exchange.incoming, meter);
    deps.onFetch({ ...facts, ...request, status, startedAt, finishedAt: deps.now() });
  };
  const { upstreamPath: path, prefix } = admitted.target;
  try {
    await deps.upstream.relayFile({ ...exchange, path, file, prefix, meter });
  } catch (error) {
    tell(statusOf(error));
    throw error;
  }
  tell((meter.status ?? 0) >= 500 ? "upstream_failed" : "complete");
}

const factsOf = ({ principal, connection, target }: AdmittedFetch, incoming: IncomingMessage, meter: RelayMeter) => ({
  principal,
  connection: connection.name,
  repository: target.repository,
  httpStatus: meter.status,
  requestBytes: meter.requestBytes,
  responseBytes: meter.responseBytes,
  userAgent: incoming.headers["user-agent"] ?? "",
});

/** Redirects, and what the upstream says no to. */
const isRefusal = ({ status }: RelayMeter): boolean => status !== null && status >= 300 && status < 500;

/** Null for what the gateway itself refused. */
function statusOf(error: unknown): FetchStatus | null {
  if (!(error instanceof GatewayError)) return "upstream_failed";
  if (error.code === "client_gone") return "client_gone";
  return error.code.startsWith("upstream_") ? "upstream_failed" : null;
}

/**
 * git shows nothing of an HTTP error on a fetch but its number; an error packet (gitprotocol-pack, "error-line") it shows as
 * `fatal: remote error: …`.
 */
async function answerFetchError({ incoming, outgoing }: NodeExchange, error: unknown): Promise<void> {
  await drainRequest(incoming);
  if (outgoing.destroyed) return;
  outgoing.writeHead(200, {
    "content-type": "application/x-git-upload-pack-result",
    "cache-control": "no-cache",
  });
  outgoing.end(encodePktLine(`ERR Sallyport: ${escapeLine(describeError(error).message, 1_000)}\n`));
}
