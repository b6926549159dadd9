/**
 * One Copilot request from end to end. The person is known already (web/copilot.ts); this finds the wire format, begins the
 * record, forwards, relays the answer while it is read along, and finishes the record.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createAnswerRecorder } from "../copilot/answer-recorder.ts";
import type { Endpoint, ParsedRequest } from "../copilot/endpoints/endpoint.ts";
import { withoutWebSockets } from "../copilot/endpoints/models.ts";
import { findEndpoint } from "../copilot/endpoints/registry.ts";
import { readBodyConversation } from "../copilot/sessions.ts";
import { parseStrictJson } from "../copilot/strict-json.ts";
import { err, GatewayError, ok, type Result } from "../errors.ts";
import type { CopilotConnection } from "../model/connection.ts";
import { newId } from "../model/id.ts";
import type { Principal } from "../model/principal.ts";
import { describeFailure } from "./exchange/describe-failure.ts";
import { clientHeaders, REQUEST_ID, upstreamHeaders } from "./exchange/headers.ts";
import { createIdleWork } from "./exchange/idle-work.ts";
import { failedEnd, NOTHING, outcomeOf } from "./exchange/outcome.ts";
import { readBody } from "./exchange/read-body.ts";
import type { ExchangeEnd, ExchangeStart } from "./exchange/record.ts";
import { createRecords, type OpenRecord, type RecordLimits, type RecordsDependencies } from "./exchange/records.ts";
import {
  DATABASE_AWAY,
  type Refusal,
  sendRefusal,
  sharedReference,
  unknownPath,
  unusableAnswer,
} from "./exchange/refusals.ts";
import { relayAnswer } from "./exchange/relay.ts";
import { createUpstreamAgents, sendUpstream } from "./exchange/upstream.ts";

export interface ExchangeLimits extends RecordLimits {
  /** Bytes of a request: more is refused, because what cannot be read cannot be recorded. */
  readonly requestBytes: number;
  /** Bytes of an answer that are recorded; more is relayed, and the record says `truncated`. */
  readonly answerBytes: number;
  /** How long an upstream may stay silent. */
  readonly idleMs: number;
}

const EXCHANGE_LIMITS: ExchangeLimits = {
  requestBytes: 32 * 1024 * 1024,
  answerBytes: 32 * 1024 * 1024,
  beginMs: 5_000,
  settleMs: 3_000,
  idleMs: 10 * 60_000,
};

export interface ExchangeDependencies extends Omit<RecordsDependencies, "limits"> {
  readonly limits?: Partial<ExchangeLimits>;
}

