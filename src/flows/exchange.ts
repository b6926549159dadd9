/**
 * One Copilot request from end to end. The person is known already (web/copilot.ts); this finds the wire format, begins the
 * record, forwards, relays the answer while it is read along, and finishes the record.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createAnswerMessageMask } from "../copilot/answer-masking.ts";
import type { Endpoint, ParsedRequest } from "../copilot/endpoints/endpoint.ts";
import { findRoute } from "../copilot/routes.ts";
import { GatewayError, ok } from "../errors.ts";
import type { CopilotConnection } from "../model/connection.ts";
import { newId } from "../model/id.ts";
import type { Principal } from "../model/principal.ts";
import { describeFailure } from "./exchange/describe-failure.ts";
import { createGate, type GateDependencies } from "./exchange/gate.ts";
import { readHead, recordHead, upstreamHeaders } from "./exchange/headers.ts";
import { answerMasks, masksAnswers } from "./exchange/mask-sent.ts";
import { failedEnd, NOTHING, stoppedBy } from "./exchange/outcome.ts";
import { createPassOn, type Forwarded } from "./exchange/pass-on.ts";
import { type ReadRequest, readRequest } from "./exchange/read-request.ts";
import type { ExchangeStart } from "./exchange/record.ts";
import { RECORD_LIMITS, type RecordLimits } from "./exchange/records.ts";
import { maskRefusal, type Refusal, sendRefusal, unrouted } from "./exchange/refusals.ts";
import { createSocketRelay, type SocketRelay } from "./exchange/socket.ts";
import { createTelemetry } from "./exchange/telemetry.ts";
import { createUpstreams } from "./exchange/upstream.ts";
import type { UpstreamAnswer } from "./exchange/upstream-answer.ts";
import { createUpstreamIds, referencesOutside, type UpstreamIdsDependencies } from "./exchange/upstream-ids.ts";

export interface ExchangeLimits extends RecordLimits {
  /** Bytes of a request: more is refused, because what cannot be read cannot be recorded. */
  readonly requestBytes: number;
  /** Bytes of an answer that are recorded; more is relayed, and the record says `truncated`. */
  readonly answerBytes: number;
  /** How long an upstream may stay silent. */
  readonly idleMs: number;
}

const EXCHANGE_LIMITS: ExchangeLimits = {
  ...RECORD_LIMITS,
  requestBytes: 32 * 1024 * 1024,
  answerBytes: 32 * 1024 * 1024,
  idleMs: 10 * 60_000,
};

export interface ExchangeDependencies
  extends UpstreamIdsDependencies, Pick<GateDependencies, "records" | "mask" | "sent" | "stops" | "log"> {
  readonly limits?: Partial<ExchangeLimits>;
}

export interface ExchangeRequest {
  readonly principal: Principal;
  /** The gateway token that they came with; null: the identity provider's. */
  readonly tokenId: string | null;
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
  /** Makes a connection a WebSocket, where its path is one's and the configuration lets it; resolves when it has ended. */
  readonly upgrade: SocketRelay;
  /** Closes the idle connections to upstreams. */
  close(): void;
}

