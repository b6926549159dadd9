/**
 * One Copilot request from end to end. The person is known already (web/copilot.ts); this finds the wire format, begins the
 * record, forwards, relays the answer while it is read along, and finishes the record.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createAnswerRecorder } from "../copilot/answer-recorder.ts";
import type { Endpoint, ParsedRequest } from "../copilot/endpoints/endpoint.ts";
import { withoutWebSockets } from "../copilot/endpoints/models.ts";
import { findEndpoint } from "../copilot/endpoints/registry.ts";
import { parseStrictJson } from "../copilot/strict-json.ts";
import { err, GatewayError, ok, type Result } from "../errors.ts";
import type { CopilotConnection } from "../model/connection.ts";
import { newId } from "../model/id.ts";
import type { Logger } from "../model/log.ts";
import type { Principal } from "../model/principal.ts";
import { describeFailure } from "./exchange/describe-failure.ts";
import { clientHeaders, REQUEST_ID, upstreamHeaders } from "./exchange/headers.ts";
import { failedEnd, NOTHING, outcomeOf } from "./exchange/outcome.ts";
import { within } from "./exchange/patience.ts";
import { readBody } from "./exchange/read-body.ts";
import {
  beginRecord,
  type ExchangeEnd,
  type ExchangeStart,
  type FinishedExchange,
  type OpenRecord,
  prepareFinish,
  type RecordDependencies,
} from "./exchange/record.ts";
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

export interface ExchangeLimits {
  /** Bytes of a request: more is refused, because what cannot be read cannot be recorded. */
  readonly requestBytes: number;
  /** Bytes of an answer that are recorded; more is relayed, and the record says `truncated`. */
  readonly answerBytes: number;
  /** How long the record may take to begin, before the request is refused. */
  readonly beginMs: number;
  /** How long the end of an answer waits for its record. Past that the client gets it, and the record is written later. */
  readonly settleMs: number;
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

export interface ExchangeDependencies extends RecordDependencies {
  readonly log: Logger;
  readonly limits?: Partial<ExchangeLimits>;
  /** Told of every finished exchange, after its record is written and before its last bytes reach the client. */
  readonly onFinished?: (exchange: FinishedExchange) => Promise<void> | void;
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
  /** Resolves when no record waits to be written any more. */
  drain(): Promise<void>;
  /** Closes the idle connections to upstreams. */
  close(): void;
}

const RETRY_MS = [250, 1_000, 4_000, 15_000, 30_000];

