/**
 * Git LFS over HTTP, in: everything below `<repository>/info/lfs/`. Questions and answers are JSON; what is refused has a
 * `message`, which is all that git-lfs shows (git-lfs, docs/api/batch.md, “Response Errors”).
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { GatewayError, maskFailure } from "../errors.ts";
import type { LfsFlow } from "../flows/lfs.ts";
import { TICKET_HEADER } from "../flows/lfs/batch.ts";
import type { LfsAnswer } from "../flows/lfs/call.ts";
import type { LfsRequest } from "../flows/lfs/dependencies.ts";
import { MAX_BATCH_REQUEST_BYTES, parseLfsBatchRequest } from "../git/lfs/batch-request.ts";
import { LFS_MEDIA_TYPE } from "../git/lfs/lfs-upstream.ts";
import { openRequestBody } from "../git/http-body.ts";
import { mayAccess } from "../git/repository-access.ts";
import type { GitTarget } from "../git/repository-path.ts";
import { notFound } from "../git/upstream-answer.ts";
import { describeFailure } from "../git/upstream-request.ts";
import type { GitConnection } from "../model/connection.ts";
import type { Logger } from "../model/log.ts";
import { escapeUnprintable } from "../model/printable.ts";
import type { Principal } from "../model/principal.ts";
import { describeError } from "./error-response.ts";
import { parseLfsPath, type LfsRoute } from "./lfs-path.ts";
import { drainRequest, type NodeExchange } from "./node-adapter.ts";

export interface LfsAdmitted {
  readonly principal: Principal;
  readonly connection: GitConnection;
  readonly target: GitTarget;
}

/** Answers a request about LFS, whatever happens. `path` is what follows `info/lfs/`, with its query. */
export type LfsHandler = (exchange: NodeExchange, admitted: LfsAdmitted, path: string) => Promise<void>;

export interface LfsHandlerOptions {
  readonly flow: LfsFlow;
  /** Takes secrets out of a text. */
  readonly mask: (text: string) => string;
  readonly log: Logger;
  /** How long git-lfs hears nothing before it is told that its upload is being worked on; see {@link keepCompany}. */
  readonly companyMs?: number;
}

const MAX_LOCK_REQUEST_BYTES = 64 * 1024;
const MAX_VERIFY_BYTES = 64 * 1024;
const DEFAULT_COMPANY_MS = 20_000;

export function createLfsHandler(options: LfsHandlerOptions): LfsHandler {
  return async (exchange, admitted, path) => {
    try {
      await handle(options, exchange, admitted, path);
    } catch (error) {
      const isExpected = error instanceof GatewayError && error.code !== "internal";
      const { repository } = admitted.target;
      options.log[isExpected ? "info" : "error"]({ repository, error }, "a Git LFS request was not served");
      const { status, message } = describeError(maskFailure(error, options.mask));
      await answer(exchange, { status, headers: {}, body: { message: `Sallyport: ${message}` } });
    }
  };
}

async function handle(
  { flow, companyMs = DEFAULT_COMPANY_MS }: LfsHandlerOptions,
  exchange: NodeExchange,
  admitted: LfsAdmitted,
  path: string,
): Promise<void> {
  const { incoming } = exchange;
  const route = parseLfsPath(incoming.method ?? "", path);
  if (route === null) {
    throw new GatewayError(
      "not_found",
      "this is no address of Git LFS that is carried: batch, basic transfers and locks are",
    );
  }
  const request = requestOf(exchange, admitted);
  const need = (right: "read" | "write"): void => needRight(admitted, right);
  switch (route.kind) {
    case "batch": {
      const batch = parseLfsBatchRequest(await readBody(incoming, MAX_BATCH_REQUEST_BYTES));
      if (!batch.ok) {
        return answer(exchange, { status: batch.error.status, headers: {}, body: { message: batch.error.message } });
      }
      need(batch.value.operation === "upload" ? "write" : "read");
      return answer(exchange, await flow.batch(request, batch.value));
    }
    case "locks": {
      need(route.right);
      const { method, upstreamPath } = route;
      const body = method === "POST" ? { body: await readObject(incoming) } : {};
      return answer(exchange, await flow.locks(request, { method, path: upstreamPath, ...body }));
    }
    case "upload": {
      need("write");
      return upload(flow, exchange, request, route, companyMs);
    }
    case "verify": {
      need("write");
      // What it says is known: the ticket has it.
      await readBody(incoming, MAX_VERIFY_BYTES);
      return answer(exchange, await flow.verify(request, shownTicket(incoming, route)));
    }
    case "download": {
      need("read");
      return download(flow, exchange, request, route);
    }
  }
}

function requestOf({ incoming, signal }: NodeExchange, { principal, connection, target }: LfsAdmitted): LfsRequest {
  const { "sallyport-token": _token, [TICKET_HEADER.toLowerCase()]: _ticket, ...clientHeaders } = incoming.headers;
  const { repository, upstreamPath, prefix } = target;
  const userAgent = incoming.headers["user-agent"] ?? "";
  return { principal, connection, repository, upstreamPath, prefix, clientHeaders, userAgent, signal };
}

