/**
 * Git over HTTP, in: `/git/<connection>/<path>` and `/u/<token>/git/<connection>/<path>`.
 *
 * Fetches are relayed as streams; a push is taken as far as its commands and handed to its flow. Who may not see a
 * repository gets the same answer as for one that does not exist.
 */
import type { IncomingMessage } from "node:http";
import { Hono } from "hono";
import { GatewayError } from "../errors.ts";
import { createByteReader, type ByteReader } from "../git/byte-reader.ts";
import { openRequestBody, type RequestBody } from "../git/http-body.ts";
import { FLUSH_PKT } from "../git/pkt-line.ts";
import { createPushExchange, type PushRequest } from "../git/push-exchange.ts";
import {
  DEFAULT_PUSH_HEAD_LIMITS,
  parsePushRequest,
  PushHeadError,
  type PushRequestHead,
} from "../git/receive-pack.ts";
import { createRefNames, type RefNames } from "../git/ref-names.ts";
import { refusalReason, refusalReport, sameReason } from "../git/refusal.ts";
import { mayAccess } from "../git/repository-access.ts";
import { isGitTarget, parseGitTarget, type GitService, type GitTarget } from "../git/repository-path.ts";
import { notFound } from "../git/upstream-answer.ts";
import type { GitUpstream } from "../git/upstream.ts";
import type { AuthenticationFailure } from "../identity/credentials.ts";
import type { Authenticate } from "../identity/identity.ts";
import type { Connection, GitConnection } from "../model/connection.ts";
import type { RelayedFetch } from "../model/fetch.ts";
import type { Logger } from "../model/log.ts";
import type { Principal } from "../model/principal.ts";
import type { PushHeadLimits } from "../model/push-limits.ts";
import { isZeroOid } from "../model/ref-update.ts";
import { isNamed } from "../model/who.ts";
import { sendText } from "./error-response.ts";
import { relayDumbFile, relayFetch, type FetchDependencies } from "./git-fetch.ts";
import type { LfsHandler } from "./lfs.ts";
import { answerNatively, drainRequest, rawTarget, type NodeEnv, type NodeExchange } from "./node-adapter.ts";

export interface GitRoutesOptions {
  readonly connections: ReadonlyMap<string, Connection>;
  /** By connection name. */
  readonly upstream: (connection: string) => GitUpstream;
  readonly authenticate: Authenticate;
  /** Decides and answers a push through `request.exchange`. What it throws is answered as a refusal of every ref. */
  readonly pushFlow: (request: PushRequest) => Promise<void>;
  /** Told of every fetch that was relayed, once it has ended. Must not throw. */
  readonly onFetch: (fetch: RelayedFetch) => void;
  /** Absent: Git LFS is refused. */
  readonly lfs?: LfsHandler;
  /** Takes secrets out of a text. */
  readonly mask: (text: string) => string;
  readonly log: Logger;
  readonly now: () => Date;
  /** By repository; absent: the usual ones. */
  readonly headLimits?: (repository: string) => PushHeadLimits;
  /** Of a whole push request, decoded. */
  readonly maxPushBytes?: number;
}

const DEFAULT_MAX_PUSH_BYTES = 16 * 1024 ** 3;

export function createGitRoutes(options: GitRoutesOptions): Hono<NodeEnv> {
  const app = new Hono<NodeEnv>();
  const refNames = createRefNames();
  // By the raw target, before any router has normalised it: `/git/a/../b` is refused here instead of becoming `/git/b`.
  app.use("*", async (c, next) => {
    const target = rawTarget(c);
    if (target === undefined || !isGitTarget(target)) return next();
    return answerNatively(
      c,
      (exchange) => handleGit({ ...options, refNames }, exchange, target),
      (error) => logFailure(options.log, error),
    );
  });
  return app;
}

function logFailure(log: Logger, error: unknown): void {
  const isExpected = error instanceof GatewayError && error.code !== "internal";
  if (isExpected) log.info({ code: error.code, error }, "a Git request was not served");
  else log.error({ error }, "a Git request failed");
}

interface GitContext extends GitRoutesOptions {
  readonly refNames: RefNames;
}

/** What a request is about, once it is known who asks and that they may. */
interface Admitted {
  readonly principal: Principal;
  readonly connection: GitConnection;
  readonly target: GitTarget;
}