export interface ExchangeRequest {
  readonly principal: Principal;
  readonly connection: CopilotConnection;
  /** Below the connection, beginning with `/`, as sent; without the query. */
  readonly path: string;
  /** With its `?`; empty where there is none. */
  readonly query: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface ExchangeFlow {
  /** Answers the request, whatever happens; resolves when its record is written or its writing goes on by itself. */
  run(exchange: ExchangeRequest): Promise<void>;
  /** Puts records that wait on the disk into the database. @throws what the database throws */
  replay(): Promise<void>;
  /** Resolves when no record waits to be written any more. */
  drain(): Promise<void>;
  /** Closes the idle connections to upstreams. */
  close(): void;
}

export function createExchangeFlow(deps: ExchangeDependencies): ExchangeFlow {
  const limits = { ...EXCHANGE_LIMITS, ...deps.limits };
  const agents = createUpstreamAgents();
  const records = createRecords({ ...deps, limits });
  const idle = createIdleWork();

  async function run(exchange: ExchangeRequest): Promise<void> {
    const id = newId();
    // Without a listener, writing to a client that has just left would end the process.
    exchange.response.on("error", () => {});
    try {
      await exchangeStory(exchange, id);
    } catch (error) {
      if (error instanceof GatewayError && error.code === "client_gone") return void exchange.response.destroy();
      deps.log.error({ exchange: id, failure: describeFailure(error) }, "An exchange failed within the gateway");
      const message = "The gateway failed while it handled this request. Tell whoever runs it, with the request id.";
      sendRefusal(exchange.response, id, { httpStatus: 500, code: "internal", message });
    }
  }

  async function exchangeStory(exchange: ExchangeRequest, id: string): Promise<void> {
    const { request, response, connection } = exchange;
    const start = startOf(exchange, id);

    const endpoint = findEndpoint(start.method, exchange.path);
    if (endpoint === null) return await refuse(response, start, unknownPath(start));

    const body = await readRequest(request, endpoint, limits.requestBytes);
    if (!body.ok) return await refuse(response, { ...start, format: endpoint.format }, body.error);
    const { bytes, parsed, conversation } = body.value;
    const known: ExchangeStart = {
      ...start,
      format: endpoint.format,
      model: parsed?.model ?? null,
      streamed: parsed?.streamed ?? null,
      messages: parsed?.messages ?? null,
      bodyConversation: conversation,
      requestBytes: bytes?.length ?? 0,
    };
    if (parsed?.upstreamReference != null && connection.credential.kind !== "passthrough") {
      return await refuse(response, known, sharedReference(parsed.upstreamReference));
    }

    // From here on the exchange is on record, before the upstream hears of it.
    const record = await records.begin(known, "refuse");
    if (record === null) return sendRefusal(response, id, DATABASE_AWAY);

    const leaving = new AbortController();
    const leave = () => leaving.abort();
    response.once("close", leave);
    let answer: IncomingMessage;
    try {
      const url = new URL(connection.url + exchange.path.slice(1) + exchange.query);
      const bodyBytes = bytes === null ? null : bytes.length;
      answer = await sendUpstream(agents, {
        url,
        method: known.method,
        headers: upstreamHeaders(request.headers, { connection, host: url.host, bodyBytes }),
        body: bytes,
        signal: leaving.signal,
        idleMs: limits.idleMs,
      });
    } catch (error) {
      await records.settle(record, failedEnd(error));
      if (!(error instanceof GatewayError) || error.code !== "upstream_unreachable") throw error;
      return sendRefusal(response, id, { httpStatus: 502, code: error.code, message: error.message });
    } finally {
      response.off("close", leave);
    }
    await passOn(exchange, record, endpoint, answer);
  }

  /** The answer, on its way to the client and into the record. */
  async function passOn(exchange: ExchangeRequest, record: OpenRecord, endpoint: Endpoint, answer: IncomingMessage) {
    const { response, connection } = exchange;
    const httpStatus = answer.statusCode ?? 502;
    const upstreamRequestId = firstHeader(answer, REQUEST_ID) ?? firstHeader(answer, "x-request-id");
    const unusable = unusableAnswer(answer, connection);
    if (unusable !== null) {
      answer.destroy();
      const error = `${unusable.message} (the upstream's status: ${httpStatus})`;
      await records.settle(record, { ...NOTHING, status: "upstream_failed", httpStatus, upstreamRequestId, error });
      return sendRefusal(response, record.id, unusable);
    }
    if (endpoint.conversation === undefined) {
      return await passOnModels(exchange, record, answer, { httpStatus, upstreamRequestId });
    }
    const streamed = (answer.headers["content-type"] ?? "").startsWith("text/event-stream");
    const assembler = endpoint.conversation.assembleAnswer();
    const recorder = createAnswerRecorder(assembler, { streamed, maxBytes: limits.answerBytes });
    const headers = clientHeaders(answer.rawHeaders, { recordId: record.id, connection });
    response.writeHead(httpStatus, answer.statusMessage ?? "", headers);
    response.flushHeaders();
    await relayAnswer({
      answer,
      response,
      recorder,
      streamed,
      rewriter: null,
      idle,
      stop: new AbortController().signal,
      now: deps.now,
      settle: async (end) => {
        const recorded = recorder.finish();
        const { status, error } = outcomeOf(end, httpStatus, recorded);
        await records.settle(record, {
          ...NOTHING,
          status,
          error,
          httpStatus,
          upstreamRequestId,
          firstByteAt: end.firstByteAt,
          responseBytes: end.bytes,
          answer: recorded,
        });
      },
    });
  }

  /** The model list is small, and changed on its way: it is read whole. */
  async function passOnModels(
    { response, connection }: ExchangeRequest,
    record: OpenRecord,
    answer: IncomingMessage,
    known: Pick<ExchangeEnd, "httpStatus" | "upstreamRequestId">,
  ): Promise<void> {
    const firstByteAt = deps.now();
    const body = await readBody(answer, limits.answerBytes).catch(() => null);
    if (body === null) {
      const message = "The upstream's model list broke off, or is larger than any model list. Try again.";
      await records.settle(record, { ...NOTHING, ...known, status: "upstream_failed", error: message });
      return sendRefusal(response, record.id, { httpStatus: 502, code: "upstream_misbehaved", message });
    }
    const list = withoutWebSockets(body);
    const status = known.httpStatus === 200 ? "complete" : "upstream_failed";
    const error = status === "complete" ? null : `The upstream answered ${known.httpStatus}.`;
    await records.settle(record, { ...NOTHING, ...known, status, error, firstByteAt, responseBytes: list.length });
    const drop = list === body ? ["content-length"] : ["content-length", "etag", "content-md5", "digest"];
    const headers = clientHeaders(answer.rawHeaders, { recordId: record.id, connection, drop });
    response.writeHead(known.httpStatus ?? 502, [...headers, "content-length", String(list.length)]);
    response.end(list);
  }

  async function refuse(response: ServerResponse, start: ExchangeStart, refusal: Refusal): Promise<void> {
    await records.refuse(start, refusal);
    sendRefusal(response, start.id, refusal);
  }

  function startOf({ principal, connection, path, request }: ExchangeRequest, id: string): ExchangeStart {
    return {
      id,
      principal,
      connection: connection.name,
      method: request.method ?? "GET",
      path,
      headers: request.headers,
      format: "other",
      model: null,
      streamed: null,
      messages: null,
      bodyConversation: null,
      requestMasked: false,
      requestBytes: 0,
      startedAt: deps.now(),
    };
  }

  return {
    run,
    replay: () => records.replay(),
    drain: () => records.drain(),
    close: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

interface ReadRequest {
  readonly bytes: Buffer | null;
  readonly parsed: ParsedRequest | null;
  /** The conversation that the body names. */
  readonly conversation: string | null;
}

/** The request's bytes and what they say; all null where the format has no body. */
async function readRequest(
  request: IncomingMessage,
  endpoint: Endpoint,
  max: number,
): Promise<Result<ReadRequest, Refusal>> {
  if (endpoint.conversation === undefined) return ok({ bytes: null, parsed: null, conversation: null });
  const malformed = (problem: string, code = "request_malformed") =>
    err({ httpStatus: 400, code, message: `The gateway cannot record this request: ${problem}. It was not sent on.` });
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") return malformed("its body is compressed; send it plain");
  const bytes = await readBody(request, max);
  if (bytes === null) return malformed(`it is larger than ${max} bytes`, "limit_exceeded");
  const json = parseStrictJson(bytes);
  if (!json.ok) return malformed(json.error);
  const parsed = endpoint.conversation.parseRequest(json.value);
  if (!parsed.ok) return malformed(parsed.error);
  return ok({ bytes, parsed: parsed.value, conversation: readBodyConversation(json.value) });
}

const firstHeader = (message: IncomingMessage, name: string): string | null => {
  const value = message.headers[name];
  return typeof value === "string" ? value : null;
};
