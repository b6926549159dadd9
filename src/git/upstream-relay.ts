/** A client's request passed to the upstream and the answer back, both as streams with back-pressure. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { Transform, type TransformCallback } from "node:stream";
import { GatewayError } from "../errors.ts";
import { createReceivePackFilter, createUploadPackFilter, type AdvertisementFilter } from "./advertisement.ts";
import type { FetchTap } from "./fetch-tap.ts";
import type { GitService } from "./repository-path.ts";
import { checkAnswer, isRedirect, rewriteLocation } from "./upstream-answer.ts";
import { clientResponseHeaders } from "./upstream-headers.ts";
import { describeFailure, dropResponse, type OpenRequest } from "./upstream-request.ts";

export interface RelayRequest {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  /** Decoded, below the connection's base, with `.git` where the client wrote it. */
  readonly path: string;
  readonly service: GitService;
  readonly kind: "advertisement" | "rpc";
  /** What stands before `/git/` in this client's addresses: empty, or `/u/<token>`. */
  readonly prefix: string;
  /** Sent instead of the incoming body, where that has been read already. */
  readonly body?: Buffer;
  /** Looks on as a fetch passes. */
  readonly tap?: FetchTap;
  /** Kept up to date: what had passed is known also where the relay fails. */
  readonly meter?: RelayMeter;
  /** Whether only an HTTP error is passed on: with any other answer the client is not answered, nor is anything that it sends read. */
  readonly onlyRefusal?: boolean;
}

export interface RelayResult {
  readonly status: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export interface RelayMeter {
  /** The answer's; null as long as there is none. */
  status: number | null;
  requestBytes: number;
  responseBytes: number;
}

export const createRelayMeter = (): RelayMeter => ({ status: null, requestBytes: 0, responseBytes: 0 });

export interface RelayContext {
  readonly open: (headers: "identity" | "as-asked") => OpenRequest;
  readonly url: URL;
  readonly base: URL;
  readonly connection: string;
  readonly isPassthrough: boolean;
  /** Whether an upstream that knows only the dumb protocol may answer with its plain list of refs. */
  readonly isDumbPassed: boolean;
}

/**
 * @throws GatewayError `upstream_*`, `not_found`, `client_gone`; nothing has been answered then unless `headersSent`, in which case
 *   the client's connection is broken off, so that it does not take a part for the whole
 */
export async function relayToUpstream(relay: RelayRequest, context: RelayContext): Promise<RelayResult> {
  const { incoming, outgoing } = relay;
  const { request, response: answer } = context.open(relay.kind === "advertisement" ? "identity" : "as-asked");
  const meter = relay.meter ?? createRelayMeter();
  const through = relay.tap?.body ?? null;
  if (relay.kind === "advertisement" || relay.body !== undefined) {
    request.end(relay.body);
    meter.requestBytes = relay.body?.length ?? 0;
  } else {
    incoming.on("data", (chunk: Buffer) => (meter.requestBytes += chunk.length));
    // Not `pipeline`: when the upstream fails it would destroy the client's request, and with it the way to say so.
    if (through === null) incoming.pipe(request);
    else {
      // What the tap refuses is why the request fails.
      through.once("error", (error) => request.destroy(error));
      incoming.pipe(through).pipe(request);
      request.once("close", () => through.destroy());
    }
  }

  let response: IncomingMessage;
  try {
    response = await answer;
  } catch (error) {
    incoming.unpipe();
    throw error;
  }
  const status = response.statusCode ?? 0;
  meter.status = status;
  const { filter, failure, isDumb } = judge(response, relay, context);
  if (failure !== null) {
    incoming.unpipe();
    dropResponse(response);
    throw failure;
  }

  if (relay.onlyRefusal === true && status < 400) {
    response.on("error", () => {}).resume();
    return { status, requestBytes: meter.requestBytes, responseBytes: 0 };
  }

  if (status === 200 && (await beginsOtherwise(response, isDumb ? /^[0-9a-f]{40}/ : /^[0-9a-f]{4}/i))) {
    incoming.unpipe();
    dropResponse(response);
    throw new GatewayError(
      "upstream_misbehaved",
      `the upstream of “${context.connection}” answered something that is no Git: it may be a sign-in page or a proxy's error`,
    );
  }

  const headers = clientResponseHeaders(response.headers, {
    isPassthrough: context.isPassthrough,
    isRewritten: filter !== null,
  });
  const location = isRedirect(status) ? redirectOf(response, relay, context) : null;
  if (location !== null) headers["location"] = location;
  if (status === 200 && relay.kind === "rpc") headers["content-type"] = `application/x-${relay.service}-result`;
  outgoing.writeHead(status, reasonPhrase(response), headers);
  const look = status === 200 ? (relay.tap?.answer(response.headers["content-encoding"]) ?? null) : null;
  response.on("data", (chunk: Buffer) => {
    meter.responseBytes += chunk.length;
    look?.(chunk);
  });
  try {
    if (filter === null) await pipeline(response, outgoing);
    else await pipeline(response, filterStream(filter), outgoing);
  } catch (error) {
    request.destroy();
    throw describeFailure(error, context.connection, relay.signal);
  }
  look?.(null);
  return { status, requestBytes: meter.requestBytes, responseBytes: meter.responseBytes };
}

/** The upstream's own words beside an error's number, which git shows; nothing that could end the line. */
const reasonPhrase = ({ statusMessage = "" }: IncomingMessage): string | undefined =>
  /^[ -~]{1,100}$/.test(statusMessage) ? statusMessage : undefined;

/**
 * Whether an answer does not begin with a packet length: an HTML page under Git's content type, which git would show as "bad line
 * length character". Looked at before the client is answered, since only then it can still be told why.
 */
async function beginsOtherwise(response: IncomingMessage, begin: RegExp): Promise<boolean> {
  if ((response.headers["content-encoding"] ?? "identity") !== "identity") return false;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off("readable", done).off("end", done).off("close", done);
      resolve();
    };
    response.on("readable", done).on("end", done).on("close", done);
  });
  const first = response.read() as Buffer | null;
  if (first === null) return false;
  response.unshift(first);
  return first.length >= 4 && !begin.test(first.toString("latin1", 0, 40));
}