async function handleGit(options: GitContext, exchange: NodeExchange, raw: string): Promise<void> {
  const { incoming } = exchange;
  const parsed = parseGitTarget(raw);
  if (!parsed.ok) throw new GatewayError("request_malformed", parsed.error);
  const target = parsed.value;
  const { operation } = target;
  const method = operation.kind === "rpc" ? "POST" : "GET";
  if (operation.kind !== "lfs" && incoming.method !== method) {
    return answerText(exchange, 405, `this address takes ${method} requests only`, { allow: method });
  }

  const admitted = await admit(options, exchange, target);
  if (admitted === null) return;
  const fetching = fetchDependencies(options, admitted);
  switch (operation.kind) {
    case "dumb":
      if (admitted.connection.dumb === "pass") return relayDumbFile(fetching, exchange, admitted, operation.file);
      return answerText(
        exchange,
        403,
        "the dumb HTTP protocol is not served; use a client that speaks Git's smart protocol",
      );
    case "lfs":
      if (options.lfs !== undefined) return options.lfs(exchange, admitted, operation.path);
      // Objects that nobody has scanned must not reach the upstream, and 403 is what makes git-lfs stop the push.
      return answerText(exchange, 403, JSON.stringify({ message: "Git LFS is not carried by this gateway" }), {
        "content-type": "application/vnd.git-lfs+json",
      });
    case "advertisement":
      return operation.service === "git-upload-pack"
        ? relayFetch(fetching, exchange, admitted, "advertisement")
        : relayPush(options, exchange, admitted, "advertisement");
    case "rpc":
      if (!isRequestOf(operation.service, incoming)) {
        return answerText(exchange, 415, `expected Content-Type: application/x-${operation.service}-request`);
      }
      return operation.service === "git-upload-pack"
        ? relayFetch(fetching, exchange, admitted, "rpc")
        : receivePush(options, exchange, admitted);
  }
}

/** As git-http-backend: who sends a form, or another service's request, is not asking for this. */
const isRequestOf = (service: GitService, { headers }: IncomingMessage): boolean =>
  headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase() === `application/x-${service}-request`;

const fetchDependencies = (options: GitContext, { connection }: Admitted): FetchDependencies => ({
  upstream: options.upstream(connection.name),
  refNames: options.refNames,
  onFetch: options.onFetch,
  onError: (error) => logFailure(options.log, error),
  now: options.now,
});

async function answerText(
  exchange: NodeExchange,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  await drainRequest(exchange.incoming);
  await sendText(
    exchange.outgoing,
    status,
    headers["content-type"] === undefined ? `Sallyport: ${text}` : text,
    headers,
  );
}

/** @returns null where the answer has been given. @throws GatewayError `not_found`, `forbidden` */
async function admit(options: GitRoutesOptions, exchange: NodeExchange, target: GitTarget): Promise<Admitted | null> {
  const { headers } = exchange.incoming;
  const configured = options.connections.get(target.connection);
  const connection = configured?.kind === "git" ? configured : null;
  const isPassthrough = connection?.credential.kind === "passthrough";
  const hasOwnPlace = target.pathToken !== null || headers["sallyport-token"] !== undefined;

  // Under `passthrough` Authorization belongs to the upstream as soon as the gateway's token has a place of its own.
  const { authorization: _theirs, ...others } = headers;
  const source = { headers: isPassthrough && hasOwnPlace ? others : headers, pathToken: target.pathToken };
  const who = await options.authenticate(source, "git");
  if (!who.ok) {
    await refuseCredential(exchange, who.error, hasOwnPlace);
    return null;
  }
  const principal = who.value;
  const unseen = notFound(target.repository);
  if (connection === null || !isNamed(principal, connection.allow)) throw unseen;
  if (isPassthrough && !hasOwnPlace) {
    throw new GatewayError(
      "forbidden",
      `connection “${connection.name}” passes your own credentials to the upstream: give the gateway's token separately, ` +
        "with git config http.extraHeader 'Sallyport-Token: <token>'",
    );
  }

  const { operation, path } = target;
  const isWrite =
    (operation.kind === "advertisement" || operation.kind === "rpc") && operation.service === "git-receive-pack";
  const mayRead = mayAccess(principal, connection, path, "read");
  // Of a request about LFS only its body tells which right it takes: `web/lfs.ts` judges it.
  const isEither = operation.kind === "lfs" && !mayRead;
  if (!(isWrite || isEither ? mayAccess(principal, connection, path, "write") : mayRead)) {
    if (!mayRead) throw unseen;
    throw new GatewayError("forbidden", `you may read ${target.repository}, but not push to it`);
  }
  return { principal, connection, target };
}

/** Told to everybody alike: which connections there are, and of which form, is for those who are signed in. */
const HOW_TO_SIGN_IN =
  "The gateway's operator makes tokens (sallyport token create). Where the gateway passes your own password on to the\n" +
  "upstream (credential: passthrough), the token goes into a header beside it: sallyport setup prints the setting.";

