/** The Git server behind a connection: relayed requests, the gateway's own questions, and deliveries. */
import http from "node:http";
import https from "node:https";
import type { Readable } from "node:stream";
import { GatewayError } from "../errors.ts";
import type { GitConnection } from "../model/connection.ts";
import { parseAdvertisement, type Advertisement } from "./advertisement.ts";
import { isAlternates } from "./dumb-file.ts";
import { encodeDanglingQuestion, parseDanglingAnswer } from "./dangling-refs.ts";
import { encodeLsRefs, parseSymrefs } from "./ls-refs.ts";
import { FLUSH_PKT } from "./pkt-line.ts";
import { readAnswer } from "./read-answer.ts";
import { encodeRepositoryPath, type GitService } from "./repository-path.ts";
import { checkAnswer } from "./upstream-answer.ts";
import { deliverToUpstream, type DeliveredPush } from "./upstream-delivery.ts";
import { relayFileToUpstream, type FileRelay } from "./upstream-file.ts";
import { upstreamRequestHeaders, type ClientHeaders } from "./upstream-headers.ts";
import { relayToUpstream, type RelayRequest, type RelayResult } from "./upstream-relay.ts";
import {
  DEFAULT_UPSTREAM_TIMEOUTS,
  describeFailure,
  dropResponse,
  openUpstreamRequest,
  type OpenRequest,
  type UpstreamTimeouts,
} from "./upstream-request.ts";

export interface AskOptions {
  /** The client's own headers: its credentials are used where the connection says `passthrough`, and its User-Agent never. */
  readonly clientHeaders?: ClientHeaders;
  readonly signal?: AbortSignal;
}

export interface DeliverRequest {
  /** The bytes before the pack, with a report-status capability among them. */
  readonly head: Buffer;
  /** Null for a push that has none: nothing but deletions. */
  readonly pack: Readable | null;
  /** Lets the request go with a Content-Length, which some servers insist on. */
  readonly packBytes?: number;
  readonly clientHeaders?: ClientHeaders;
  readonly signal?: AbortSignal;
  /** The upstream's own text (band 2), unchanged, in pieces as they come. */
  readonly onMessage?: (text: string) => void;
}

/** Paths are decoded, below the connection's base, with `.git` where it is wanted. */
export interface GitUpstream {
  /** @throws GatewayError `upstream_*`, `not_found`, `client_gone`; see {@link relayToUpstream} */
  relay(relay: RelayRequest): Promise<RelayResult>;
  /** A file of the dumb protocol. @throws GatewayError as `relay` */
  relayFile(relay: FileRelay): Promise<void>;
  /** The upstream's refs. @throws GatewayError `upstream_*`, `not_found` */
  advertise(path: string, service: GitService, options?: AskOptions): Promise<Advertisement>;
  /**
   * Which of the refs that begin with these names are symbolic: name → what it stands for. Null from an upstream that knows no
   * protocol version 2, which cannot be asked. @throws GatewayError `upstream_*`, `not_found`
   */
  symrefs(path: string, names: readonly string[], options?: AskOptions): Promise<ReadonlyMap<string, string> | null>;
  /**
   * Which of these refs, none of which is listed, stand for another one that is missing: name → that one. As far as the upstream tells.
   * Changes nothing; its hooks are run as for a push. @param oid of a commit that it has. @throws GatewayError `upstream_*`, `not_found`
   */
  danglingTargets(
    path: string,
    refs: readonly string[],
    oid: string,
    options?: AskOptions,
  ): Promise<ReadonlyMap<string, string>>;
  /** Whether the upstream would take a push, asked as git asks before a large one. @throws GatewayError `upstream_*`, `not_found` */
  probe(path: string, options?: AskOptions): Promise<void>;
  /** @throws DeliveryError, whose `outcome` tells whether a ref can have moved */
  deliver(path: string, request: DeliverRequest): Promise<DeliveredPush>;
  close(): void;
}

export interface GitUpstreamOptions {
  readonly connection: GitConnection;
  /** The gateway's version, for the User-Agent of its own requests. */
  readonly version: string;
  readonly timeouts?: Partial<UpstreamTimeouts>;
  readonly maxAdvertisementBytes?: number;
}