interface Judgement {
  /** What the answer goes through. */
  readonly filter: AdvertisementFilter | null;
  readonly failure: GatewayError | null;
  /** The dumb protocol's answer to a question of the smart one. */
  readonly isDumb?: boolean;
}

function judge(response: IncomingMessage, relay: RelayRequest, context: RelayContext): Judgement {
  const { connection } = context;
  const status = response.statusCode ?? 0;
  if (isRedirect(status)) {
    try {
      redirectOf(response, relay, context);
      return { filter: null, failure: null };
    } catch (error) {
      return { filter: null, failure: describeFailure(error, connection) };
    }
  }
  // With the client's own credential the upstream's rules stand, and so do its answers.
  if (context.isPassthrough && status >= 400) return { filter: null, failure: null };
  const repository = `${connection}/${relay.path.replace(/\.git$/, "")}`;
  if (context.isDumbPassed && isPlainList(response, relay)) return { filter: null, failure: null, isDumb: true };
  if (isUnlabelled(response, relay)) return { filter: null, failure: null };
  const failure = checkAnswer(response, { connection, repository, service: relay.service, kind: relay.kind });
  if (failure !== null || relay.kind === "rpc") return { filter: null, failure };
  if ((response.headers["content-encoding"] ?? "identity") !== "identity") {
    const message = `the upstream of “${connection}” compresses an answer that was asked for uncompressed`;
    return { filter: null, failure: new GatewayError("upstream_misbehaved", message) };
  }
  const filter = relay.service === "git-receive-pack" ? createReceivePackFilter() : createUploadPackFilter();
  return { filter, failure: null };
}

/** git does not look at the type of a fetch's answer, nor is it needed: `beginsOtherwise` looks at its bytes. */
const isUnlabelled = ({ statusCode, headers }: IncomingMessage, { kind, service }: RelayRequest): boolean =>
  kind === "rpc" &&
  service === "git-upload-pack" &&
  statusCode === 200 &&
  (headers["content-encoding"] ?? "identity") === "identity" &&
  !/^text\/html\b/i.test(headers["content-type"] ?? "");

const isPlainList = (response: IncomingMessage, { kind, service }: RelayRequest): boolean =>
  kind === "advertisement" &&
  service === "git-upload-pack" &&
  response.statusCode === 200 &&
  !/^(?:text\/html|application\/x-git-)/i.test(response.headers["content-type"] ?? "");

function redirectOf(response: IncomingMessage, relay: RelayRequest, context: RelayContext): string {
  const location = rewriteLocation(response.headers.location ?? "", {
    asked: context.url,
    base: context.base,
    connection: context.connection,
    prefix: relay.prefix,
  });
  if (!location.ok) throw new GatewayError("upstream_misbehaved", location.error);
  return location.value;
}

const filterStream = (filter: AdvertisementFilter): Transform => {
  const run = (work: () => Buffer | null, callback: TransformCallback): void => {
    let bytes: Buffer | null;
    try {
      bytes = work();
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    callback(null, bytes);
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      run(() => filter.push(chunk), callback);
    },
    flush(callback) {
      run(() => {
        filter.end();
        return null;
      }, callback);
    },
  });
};