/** 401 makes git ask for a password; that is no help where the credential stands in a header or in the address. */
async function refuseCredential(
  exchange: NodeExchange,
  failure: AuthenticationFailure,
  hasOwnPlace: boolean,
): Promise<void> {
  if (failure.reason === "wrong_audience") return answerText(exchange, 403, failure.message);
  if (hasOwnPlace && failure.reason !== "missing") {
    return answerText(exchange, 403, `${failure.message}\n${HOW_TO_SIGN_IN}`);
  }
  return answerText(exchange, 401, `${failure.message}\n${HOW_TO_SIGN_IN}`, {
    "www-authenticate": 'Basic realm="Sallyport", charset="UTF-8"',
  });
}

/** What goes before a push: the upstream's refs, and git's probe. */
async function relayPush(
  options: GitRoutesOptions,
  exchange: NodeExchange,
  { connection, target }: Admitted,
  kind: "advertisement" | "rpc",
  body?: Buffer,
): Promise<void> {
  await options.upstream(connection.name).relay({
    ...exchange,
    path: target.upstreamPath,
    service: "git-receive-pack",
    kind,
    prefix: target.prefix,
    ...(body === undefined ? {} : { body }),
  });
}

async function receivePush(options: GitRoutesOptions, exchange: NodeExchange, admitted: Admitted): Promise<void> {
  const { incoming } = exchange;
  const body = openRequestBody(incoming, { maxBytes: options.maxPushBytes ?? DEFAULT_MAX_PUSH_BYTES });
  const reader = createByteReader(body.chunks);
  try {
    const head = await readHead(options, admitted.target.repository, reader);
    if (head.updates.length === 0) {
      // The probe before a large push: the upstream's answer tells early whether it would take one at all.
      return await relayPush(options, exchange, admitted, "rpc", FLUSH_PKT);
    }
    if (
      admitted.connection.credential.kind === "passthrough" &&
      (await isRefusedUpstream(options, exchange, admitted))
    ) {
      return await body.drain();
    }
    await decidePush(options, exchange, admitted, body, reader, head);
  } catch (caught) {
    await body.drain();
    // A head that cannot be read is quoted, and a secret may stand in it: the answer ends in the logs of build machines.
    const error =
      caught instanceof PushHeadError
        ? new PushHeadError(caught.code, options.mask(caught.message), caught.head)
        : caught;
    if (!(error instanceof PushHeadError) || error.head.capabilities.length === 0) throw error;
    // Enough was read to answer in the form that git shows.
    logFailure(options.log, error);
    const { head } = error;
    const { outgoing } = exchange;
    const reason = refusalReason(error);
    await createPushExchange({ outgoing, head, drain: body.drain }).finish(
      refusalReport({ head, reasons: sameReason(head, reason), unpack: reason }),
      [`Sallyport: ${reason}`],
    );
  }
}

/**
 * Whether the upstream wants another credential than the client's, which has been told so then. An upstream may let everybody read its
 * refs and ask for a password only here; once the push is being decided, it is too late for the 401 that makes git ask for one.
 */
async function isRefusedUpstream(
  options: GitRoutesOptions,
  exchange: NodeExchange,
  { connection, target: { upstreamPath, prefix } }: Admitted,
): Promise<boolean> {
  const { status } = await options.upstream(connection.name).relay({
    ...exchange,
    path: upstreamPath,
    service: "git-receive-pack",
    kind: "rpc",
    prefix,
    body: FLUSH_PKT,
    onlyRefusal: true,
  });
  return status >= 400;
}

/** @throws PushHeadError */
async function readHead(options: GitRoutesOptions, repository: string, reader: ByteReader): Promise<PushRequestHead> {
  const head = await parsePushRequest(reader, options.headLimits?.(repository) ?? DEFAULT_PUSH_HEAD_LIMITS);
  const hasPack = head.updates.some((update) => !isZeroOid(update.newOid));
  if (!hasPack && !(await reader.atEnd())) {
    const message = "bytes follow the commands of a push that has no pack";
    throw new PushHeadError("request_malformed", message, head);
  }
  return head;
}

async function decidePush(
  options: GitRoutesOptions,
  { incoming, outgoing, signal }: NodeExchange,
  { principal, connection, target }: Admitted,
  body: RequestBody,
  reader: ByteReader,
  head: PushRequestHead,
): Promise<void> {
  const exchange = createPushExchange({ outgoing, head, drain: body.drain });
  const { "sallyport-token": _token, ...clientHeaders } = incoming.headers;
  const { path, upstreamPath, repository } = target;
  const userAgent = incoming.headers["user-agent"] ?? "";
  const request = { principal, connection, path, upstreamPath, repository, head, clientHeaders, userAgent, signal };
  try {
    await options.pushFlow({ ...request, body: reader, exchange });
    if (!exchange.isOver) throw new GatewayError("internal", "the push was not answered");
  } catch (error) {
    logFailure(options.log, error);
    const reason = refusalReason(error);
    await exchange.finish(refusalReport({ head, reasons: sameReason(head, reason) }), [`Sallyport: ${reason}`]);
  }
}
