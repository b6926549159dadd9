/**
 * The Git LFS server behind a connection, and the stores that it sends clients to (git-lfs, docs/api/). Questions are small
 * and read whole; objects are streams.
 */
import dns from "node:dns";
import http, { type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import { GatewayError } from "../../errors.ts";
import type { GitConnection } from "../../model/connection.ts";
import { readAnswer } from "../read-answer.ts";
import { encodeRepositoryPath } from "../repository-path.ts";
import { isRedirect } from "../upstream-answer.ts";
import { upstreamRequestHeaders, type ClientHeaders } from "../upstream-headers.ts";
import {
  DEFAULT_UPSTREAM_TIMEOUTS,
  describeFailure,
  dropResponse,
  openUpstreamRequest,
  type OpenRequest,
  type UpstreamTimeouts,
} from "../upstream-request.ts";
import {
  isForbiddenAddress,
  isForbiddenHost,
  isLoopbackHost,
  parseStorageUrl,
  type StorageAction,
} from "./storage-action.ts";

export const LFS_MEDIA_TYPE = "application/vnd.git-lfs+json";

export interface LfsCall {
  readonly method: "GET" | "POST";
  /** Below `info/lfs/`, encoded, with its query. */
  readonly path: string;
  readonly body?: Buffer;
  /** The client's own: its credentials are used where the connection says `passthrough`. */
  readonly clientHeaders: ClientHeaders;
  /** The gateway's own question, not one of the client's. */
  readonly isInternal?: boolean;
  readonly signal?: AbortSignal;
}

export interface LfsCallAnswer {
  readonly status: number;
  /** Null where the answer is no JSON. */
  readonly json: unknown;
  /** What a client needs to sign in or to come again: `www-authenticate`, `lfs-authenticate`, `retry-after`. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface StorageRequest {
  readonly method: "GET" | "PUT" | "POST";
  readonly action: Pick<StorageAction, "href" | "headers">;
  /** Whether the action's headers are all the credential it takes. */
  readonly authenticated: boolean;
  /** Headers of this request: `range`, what describes the body. They give way to the action's. */
  readonly headers: OutgoingHttpHeaders;
  /** Its credential goes along where the upstream's own would (the same origin), and its User-Agent. */
  readonly clientHeaders: ClientHeaders;
  readonly signal: AbortSignal;
}

export interface LfsUpstream {
  /**
   * Asks the LFS server.
   * @param repositoryPath decoded, below the connection's base; `.git` is added where it is missing, as git-lfs does
   * @throws GatewayError `upstream_unreachable`, `upstream_misbehaved`, `client_gone`
   */
  call(repositoryPath: string, call: LfsCall): Promise<LfsCallAnswer>;
  /** Opens a request whose body the caller writes and ends. @throws GatewayError `upstream_misbehaved` for an address that is not asked */
  openStorage(request: StorageRequest): OpenRequest;
  /** A GET that follows redirects, as those of LFS servers before an object store. @throws as `call` */
  fetchStorage(request: StorageRequest): Promise<IncomingMessage>;
  close(): void;
}

export interface LfsUpstreamOptions {
  readonly connection: GitConnection;
  /** The gateway's version, for the User-Agent of its own requests. */
  readonly version: string;
  readonly timeouts?: Partial<UpstreamTimeouts>;
}

const IDLE_SOCKET_MS = 4_000;
const ASK_IDLE_MS = 60_000;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const MAX_REDIRECTS = 3;
const TOLD_HEADERS = ["www-authenticate", "lfs-authenticate", "retry-after"];

export function createLfsUpstream(options: LfsUpstreamOptions): LfsUpstream {
  const { connection } = options;
  const base = new URL(connection.url);
  const timeouts = { ...DEFAULT_UPSTREAM_TIMEOUTS, ...options.timeouts };
  const userAgent = `sallyport/${options.version} (gateway-internal)`;
  const mayBeLoopback = isLoopbackHost(base.hostname);
  // The operator wrote the connection's own address; only what an upstream names is looked at before it is asked.
  const own = createAgents({});
  const named = createAgents({ lookup: guardedLookup(connection.name, mayBeLoopback) });

  const credentialHeaders = (clientHeaders: ClientHeaders): OutgoingHttpHeaders =>
    upstreamRequestHeaders({
      credential: connection.credential,
      client: clientHeaders,
      service: "git-receive-pack",
      userAgent,
    });

  const openStorage = (request: StorageRequest): OpenRequest => {
    const url = checkedUrl(request.action.href, connection.name, base, mayBeLoopback);
    const isOwn = url.origin === base.origin;
    const needsCredential = isOwn && !request.authenticated && request.action.headers["authorization"] === undefined;
    const { authorization, cookie } = needsCredential ? credentialHeaders(request.clientHeaders) : {};
    const agents = isOwn ? own : named;
    return openUpstreamRequest({
      method: request.method,
      url,
      headers: {
        "user-agent": request.clientHeaders["user-agent"]?.toString() ?? userAgent,
        "accept-encoding": "identity",
        ...request.headers,
        ...(authorization === undefined ? {} : { authorization }),
        ...(cookie === undefined ? {} : { cookie }),
        ...request.action.headers,
      },
      agent: url.protocol === "https:" ? agents.https : agents.http,
      timeouts,
      connection: `${connection.name} (LFS storage)`,
      signal: request.signal,
    });
  };

  return {
    call: async (repositoryPath, call) => {
      const path = repositoryPath.endsWith(".git") ? repositoryPath : `${repositoryPath}.git`;
      const { request, response: opened } = openUpstreamRequest({
        method: call.method,
        url: new URL(`${encodeRepositoryPath(path)}/info/lfs/${call.path}`, base),
        headers: {
          ...credentialHeaders(call.clientHeaders),
          ...(call.isInternal === true ? { "user-agent": userAgent } : {}),
          accept: LFS_MEDIA_TYPE,
          "accept-encoding": "identity",
          ...(call.body === undefined ? {} : { "content-type": LFS_MEDIA_TYPE, "content-length": call.body.length }),
        },
        agent: base.protocol === "https:" ? own.https : own.http,
        timeouts: { ...timeouts, idleMs: Math.min(timeouts.idleMs, ASK_IDLE_MS) },
        connection: connection.name,
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      });
      request.end(call.body);
      const response = await opened;
      const status = response.statusCode ?? 0;
      if (isRedirect(status)) {
        dropResponse(response);
        throw misbehaved(
          connection.name,
          "answers for its LFS objects from another address; set the connection's url to it",
        );
      }
      let bytes: Buffer;
      try {
        bytes = await readAnswer(response, MAX_ANSWER_BYTES, () =>
          misbehaved(connection.name, `answers with more than ${MAX_ANSWER_BYTES} bytes`),
        );
      } catch (error) {
        throw describeFailure(error, connection.name, call.signal);
      }
      return { status, json: jsonOf(response, bytes), headers: toldHeaders(response) };
    },

    openStorage,

    fetchStorage: async (request) => {
      let next = request;
      for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
        const { request: outgoing, response: opened } = openStorage(next);
        outgoing.end();
        const response = await opened;
        const { location } = response.headers;
        if (!isRedirect(response.statusCode ?? 0) || location === undefined) return response;
        dropResponse(response);
        const from = new URL(next.action.href);
        const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
        if (to === null || (from.protocol === "https:" && to.protocol !== "https:")) break;
        // What was meant for one host is not for the next: its headers may be a credential.
        const isElsewhere = to.origin !== from.origin;
        next = {
          ...next,
          action: { href: to.href, headers: isElsewhere ? {} : next.action.headers },
          authenticated: isElsewhere || next.authenticated,
        };
      }
      throw misbehaved(connection.name, "redirects the request for an LFS object where the gateway does not follow");
    },

    close: () => {
      for (const agent of [own.http, own.https, named.http, named.https]) agent.destroy();
    },
  };
}