/** Who may not even read is told nothing of the repository. */
function needRight({ principal, connection, target }: LfsAdmitted, right: "read" | "write"): void {
  if (mayAccess(principal, connection, target.path, right)) return;
  if (right === "read" || !mayAccess(principal, connection, target.path, "read")) throw notFound(target.repository);
  throw new GatewayError("forbidden", `you may read ${target.repository}, but not push to it`);
}

type TransferRoute = Extract<LfsRoute, { readonly oid: string }>;

function shownTicket({ headers }: IncomingMessage, { oid }: TransferRoute) {
  const ticket = headers[TICKET_HEADER.toLowerCase()];
  return { oid, ticket: typeof ticket === "string" ? ticket : "" };
}

async function upload(
  flow: LfsFlow,
  exchange: NodeExchange,
  request: LfsRequest,
  route: TransferRoute,
  companyMs: number,
): Promise<void> {
  const { incoming, outgoing } = exchange;
  const body = openRequestBody(incoming, { maxBytes: Number.MAX_SAFE_INTEGER });
  const leave = keepCompany(incoming, outgoing, companyMs);
  try {
    await answer(exchange, await flow.upload(request, { ...shownTicket(incoming, route), body: body.chunks }));
  } finally {
    leave();
    await body.drain();
  }
}

/** Interim answers that Go's HTTP client, which git-lfs is made with, takes of one request. */
const MAX_INTERIM = 5;

/**
 * git-lfs breaks off after 30 s without a byte (lfs.activitytimeout), and while its object goes on to the upstream there is
 * nothing to say. An interim answer (102, RFC 2518) counts as a byte; other clients are not sent what they may not know.
 * @returns ends it
 */
function keepCompany(incoming: IncomingMessage, outgoing: ServerResponse, everyMs: number): () => void {
  if (!(incoming.headers["user-agent"] ?? "").startsWith("git-lfs/") || incoming.httpVersion !== "1.1") return () => {};
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    let told = 0;
    timer = setInterval(() => {
      told += 1;
      if (told >= MAX_INTERIM) clearInterval(timer);
      if (!outgoing.headersSent && !outgoing.destroyed) outgoing.writeProcessing();
    }, everyMs);
  };
  incoming.once("end", begin);
  return () => {
    incoming.off("end", begin);
    clearInterval(timer);
  };
}

async function download(
  flow: LfsFlow,
  { incoming, outgoing, signal }: NodeExchange,
  request: LfsRequest,
  route: TransferRoute,
): Promise<void> {
  const { range = null } = incoming.headers;
  const { status, headers, body } = await flow.openDownload(request, { ...shownTicket(incoming, route), range });
  outgoing.writeHead(status, {
    ...headers,
    // Whatever it is, it is not a page of the gateway.
    "content-type": "application/octet-stream",
    "x-content-type-options": "nosniff",
    "cache-control": "private, no-store",
  });
  let responseBytes = 0;
  let isComplete = false;
  body.on("data", (chunk: Buffer) => (responseBytes += chunk.length));
  try {
    await pipeline(body, outgoing);
    isComplete = true;
  } catch (error) {
    throw describeFailure(error, request.connection.name, signal);
  } finally {
    await flow.recordDownload(request, { oid: route.oid, status, responseBytes, isComplete });
  }
}

async function readBody(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const body = openRequestBody(incoming, { maxBytes: maxBytes + 1 });
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body.chunks) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxBytes) {
        throw new GatewayError("limit_exceeded", `this Git LFS request is larger than ${maxBytes} bytes`);
      }
    }
  } finally {
    await body.drain();
  }
  return Buffer.concat(chunks);
}

/** A JSON object, encoded anew: what was read here is what the upstream reads. */
async function readObject(incoming: IncomingMessage): Promise<Buffer> {
  const body = await readBody(incoming, MAX_LOCK_REQUEST_BYTES);
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    value = null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new GatewayError("request_malformed", "the request is no JSON object");
  }
  return Buffer.from(JSON.stringify(value));
}

/** Where the answer has begun already, the connection is broken off: a part must not pass for the whole. */
async function answer({ incoming, outgoing }: NodeExchange, { status, headers, body }: LfsAnswer): Promise<void> {
  if (outgoing.headersSent || outgoing.destroyed) {
    outgoing.destroy();
    return;
  }
  await drainRequest(incoming);
  const bytes = Buffer.from(
    JSON.stringify(body, (_key, value: unknown) => (typeof value === "string" ? escapeUnprintable(value) : value)),
  );
  outgoing.writeHead(status, {
    ...headers,
    "content-type": LFS_MEDIA_TYPE,
    "content-length": bytes.length,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  await new Promise<void>((resolve) => {
    outgoing.once("close", resolve);
    outgoing.end(bytes, () => resolve());
  });
}
