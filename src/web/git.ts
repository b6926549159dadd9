/**
 * Git over HTTP, in: `/git/<connection>/<path>` and `/u/<token>/git/<connection>/<path>`.
 *
 * Fetches are relayed as streams; a push is taken as far as its commands and handed to its flow. Who may not see a
 * repository gets the same answer as for one that does not exist.
 */
import type { IncomingMessage } from "node:http";
import { Hono } from "hono";
import { GatewayError, maskFailure } from "../errors.ts";
import { createRefNames, type RefNames } from "../git/ref-names.ts";
import { mayAccess } from "../git/repository-access.ts";
import { isGitTarget, parseGitTarget, type GitService, type GitTarget } from "../git/repository-path.ts";
import { notFound } from "../git/upstream-answer.ts";
import type { AuthenticationFailure } from "../identity/credentials.ts";
import type { Authenticate } from "../identity/identity.ts";
import type { Connection } from "../model/connection.ts";
import type { RelayedFetch } from "../model/fetch.ts";
import type { Logger } from "../model/log.ts";
import { isNamed } from "../model/who.ts";
import { sendText } from "./error-response.ts";
import { relayDumbFile, relayFetch, type FetchDependencies } from "./git-fetch.ts";
import { receivePush, relayPush, type Admitted, type PushRoutesOptions } from "./git-push.ts";
import type { LfsHandler } from "./lfs.ts";
import { answerNatively, drainRequest, rawTarget, type NodeEnv, type NodeExchange } from "./node-adapter.ts";

export interface GitRoutesOptions extends Omit<PushRoutesOptions, "onError"> {
  readonly connections: ReadonlyMap<string, Connection>;
  readonly authenticate: Authenticate;
  /** Told of every fetch that was relayed, once it has ended. Must not throw. */
  readonly onFetch: (fetch: RelayedFetch) => void;
  /** Absent: Git LFS is refused. */
  readonly lfs?: LfsHandler;
  readonly log: Logger;
  readonly now: () => Date;
}

export function createGitRoutes(options: GitRoutesOptions): Hono<NodeEnv> {
  const app = new Hono<NodeEnv>();
  const onError = (error: unknown): void => logFailure(options.log, error);
  const context: GitContext = { ...options, refNames: createRefNames(), onError };
  // By the raw target, before any router has normalised it: `/git/a/../b` is refused here instead of becoming `/git/b`.
  app.use("*", async (c, next) => {
    const target = rawTarget(c);
    if (target === undefined || !isGitTarget(target)) return next();
    return answerNatively(
      c,
      (exchange) =>
        handleGit(context, exchange, target).catch((error: unknown) => {
          // Texts quote addresses and commands, and end in the logs of build machines.
          throw maskFailure(error, options.mask);
        }),
      onError,
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
  readonly onError: (error: unknown) => void;
  readonly refNames: RefNames;
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
  onError: options.onError,
  mask: options.mask,
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
  "You make a token yourself on the gateway's page /tokens, or its operator makes one (sallyport token create). Where the gateway\n" +
  "passes your own password on to the upstream (credential: passthrough), the token goes into a header beside it: sallyport setup\n" +
  "prints the setting.";

/** 401 makes git ask for a password; that is no help where the credential stands in a header or in the address. */
async function refuseCredential(
  exchange: NodeExchange,
  failure: AuthenticationFailure,
  hasOwnPlace: boolean,
): Promise<void> {
  // Nor where it is not the credential's fault: after a 401 git would forget one that is good.
  if (failure.reason === "wrong_audience" || failure.reason === "stale")
    return answerText(exchange, 403, failure.message);
  if (hasOwnPlace && failure.reason !== "missing") {
    return answerText(exchange, 403, `${failure.message}\n${HOW_TO_SIGN_IN}`);
  }
  return answerText(exchange, 401, `${failure.message}\n${HOW_TO_SIGN_IN}`, {
    "www-authenticate": 'Basic realm="Sallyport", charset="UTF-8"',
  });
}
