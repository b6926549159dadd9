/**
 * One Copilot request from end to end. The person is known already (web/copilot.ts); this finds the wire format, begins the
 * record, forwards, relays the answer while it is read along, and finishes the record.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createAnswerRecorder } from "../copilot/answer-recorder.ts";
import { createAnswerStreamMask, maskAnswerBody } from "../copilot/answer-masking.ts";
import {
  type AnswerAssembler,
  EMPTY_ANSWER,
  type Endpoint,
  type ParsedRequest,
} from "../copilot/endpoints/endpoint.ts";
import { other } from "../copilot/endpoints/other.ts";
import { findRoute } from "../copilot/routes.ts";
import { GatewayError, ok } from "../errors.ts";
import type { CopilotConnection } from "../model/connection.ts";
import { newId } from "../model/id.ts";
import type { Principal } from "../model/principal.ts";
import { describeFailure } from "./exchange/describe-failure.ts";
import { type Admitted, createGate, type GateDependencies } from "./exchange/gate.ts";
import { clientHeaders, REQUEST_ID, upstreamHeaders } from "./exchange/headers.ts";
import { createIdleWork } from "./exchange/idle-work.ts";
import { answerMasks } from "./exchange/mask-sent.ts";
import { failedEnd, NOTHING, outcomeOf, stoppedBy } from "./exchange/outcome.ts";
import { within } from "./exchange/patience.ts";
import { readBody } from "./exchange/read-body.ts";
import { type ReadRequest, readRequest } from "./exchange/read-request.ts";
import type { ExchangeEnd, ExchangeStart } from "./exchange/record.ts";
import { createRecords, type OpenRecord, type RecordLimits, type RecordsDependencies } from "./exchange/records.ts";
import { type Refusal, sendRefusal, unmaskableAnswer, unrouted, unusableAnswer } from "./exchange/refusals.ts";
import { relayAnswer } from "./exchange/relay.ts";
import { createSocketRelay, type SocketRelay } from "./exchange/socket.ts";
import { createTelemetry } from "./exchange/telemetry.ts";
import { createUpstreamAgents, sendUpstream } from "./exchange/upstream.ts";
import { createUpstreamIds, issuedInHeaders, referencesOutside } from "./exchange/upstream-ids.ts";

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

export interface ExchangeDependencies
  extends Omit<RecordsDependencies, "limits">, Pick<GateDependencies, "sent" | "stops"> {
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
  /** Makes a connection a WebSocket, where its path is one's and the configuration lets it; resolves when it has ended. */
  readonly upgrade: SocketRelay;
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
  const upstreamIds = createUpstreamIds(deps);
  const gate = createGate({ ...deps, records, upstreamIds, beginMs: limits.beginMs });
  const upgrade = createSocketRelay({
    records,
    upstreamIds,
    limits,
    refusalOf: (connection, path) => refusalOfSocket(connection, path, websocketOf(connection)),
    admit: async ({ start, connection, request, bytes, outside }) => {
      // All of the message, not only what it asks: it was read in one way only.
      const json: unknown = JSON.parse(bytes.toString("utf8"));
      const { parsed } = request;
      const admitted = await gate.admit({ start, connection, parsed, json, bytes, outside, asksModel: true });
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
  const telemetry = createTelemetry({ agents, limits, mask: deps.mask, records });

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
      connection,
      outside: referencesOutside(exchange.path, exchange.query, rule, request.headers),
      asksModel: endpoint.conversation !== undefined && endpoint.access === "inference",
    });
    if (!admitted.ok) return sendRefusal(response, id, admitted.error);
    try {
      await forward(exchange, { endpoint, read: body.value, admitted: admitted.value, method: known.method });
    } finally {
      admitted.value.release();
    }
  }

  /** What cannot be read cannot be judged either: it goes on only where nothing hangs on that, and nobody else's credential helps it. */
  const mayRelayUnread = ({ policy, credential }: CopilotConnection): boolean =>
    policy.unreadable === "relay" &&
    policy.models === null &&
    (deps.sent?.prompts ?? "pass") === "pass" &&
    (credential.kind === "passthrough" || credential.kind === "none");

  interface Forwarded {
    readonly endpoint: Endpoint;
    readonly read: ReadRequest;
    readonly admitted: Admitted;
    readonly method: string;
  }

  async function forward(exchange: ExchangeRequest, forwarded: Forwarded): Promise<void> {
    const { request, response, connection } = exchange;
    const { endpoint, read, admitted, method } = forwarded;
    const { record, bytes, stop } = admitted;
    const leaving = new AbortController();
    const leave = () => leaving.abort();
    response.once("close", leave);
    stop.addEventListener("abort", leave, { once: true });
    let answer: IncomingMessage;
    try {
      const base = endpoint.host === "proxy" ? (connection.proxyUrl ?? connection.url) : connection.url;
      const url = new URL(base + exchange.path.slice(1) + exchange.query);
      const bodyBytes = bytes === null ? null : bytes.length;
      const plain = endpoint.rewrite !== undefined || masksAnswers(endpoint);
      const asItCame = read.unread !== null;
      answer = await sendUpstream(agents, {
        url,
        method,
        headers: upstreamHeaders(request.headers, { connection, host: url.host, bodyBytes, plain, asItCame }),
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
    await passOn(exchange, forwarded, answer);
  }

  /** Answers are masked in events, not in frames: where they are, clients use HTTP. */
  const websocketOf = ({ rules }: CopilotConnection): CopilotConnection["rules"]["websocket"] =>
    deps.sent?.answers === "mask" ? "refuse" : rules.websocket;

  const masksAnswers = (endpoint: Endpoint): boolean =>
    deps.sent?.answers === "mask" && endpoint.conversation !== undefined;

  /** The answer, on its way to the client and into the record. */
  async function passOn(exchange: ExchangeRequest, forwarded: Forwarded, answer: IncomingMessage): Promise<void> {
    const { response, connection } = exchange;
    const { endpoint, admitted } = forwarded;
    const { record } = admitted;
    const known = {
      httpStatus: answer.statusCode ?? 502,
      upstreamRequestId: firstHeader(answer, REQUEST_ID) ?? firstHeader(answer, "x-request-id"),
    };
    const streamed = (answer.headers["content-type"] ?? "").startsWith("text/event-stream");
    const masks = masksAnswers(endpoint) && deps.sent !== undefined ? answerMasks(deps.mask, deps.sent) : null;
    const rewriter =
      masks !== null && streamed ? createAnswerStreamMask(endpoint.format, masks, limits.answerBytes) : null;
    const isPacked = (answer.headers["content-encoding"] ?? "identity") !== "identity";
    const unusable =
      unusableAnswer(answer, connection) ??
      (masks !== null && ((streamed && rewriter === null) || isPacked) ? unmaskableAnswer(connection.name) : null);
    if (unusable !== null) {
      answer.destroy();
      const error = `${unusable.message} (the upstream's status: ${known.httpStatus})`;
      await records.settle(record, { ...NOTHING, ...known, status: "upstream_failed", error });
      return sendRefusal(response, record.id, unusable);
    }
    const { rewrite } = endpoint;
    if (rewrite !== undefined) {
      return await passOnChanged(exchange, forwarded, answer, (body) => rewrite(body, websocketOf(connection)));
    }
    if (masks !== null && !streamed) {
      return await passOnChanged(exchange, forwarded, answer, (body) =>
        body.length === 0 ? body : maskAnswerBody(body, masks),
      );
    }
    const recorder = createAnswerRecorder(endpoint.conversation?.assembleAnswer() ?? NO_ASSEMBLER, {
      streamed,
      encoding: answer.headers["content-encoding"],
      maxBytes: limits.answerBytes,
    });
    const drop = rewriter === null ? [] : CHANGED;
    const headers = clientHeaders(answer.rawHeaders, { recordId: record.id, connection, drop });
    response.writeHead(known.httpStatus, answer.statusMessage ?? "", headers);
    response.flushHeaders();
    await relayAnswer({
      answer,
      response,
      recorder,
      streamed,
      rewriter,
      idle,
      stop: admitted.stop,
      now: deps.now,
      settle: async (end) => {
        const recorded = await recorder.finish();
        await settleAnswer(exchange, forwarded, answer, {
          ...NOTHING,
          ...known,
          ...((end.end === "stopped" ? stoppedBy(admitted.stop)?.end : null) ??
            outcomeOf(end, known.httpStatus, recorded)),
          firstByteAt: end.firstByteAt,
          responseBytes: end.bytes,
          answer: recorded,
          answerMasked: rewriter !== null,
        });
      },
    });
  }

  /** Writes the end of an exchange whose answer has come, as far as it has. */
  async function settleAnswer(
    { principal, connection }: ExchangeRequest,
    { read, admitted, method }: Forwarded,
    answer: IncomingMessage,
    end: ExchangeEnd,
  ): Promise<void> {
    const { record } = admitted;
    // What a GET shows may be everybody's: nobody gets it by looking at it.
    if (read.parsed?.keepsIds === true && method === "POST") {
      const ids = [...(end.answer?.issuedIds ?? []), ...issuedInHeaders(answer.headers)];
      // Before the client has them: what it got it may use the next moment.
      await claimIds(record, upstreamIds.claim({ principalId: principal.id, connection }, ids));
    }
    const isUnread = read.unread !== null && end.status === "complete";
    await records.settle(record, isUnread ? { ...end, status: "truncated", error: read.unread } : end);
  }

  /** An id that cannot be written down works for nobody: that is the safe side, and the answer goes on. */
  async function claimIds(record: OpenRecord, claiming: Promise<void> | null): Promise<void> {
    if (claiming === null) return;
    try {
      await within(limits.settleMs, claiming);
    } catch (error) {
      deps.log.error({ exchange: record.id, failure: describeFailure(error) }, "Ids of an answer could not be kept");
    }
  }

  /** What is changed as a whole is read whole. */
  async function passOnChanged(
    exchange: ExchangeRequest,
    forwarded: Forwarded,
    answer: IncomingMessage,
    change: (body: Buffer) => Buffer | null,
  ): Promise<void> {
    const { response, connection } = exchange;
    const { endpoint, admitted } = forwarded;
    const { record } = admitted;
    const known = { httpStatus: answer.statusCode ?? 502, upstreamRequestId: firstHeader(answer, REQUEST_ID) };
    const firstByteAt = deps.now();
    const stopReading = (): void => void answer.destroy();
    admitted.stop.addEventListener("abort", stopReading, { once: true });
    const body = await readBody(answer, limits.answerBytes).catch(() => null);
    admitted.stop.removeEventListener("abort", stopReading);
    const stopped = stoppedBy(admitted.stop);
    const changed = body === null || stopped !== null ? null : change(body);
    if (body === null || changed === null) {
      answer.destroy();
      const refusal = stopped?.refusal ?? (body === null ? brokenOff : unmaskableAnswer(connection.name));
      const end: ExchangeEnd = { ...NOTHING, ...known, status: "upstream_failed", error: refusal.message };
      await settleAnswer(exchange, forwarded, answer, { ...end, ...stopped?.end });
      return sendRefusal(response, record.id, refusal);
    }
    const recorder = createAnswerRecorder(endpoint.conversation?.assembleAnswer() ?? NO_ASSEMBLER, {
      streamed: false,
      maxBytes: limits.answerBytes,
    });
    await recorder.take(body, 0);
    const recorded = await recorder.finish();
    await settleAnswer(exchange, forwarded, answer, {
      ...NOTHING,
      ...known,
      ...outcomeOf({ end: "whole" }, known.httpStatus, recorded),
      firstByteAt,
      responseBytes: changed.length,
      answer: endpoint.conversation === undefined ? null : recorded,
      answerMasked: endpoint.conversation !== undefined,
    });
    const drop = changed === body ? ["content-length"] : CHANGED;
    const headers = clientHeaders(answer.rawHeaders, { recordId: record.id, connection, drop });
    response.writeHead(known.httpStatus, [...headers, "content-length", String(changed.length)]);
    response.end(changed);
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
      grouping: "none",
      requestMasked: false,
      requestBytes: 0,
      startedAt: deps.now(),
    };
  }

  return {
    run,
    upgrade,
    replay: () => records.replay(),
    drain: () => records.drain(),
    close: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

const withoutReferences = (parsed: ParsedRequest | null): ParsedRequest | null =>
  parsed === null ? null : { ...parsed, references: [] };

const SOCKET_PATHS = ["/responses", "/v1/responses"];

/** Why a path does not become a WebSocket; null where it does. */
function refusalOfSocket(
  connection: CopilotConnection,
  path: string,
  websocket: CopilotConnection["rules"]["websocket"],
): Refusal | null {
  const route = findRoute(connection, "GET", path);
  const named = { connection: connection.name, method: "GET", path };
  if (!route.ok && route.error.reason === "refused") return unrouted(named, route.error);
  if (!SOCKET_PATHS.includes(path)) return unrouted(named, { reason: "unnamed", endpoint: other });
  if (websocket === "relay") return null;
  const message = `The connection ${connection.name} relays no WebSockets. Send POST ${path} instead.`;
  return { httpStatus: 400, code: "websocket_refused", message };
}

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

/** Headers that are about the bytes as they came. */
const CHANGED = ["content-length", "etag", "content-md5", "digest", "content-digest", "repr-digest"];

const brokenOff: Refusal = {
  httpStatus: 502,
  code: "upstream_misbehaved",
  message: "The upstream's answer broke off, or is larger than what can be read whole. Try again.",
};

/** For what is no conversation: that it came and went is all. */
const NO_ASSEMBLER: AnswerAssembler = { takeEvent: () => false, takeBody: () => {}, result: () => EMPTY_ANSWER };

const firstHeader = (message: IncomingMessage, name: string): string | null => {
  const value = message.headers[name];
  return typeof value === "string" ? value : null;
};
