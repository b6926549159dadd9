/** A file of the dumb protocol, passed from the upstream to the client as a stream. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { GatewayError } from "../errors.ts";
import { isAlternates, staysHere } from "./dumb-file.ts";
import { checkRefusal, isRedirect, rewriteLocation } from "./upstream-answer.ts";
import { clientResponseHeaders } from "./upstream-headers.ts";
import type { RelayMeter } from "./upstream-relay.ts";
import { describeFailure, dropResponse, type OpenRequest } from "./upstream-request.ts";

export interface FileRelay {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly signal: AbortSignal;
  /** Decoded, below the connection's base. */
  readonly path: string;
  /** Below the repository; one that `isDumbFile` knows. */
  readonly file: string;
  readonly prefix: string;
  readonly meter: RelayMeter;
}

export interface FileContext {
  readonly open: () => OpenRequest;
  readonly url: URL;
  readonly base: URL;
  readonly connection: string;
  readonly isPassthrough: boolean;
}

/** What a client has to understand by itself: not there, not changed, no such range. */
const PASSED = new Set([200, 206, 304, 404, 410, 416]);

/** @throws GatewayError as `relayToUpstream` */
export async function relayFileToUpstream(relay: FileRelay, context: FileContext): Promise<void> {
  const { outgoing, meter } = relay;
  const { connection, isPassthrough } = context;
  const { request, response: answer } = context.open();
  request.end();
  const response = await answer;
  const status = response.statusCode ?? 0;
  meter.status = status;
  const refuse = (failure: GatewayError): never => {
    dropResponse(response);
    throw failure;
  };
  const headers = clientResponseHeaders(response.headers, { isPassthrough, isRewritten: false });
  if (isRedirect(status)) {
    const { location = "" } = response.headers;
    const rewritten = rewriteLocation(location, {
      asked: context.url,
      base: context.base,
      connection,
      prefix: relay.prefix,
      isFile: true,
    });
    if (!rewritten.ok) return refuse(new GatewayError("upstream_misbehaved", rewritten.error));
    headers["location"] = rewritten.value;
  } else if (!PASSED.has(status) && !(isPassthrough && status >= 400)) {
    const repository = `${connection}/${relay.path.replace(/\.git$/, "")}`;
    refuse(checkRefusal(response, { connection, repository }) ?? unexpected(connection, `HTTP ${status}`));
  }
  if (status === 200 && /^text\/html\b/i.test(response.headers["content-type"] ?? "")) {
    refuse(unexpected(connection, "an HTML page"));
  }
  response.on("data", (chunk: Buffer) => (meter.responseBytes += chunk.length));
  try {
    if ((status === 200 || status === 206) && isAlternates(relay.file)) {
      const bytes = await readAlternates(response, connection);
      outgoing.writeHead(status, { ...headers, "content-length": bytes.length }).end(bytes);
      return;
    }
    outgoing.writeHead(status, headers);
    await pipeline(response, outgoing);
  } catch (error) {
    request.destroy();
    throw describeFailure(error, connection, relay.signal);
  }
}

const MAX_ALTERNATES_BYTES = 65_536;

/** Whole, because one line of it can lead a client around the gateway. @throws GatewayError `not_found` where one does */
async function readAlternates(response: IncomingMessage, connection: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_ALTERNATES_BYTES) break;
  }
  const bytes = Buffer.concat(chunks);
  const isPlain = (response.headers["content-encoding"] ?? "identity") === "identity";
  if (isPlain && length <= MAX_ALTERNATES_BYTES && staysHere(bytes.toString("latin1"))) return bytes;
  const message = `the upstream of “${connection}” names other places to fetch from, where the gateway does not lead`;
  throw new GatewayError("not_found", message);
}

const unexpected = (connection: string, what: string): GatewayError =>
  new GatewayError(
    "upstream_misbehaved",
    `the upstream of “${connection}” answered ${what} where a file of a repository was asked for`,
  );