export function createExchangeFlow(deps: ExchangeDependencies): ExchangeFlow {
  const { records, sent } = deps;
  const limits = { ...EXCHANGE_LIMITS, ...deps.limits };
  const upstreams = createUpstreams();
  const upstreamIds = createUpstreamIds(deps);
  const gate = createGate({ ...deps, upstreamIds, beginMs: limits.beginMs });
  const passOn = createPassOn({ ...deps, upstreamIds, limits });
  const upgrade = createSocketRelay({
    records,
    upstreamIds,
    limits,
    passHead: (path, head) => gate.passHead(path, head),
    maskAnswers: sent?.answers === "mask" ? () => createAnswerMessageMask(answerMasks(deps.mask, sent)) : null,
    admit: async ({ start, tokenId, connection, request, bytes, outside }) => {
      // All of the message, not only what it asks: it was read in one way only.
      const content: unknown = JSON.parse(bytes.toString("utf8"));
      const { parsed } = request;
      const admitted = await gate.admit({
        start,
        tokenId,
        connection,
        parsed,
        content,
        isJson: true,
        bytes,
        head: null,
        outside,
        asksModel: true,
      });
      if (!admitted.ok) return admitted;
      const { stop } = admitted.value;
      return ok({
        ...admitted.value,
        bytes: admitted.value.bytes ?? bytes,
        endOfStop: () => stoppedBy(stop)?.end ?? {},
      });
    },
    log: deps.log,
    now: deps.now,
  });
  const telemetry = createTelemetry({ upstreams, limits, mask: deps.mask, records });

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
    const route = findRoute(connection, start.method, exchange.path);
    if (!route.ok)
      return await refuse(response, { ...start, format: route.error.endpoint.format }, unrouted(start, route.error));
    const { endpoint, rule } = route.value;
    if (endpoint.access === "telemetry") return await telemetry.answer(exchange, { ...start, format: endpoint.format });

    const body = await readRequest(request, endpoint, {
      max: limits.requestBytes,
      relayUnread: endpoint.access === "inference" && mayRelayUnread(connection),
    });
    if (!body.ok) return await refuse(response, { ...start, format: endpoint.format }, body.error);
    const known = understood(start, endpoint, body.value);
    const admitted = await gate.admit({
      ...body.value,
      // The line says that its ids are everybody's.
      parsed: rule?.ids === "any" ? withoutReferences(body.value.parsed) : body.value.parsed,
      start: known,
      tokenId: exchange.tokenId,
      connection,
      head: readHead(request.headers, exchange.query, connection),
      outside: referencesOutside(exchange.path, exchange.query, rule, request.headers),
      asksModel: endpoint.conversation !== undefined && endpoint.access === "inference",
    });
    if (!admitted.ok) return sendRefusal(response, id, admitted.error);
    try {
      await forward(exchange, { endpoint, read: body.value, admitted: admitted.value, method: known.method });
    } catch (error) {
      // Whatever broke, and where: a record that nobody ends would stand there as if its exchange went on.
      await records.settle(admitted.value.record, failedEnd(error));
      throw error;
    } finally {
      admitted.value.release();
    }
  }

  /** What cannot be read cannot be judged either: it goes on only where nothing hangs on that, and nobody else's credential helps it. */
  const mayRelayUnread = ({ policy, credential }: CopilotConnection): boolean =>
    policy.unreadable === "relay" &&
    policy.models === null &&
    (sent?.prompts ?? "pass") === "pass" &&
    (credential.kind === "passthrough" || credential.kind === "none");

  async function forward(exchange: ExchangeRequest, forwarded: Forwarded): Promise<void> {
    const { request, response, connection } = exchange;
    const { endpoint, read, admitted, method } = forwarded;
    const { record, bytes, sentHead, stop } = admitted;
    const leaving = new AbortController();
    const leave = () => leaving.abort();
    response.once("close", leave);
    stop.addEventListener("abort", leave, { once: true });
    let answer: UpstreamAnswer;
    try {
      const base = endpoint.host === "proxy" ? (connection.proxyUrl ?? connection.url) : connection.url;
      const url = new URL(base + exchange.path.slice(1) + sentHead.query);
      const bodyBytes = bytes === null ? null : bytes.length;
      const plain = endpoint.rewrite !== undefined || masksAnswers(sent, endpoint);
      const asItCame = read.unread !== null;
      const { withheld } = sentHead;
      answer = await upstreams.send({
        url,
        method,
        headers: upstreamHeaders(request.headers, { connection, host: url.host, bodyBytes, plain, asItCame, withheld }),
        body: bytes,
        signal: leaving.signal,
        idleMs: limits.idleMs,
      });
    } catch (error) {
      const stopped = stoppedBy(stop);
      await records.settle(record, stopped === null ? failedEnd(error) : { ...NOTHING, ...stopped.end });
      if (stopped !== null) return sendRefusal(response, record.id, stopped.refusal);
      if (!(error instanceof GatewayError) || error.code !== "upstream_unreachable") throw error;
      return sendRefusal(response, record.id, { httpStatus: 502, code: error.code, message: error.message });
    } finally {
      response.off("close", leave);
      stop.removeEventListener("abort", leave);
    }
    try {
      await passOn(exchange, forwarded, answer);
    } catch (error) {
      // Nobody reads it any more: its connection would wait for its whole patience.
      answer.destroy();
      throw error;
    }
  }

  async function refuse(response: ServerResponse, start: ExchangeStart, refusal: Refusal): Promise<void> {
    await records.refuse(start, refusal);
    sendRefusal(response, start.id, maskRefusal(refusal, deps.mask));
  }

  function startOf({ principal, connection, path, query, request }: ExchangeRequest, id: string): ExchangeStart {
    return {
      id,
      principal,
      connection: connection.name,
      method: request.method ?? "GET",
      path,
      headers: request.headers,
      head: recordHead(readHead(request.headers, query, connection), request.headers),
      format: "other",
      model: null,
      streamed: null,
      messages: null,
      bodyConversation: null,
      grouping: "none",
      requestMasked: false,
      requestBytes: 0,
      startedAt: deps.now(),
    };
  }

  return {
    run,
    upgrade,
    close: () => upstreams.close(),
  };
}

const withoutReferences = (parsed: ParsedRequest | null): ParsedRequest | null =>
  parsed === null ? null : { ...parsed, references: [] };

/** What is known of a request once it has been read. */
const understood = (
  start: ExchangeStart,
  endpoint: Endpoint,
  { bytes, parsed, conversation }: ReadRequest,
): ExchangeStart => ({
  ...start,
  format: endpoint.format,
  model: parsed?.model ?? null,
  streamed: parsed?.streamed ?? null,
  messages: parsed === null || parsed.messages.length === 0 ? null : parsed.messages,
  bodyConversation: conversation,
  grouping: endpoint.grouping,
  requestBytes: bytes?.length ?? 0,
});