// Less than the 5 s after which Apache and Node close an idle connection: a POST whose body is a stream cannot be repeated.
const IDLE_SOCKET_MS = 4_000;

// The gateway's own questions are about refs, which no hook delays: a client should not wait ten minutes for a dead upstream.
const ASK_IDLE_MS = 60_000;

export function createGitUpstream(options: GitUpstreamOptions): GitUpstream {
  const { connection } = options;
  const base = new URL(connection.url);
  const timeouts = { ...DEFAULT_UPSTREAM_TIMEOUTS, ...options.timeouts };
  const maxAdvertisementBytes = options.maxAdvertisementBytes ?? 64 * 1024 * 1024;
  const Agent = base.protocol === "https:" ? https.Agent : http.Agent;
  const agent = new Agent({ keepAlive: true, timeout: IDLE_SOCKET_MS });
  // A delivery has a connection of its own: on a kept one that the upstream has just closed, a push that was never read
  // could not be told from one whose answer was lost.
  const deliveryAgent = new Agent({ keepAlive: false });
  const isPassthrough = connection.credential.kind === "passthrough";
  const userAgent = `sallyport/${options.version} (gateway-internal)`;

  const urlOf = (path: string, service: GitService, kind: "advertisement" | "rpc"): URL => {
    const encoded = encodeRepositoryPath(path);
    return new URL(kind === "rpc" ? `${encoded}/${service}` : `${encoded}/info/refs?service=${service}`, base);
  };
  const namesOf = (path: string, service: GitService, kind: "advertisement" | "rpc") => ({
    connection: connection.name,
    repository: `${connection.name}/${path.replace(/\.git$/, "")}`,
    service,
    kind,
  });

  interface Ask {
    readonly path: string;
    readonly service: GitService;
    readonly kind: "advertisement" | "rpc";
    readonly client: ClientHeaders | null;
    readonly isInternal: boolean;
    /** Headers that describe the body. */
    readonly body: http.OutgoingHttpHeaders;
    readonly signal: AbortSignal | undefined;
    readonly agent?: http.Agent;
    /** In place of the service's address. */
    readonly url?: URL;
  }

  const open = (ask: Ask): OpenRequest => {
    const headers = upstreamRequestHeaders({
      credential: connection.credential,
      client: ask.client,
      service: ask.service,
      userAgent,
    });
    if (ask.isInternal) headers["user-agent"] = userAgent;
    return openUpstreamRequest({
      method: ask.kind === "rpc" ? "POST" : "GET",
      url: ask.url ?? urlOf(ask.path, ask.service, ask.kind),
      headers: { ...headers, ...ask.body },
      agent: ask.agent ?? agent,
      timeouts: ask.isInternal ? { ...timeouts, idleMs: Math.min(timeouts.idleMs, ASK_IDLE_MS) } : timeouts,
      connection: connection.name,
      ...(ask.signal === undefined ? {} : { signal: ask.signal }),
    });
  };

  const rpcHeaders = (service: GitService, length: number | undefined): http.OutgoingHttpHeaders => ({
    "content-type": `application/x-${service}-request`,
    accept: `application/x-${service}-result`,
    ...(length === undefined ? {} : { "content-length": length }),
  });

  /** The gateway's own question: a small answer, read whole. */
  const ask = async (
    path: string,
    service: GitService,
    kind: "advertisement" | "rpc",
    { clientHeaders, signal }: AskOptions,
    body?: Buffer,
    protocol?: http.OutgoingHttpHeaders,
  ): Promise<Buffer> => {
    const { request, response: answer } = open({
      path,
      service,
      kind,
      client: isPassthrough ? (clientHeaders ?? null) : null,
      isInternal: true,
      body: {
        ...(body === undefined ? {} : rpcHeaders(service, body.length)),
        ...protocol,
        "accept-encoding": "identity",
      },
      signal,
    });
    request.end(body);
    const response = await answer;
    const failure = checkAnswer(response, namesOf(path, service, kind));
    if (failure !== null) {
      dropResponse(response);
      throw failure;
    }
    try {
      return await readAnswer(response, maxAdvertisementBytes, () => {
        const text = `the upstream's list of refs is longer than ${maxAdvertisementBytes} bytes`;
        return new GatewayError("upstream_misbehaved", text);
      });
    } catch (error) {
      throw describeFailure(error, connection.name, signal);
    }
  };

  const deliver = (path: string, request: DeliverRequest & { readonly isInternal?: true }): Promise<DeliveredPush> => {
    const service = "git-receive-pack";
    const length =
      request.pack === null
        ? request.head.length
        : request.packBytes === undefined
          ? undefined
          : request.head.length + request.packBytes;
    return deliverToUpstream({
      connection: connection.name,
      signal: request.signal,
      head: request.head,
      pack: request.pack,
      ...(request.onMessage === undefined ? {} : { onMessage: request.onMessage }),
      open: () =>
        open({
          path,
          service,
          kind: "rpc",
          client: request.clientHeaders ?? null,
          isInternal: request.isInternal === true,
          body: { ...rpcHeaders(service, length), "accept-encoding": "identity" },
          signal: request.signal,
          agent: deliveryAgent,
        }),
      check: (response) => checkAnswer(response, namesOf(path, service, "rpc")),
    });
  };

  return {
    relay: (relay) => {
      const { incoming, path, service, kind } = relay;
      const length = relay.body === undefined ? incoming.headers["content-length"] : String(relay.body.length);
      const encoding = relay.body === undefined ? incoming.headers["content-encoding"] : undefined;
      return relayToUpstream(relay, {
        url: urlOf(path, service, kind),
        base,
        connection: connection.name,
        isPassthrough,
        isDumbPassed: connection.dumb === "pass",
        open: (answer) =>
          open({
            path,
            service,
            kind,
            client: incoming.headers,
            isInternal: relay.onlyRefusal === true,
            body: {
              ...(kind === "rpc" ? rpcHeaders(service, length === undefined ? undefined : Number(length)) : {}),
              ...(kind === "rpc" && encoding !== undefined ? { "content-encoding": encoding } : {}),
              ...(answer === "identity" ? { "accept-encoding": "identity" } : {}),
            },
            signal: relay.signal,
          }),
      });
    },
    relayFile: (relay) => {
      const { incoming, path, file } = relay;
      const url = new URL(`${encodeRepositoryPath(path)}/${encodeRepositoryPath(file)}`, base);
      const { range } = incoming.headers;
      return relayFileToUpstream(relay, {
        url,
        base,
        connection: connection.name,
        isPassthrough,
        open: () =>
          open({
            url,
            path,
            service: "git-upload-pack",
            kind: "advertisement",
            client: incoming.headers,
            isInternal: false,
            body: {
              // git goes on with a file where it was broken off.
              ...(range === undefined ? {} : { range }),
              ...(isAlternates(file) ? { "accept-encoding": "identity" } : {}),
            },
            signal: relay.signal,
          }),
      });
    },
    advertise: async (path, service, askOptions = {}) => {
      const bytes = await ask(path, service, "advertisement", askOptions);
      return parseAdvertisement(bytes);
    },
    probe: async (path, askOptions = {}) => {
      await ask(path, "git-receive-pack", "rpc", askOptions, FLUSH_PKT);
    },
    symrefs: async (path, names, askOptions = {}) => {
      const version2 = { "git-protocol": "version=2" };
      const answer = await ask(path, "git-upload-pack", "rpc", askOptions, encodeLsRefs(names), version2);
      try {
        return parseSymrefs(answer);
      } catch {
        return null;
      }
    },
    danglingTargets: async (path, refs, oid, { clientHeaders, signal } = {}) => {
      const { head, pack } = encodeDanglingQuestion(refs, oid);
      let text = "";
      await deliver(path, {
        head: Buffer.concat([head, pack]),
        pack: null,
        isInternal: true,
        ...(isPassthrough && clientHeaders !== undefined ? { clientHeaders } : {}),
        ...(signal === undefined ? {} : { signal }),
        onMessage: (piece) => {
          if (text.length < maxAdvertisementBytes) text += piece;
        },
      });
      return parseDanglingAnswer(text, refs);
    },
    deliver,
    close: () => {
      agent.destroy();
      deliveryAgent.destroy();
    },
  };
}