const misbehaved = (connection: string, what: string): GatewayError =>
  new GatewayError("upstream_misbehaved", `the upstream of “${connection}” ${what}`);

const createAgents = (options: { readonly lookup?: LookupFunction }) => {
  // `lookup` goes on to every connection that the agent makes (net.connect), which its type does not tell.
  const all: http.AgentOptions = { keepAlive: true, timeout: IDLE_SOCKET_MS, ...options };
  return { http: new http.Agent(all), https: new https.Agent(all) };
};

function checkedUrl(href: string, connection: string, base: URL, mayBeLoopback: boolean): URL {
  const url = parseStorageUrl(href);
  if (!url.ok) throw misbehaved(connection, `cannot be used: ${url.error}`);
  if (url.value.origin !== base.origin && isForbiddenHost(url.value.hostname, mayBeLoopback))
    throw forbidden(connection);
  return url.value;
}

const forbidden = (connection: string): GatewayError =>
  misbehaved(
    connection,
    "sends LFS objects to an address inside the gateway's own machine or network, which is not asked",
  );

/** Resolves a name, and refuses it where any of its addresses is one that must not be asked: the name's owner chooses them. */
function guardedLookup(connection: string, mayBeLoopback: boolean): LookupFunction {
  return (hostname, options, callback) => {
    dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      if (addresses.some(({ address }) => isForbiddenAddress(address, mayBeLoopback))) {
        return callback(forbidden(connection), []);
      }
      if (options.all === true) return callback(null, addresses);
      const [first] = addresses;
      return callback(null, first?.address ?? "", first?.family);
    });
  };
}

function jsonOf(response: IncomingMessage, bytes: Buffer): unknown {
  if (!/^application\/(?:[\w.-]+\+)?json\b/i.test(response.headers["content-type"] ?? "")) return null;
  try {
    return JSON.parse(bytes.toString("utf8")) as unknown;
  } catch {
    return null;
  }
}

function toldHeaders(response: IncomingMessage): Record<string, string> {
  const told: Record<string, string> = {};
  for (const name of TOLD_HEADERS) {
    const value = response.headers[name];
    if (typeof value === "string") told[name] = value;
  }
  return told;
}