export function createExchangeFlow(deps: ExchangeDependencies): ExchangeFlow {
  const limits = { ...EXCHANGE_LIMITS, ...deps.limits };
  const agents = createUpstreamAgents();
  const writing = new Set<Promise<void>>();

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
    const { bytes, parsed } = body.value;
    const known: ExchangeStart = {
      ...start,
      format: endpoint.format,
      model: parsed?.model ?? null,
      streamed: parsed?.streamed ?? null,
      messages: parsed?.messages ?? null,
      requestBytes: bytes?.length ?? 0,
    };
    if (parsed?.upstreamReference != null && connection.credential.kind !== "passthrough") {
      return await refuse(response, known, sharedReference(parsed.upstreamReference));
    }

    // From here on the exchange is on record, before the upstream hears of it.
    const record = await begin(known);
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
      await settle(record, failedEnd(error));
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
      await settle(record, { ...NOTHING, status: "upstream_failed", httpStatus, upstreamRequestId, error });
      return sendRefusal(response, record.id, unusable);
    }
    if (endpoint.conversation === undefined) {
      return await passOnModels(exchange, record, answer, { httpStatus, upstreamRequestId });
    }
    const streamed = (answer.headers["content-type"] ?? "").startsWith("text/event-stream");
    const assembler = endpoint.conversation.assembleAnswer();
    const recorder = createAnswerRecorder(assembler, streamed, limits.answerBytes, () => deps.now().getTime());
    const headers = clientHeaders(answer.rawHeaders, { recordId: record.id, connection });
    response.writeHead(httpStatus, answer.statusMessage ?? "", headers);
    response.flushHeaders();
    await relayAnswer({
      answer,
      response,
      recorder,
      streamed,
      now: deps.now,
      settle: async (end) => {
        const recorded = recorder.finish();
        const { status, error } = outcomeOf(end, httpStatus, recorded);
        await settle(record, {
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
      await settle(record, { ...NOTHING, ...known, status: "upstream_failed", error: message });
      return sendRefusal(response, record.id, { httpStatus: 502, code: "upstream_misbehaved", message });
    }
    const list = withoutWebSockets(body);
    const status = known.httpStatus === 200 ? "complete" : "upstream_failed";
    const error = status === "complete" ? null : `The upstream answered ${known.httpStatus}.`;
    await settle(record, { ...NOTHING, ...known, status, error, firstByteAt, responseBytes: list.length });
    const drop = list === body ? ["content-length"] : ["content-length", "etag", "content-md5", "digest"];
    const headers = clientHeaders(answer.rawHeaders, { recordId: record.id, connection, drop });
    response.writeHead(known.httpStatus ?? 502, [...headers, "content-length", String(list.length)]);
    response.end(list);
  }

  async function refuse(response: ServerResponse, start: ExchangeStart, refusal: Refusal): Promise<void> {
    try {
      await within(
        limits.beginMs,
        beginRecord(deps, start, { httpStatus: refusal.httpStatus, error: refusal.message }),
      );
    } catch (error) {
      // Nothing is let through either way.
      deps.log.error(
        { exchange: start.id, failure: describeFailure(error) },
        "A refused exchange could not be recorded",
      );
    }
    sendRefusal(response, start.id, refusal);
  }

  /** @returns null where the database does not take the record in time */
  async function begin(start: ExchangeStart): Promise<OpenRecord | null> {
    try {
      return await within(limits.beginMs, beginRecord(deps, start, null));
    } catch (error) {
      deps.log.error({ exchange: start.id, failure: describeFailure(error) }, "An exchange could not be recorded");
      return null;
    }
  }

  /** Writes the end of a record, and waits for it as long as a client may be made to wait. */
  async function settle(record: OpenRecord, end: ExchangeEnd): Promise<void> {
    const finish = prepareFinish(deps, record, end);
    const work = (async () => {
      for (const [attempt, retryMs] of [...RETRY_MS, null].entries()) {
        try {
          await finish.write();
          break;
        } catch (error) {
          deps.log.error(
            { exchange: record.id, attempt, failure: describeFailure(error) },
            "A record could not be finished",
          );
          if (retryMs === null) return;
          await sleep(retryMs, undefined, { ref: false });
        }
      }
      try {
        await deps.onFinished?.(finish.finished);
      } catch (error) {
        deps.log.error({ exchange: record.id, failure: describeFailure(error) }, "A finished exchange was not indexed");
      }
    })();
    writing.add(work);
    void work.finally(() => writing.delete(work));
    await Promise.race([work, sleep(limits.settleMs, undefined, { ref: false })]);
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
      requestBytes: 0,
      startedAt: deps.now(),
    };
  }

  return {
    run,
    drain: async () => {
      await Promise.all(writing);
    },
    close: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

/** The request's bytes and what they say; both null where the format has no body. */
async function readRequest(
  request: IncomingMessage,
  endpoint: Endpoint,
  max: number,
): Promise<Result<{ bytes: Buffer | null; parsed: ParsedRequest | null }, Refusal>> {
  if (endpoint.conversation === undefined) return ok({ bytes: null, parsed: null });
  const malformed = (problem: string, code = "request_malformed") =>
    err({ httpStatus: 400, code, message: `The gateway cannot record this request: ${problem}. It was not sent on.` });
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") return malformed("its body is compressed; send it plain");
  const bytes = await readBody(request, max);
  if (bytes === null) return malformed(`it is larger than ${max} bytes`, "limit_exceeded");
  const json = parseStrictJson(bytes);
  if (!json.ok) return malformed(json.error);
  const parsed = endpoint.conversation.parseRequest(json.value);
  return parsed.ok ? ok({ bytes, parsed: parsed.value }) : malformed(parsed.error);
}

const firstHeader = (message: IncomingMessage, name: string): string | null => {
  const value = message.headers[name];
  return typeof value === "string" ? value : null;
};
