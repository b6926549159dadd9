/**
 * One Copilot request from end to end. The person is known already (web/copilot.ts); this finds the wire format, begins the
 * record, forwards, relays the answer while it is read along, and finishes the record.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createAnswerRecorder } from "../copilot/answer-recorder.ts";
import {
  type AnswerAssembler,
  EMPTY_ANSWER,
  type Endpoint,
  type ParsedRequest,
  type UpstreamReference,
} from "../copilot/endpoints/endpoint.ts";
import { other } from "../copilot/endpoints/other.ts";
import { findRoute, refusedTools } from "../copilot/routes.ts";
import { err, GatewayError, ok, type Result } from "../errors.ts";
import type { CopilotConnection } from "../model/connection.ts";
import { newId } from "../model/id.ts";
import type { Principal } from "../model/principal.ts";
import { describeFailure } from "./exchange/describe-failure.ts";
import { clientHeaders, REQUEST_ID, upstreamHeaders } from "./exchange/headers.ts";
import { createIdleWork } from "./exchange/idle-work.ts";
import { failedEnd, NOTHING, outcomeOf } from "./exchange/outcome.ts";
import { within } from "./exchange/patience.ts";
import { readBody } from "./exchange/read-body.ts";
import { type ReadRequest, readRequest } from "./exchange/read-request.ts";
import type { ExchangeEnd, ExchangeStart } from "./exchange/record.ts";
import { createRecords, type OpenRecord, type RecordLimits, type RecordsDependencies } from "./exchange/records.ts";
import {
  DATABASE_AWAY,
  type Refusal,
  refusedTool,
  sendRefusal,
  sharedReference,
  unrouted,
  unusableAnswer,
} from "./exchange/refusals.ts";
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
  const upgrade = createSocketRelay({
    records,
    upstreamIds,
    limits,
    refusalOf: refusalOfSocket,
    admit: async ({ start, connection, request, bytes, outside }) => {
      const admitted = await admit(start, connection, request.parsed, outside);
      if (!admitted.ok) return admitted;
      const stop = new AbortController().signal;
      return ok({ record: admitted.value, bytes, stop, endOfStop: () => ({}), release: () => {} });
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
    const { request, response, connection, principal } = exchange;
    const start = startOf(exchange, id);
    const route = findRoute(connection, start.method, exchange.path);
    if (!route.ok)
      return await refuse(response, { ...start, format: route.error.endpoint.format }, unrouted(start, route.error));
    const { endpoint, rule } = route.value;
    if (endpoint.access === "telemetry") return await telemetry.answer(exchange, { ...start, format: endpoint.format });

    const body = await readRequest(request, endpoint, limits.requestBytes);
    if (!body.ok) return await refuse(response, { ...start, format: endpoint.format }, body.error);
    const { bytes, parsed } = body.value;
    const known = understood(start, endpoint, body.value);
    const outside = referencesOutside(exchange.path, exchange.query, rule, request.headers);
    const admitted = await admit(known, connection, parsed, outside);
    if (!admitted.ok) return sendRefusal(response, id, admitted.error);
    const record = admitted.value;

    const leaving = new AbortController();
    const leave = () => leaving.abort();
    response.once("close", leave);
    let answer: IncomingMessage;
    try {
      const base = endpoint.host === "proxy" ? (connection.proxyUrl ?? connection.url) : connection.url;
      const url = new URL(base + exchange.path.slice(1) + exchange.query);
      const bodyBytes = bytes === null ? null : bytes.length;
      const plain = endpoint.rewrite !== undefined;
      answer = await sendUpstream(agents, {
        url,
        method: known.method,
        headers: upstreamHeaders(request.headers, { connection, host: url.host, bodyBytes, plain }),
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
    const holder = { principalId: principal.id, connection };
    // What a GET shows may be everybody's: nobody gets it by looking at it.
    const keepsIds = parsed?.keepsIds === true && known.method === "POST";
    await passOn(exchange, record, endpoint, answer, (ids) => (keepsIds ? upstreamIds.claim(holder, ids) : null));
  }

  /** Everything that has to be so before the upstream hears of a request. Its record is open then; a refusal is on record, too. */
  async function admit(
    known: ExchangeStart,
    connection: CopilotConnection,
    parsed: ParsedRequest | null,
    outside: readonly UpstreamReference[] = [],
  ): Promise<Result<OpenRecord, Refusal>> {
    const references = [...outside, ...(parsed?.references ?? [])];
    let foreign: UpstreamReference | null;
    try {
      foreign = await within(
        limits.beginMs,
        upstreamIds.findForeign({ principalId: known.principal.id, connection }, references),
      );
    } catch (error) {
      deps.log.error({ exchange: known.id, failure: describeFailure(error) }, "Whose an id is could not be looked up");
      return err(DATABASE_AWAY);
    }
    const [tool] = refusedTools(parsed?.calls ?? [], connection.rules.mcpTools);
    const refusal =
      foreign !== null
        ? sharedReference(foreign.field)
        : tool !== undefined
          ? refusedTool(connection.name, tool)
          : null;
    if (refusal !== null) {
      await records.refuse(known, refusal);
      return err(refusal);
    }
    const record = await records.begin(known, "refuse");
    return record === null ? err(DATABASE_AWAY) : ok(record);
  }

  /** The answer, on its way to the client and into the record. */
  async function passOn(
    exchange: ExchangeRequest,
    record: OpenRecord,
    endpoint: Endpoint,
    answer: IncomingMessage,
    claim: (ids: readonly string[]) => Promise<void> | null,
  ) {
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
    if (endpoint.rewrite !== undefined) {
      return await passOnChanged(exchange, record, answer, endpoint.rewrite, { httpStatus, upstreamRequestId });
    }
    const streamed = (answer.headers["content-type"] ?? "").startsWith("text/event-stream");
    const recorder = createAnswerRecorder(endpoint.conversation?.assembleAnswer() ?? NO_ASSEMBLER, {
      streamed,
      encoding: answer.headers["content-encoding"],
      maxBytes: limits.answerBytes,
    });
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
        const recorded = await recorder.finish();
        const { status, error } = outcomeOf(end, httpStatus, recorded);
        // Before the client has them: what it got it may use the next moment.
        await claimIds(record, claim([...recorded.issuedIds, ...issuedInHeaders(answer.headers)]));
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

  /** An id that cannot be written down works for nobody: that is the safe side, and the answer goes on. */
  async function claimIds(record: OpenRecord, claiming: Promise<void> | null): Promise<void> {
    if (claiming === null) return;
    try {
      await within(limits.settleMs, claiming);
    } catch (error) {
      deps.log.error({ exchange: record.id, failure: describeFailure(error) }, "Ids of an answer could not be kept");
    }
  }

  /** A model list is small, and changed on its way: it is read whole. */
  async function passOnChanged(
    { response, connection }: ExchangeRequest,
    record: OpenRecord,
    answer: IncomingMessage,
    rewrite: NonNullable<Endpoint["rewrite"]>,
    known: Pick<ExchangeEnd, "httpStatus" | "upstreamRequestId">,
  ): Promise<void> {
    const firstByteAt = deps.now();
    const body = await readBody(answer, limits.answerBytes).catch(() => null);
    if (body === null) {
      answer.destroy();
      const message = "The upstream's model list broke off, or is larger than any model list. Try again.";
      await records.settle(record, { ...NOTHING, ...known, status: "upstream_failed", error: message });
      return sendRefusal(response, record.id, { httpStatus: 502, code: "upstream_misbehaved", message });
    }
    const list = rewrite(body, connection.rules.websocket);
    const status = (known.httpStatus ?? 502) < 400 ? "complete" : "upstream_failed";
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

const SOCKET_PATHS = ["/responses", "/v1/responses"];

/** Why a path does not become a WebSocket; null where it does. */
function refusalOfSocket(connection: CopilotConnection, path: string): Refusal | null {
  const route = findRoute(connection, "GET", path);
  const named = { connection: connection.name, method: "GET", path };
  if (!route.ok && route.error.reason === "refused") return unrouted(named, route.error);
  if (!SOCKET_PATHS.includes(path)) return unrouted(named, { reason: "unnamed", endpoint: other });
  if (connection.rules.websocket === "relay") return null;
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

/** For what is no conversation: that it came and went is all. */
const NO_ASSEMBLER: AnswerAssembler = { takeEvent: () => false, takeBody: () => {}, result: () => EMPTY_ANSWER };

const firstHeader = (message: IncomingMessage, name: string): string | null => {
  const value = message.headers[name];
  return typeof value === "string" ? value : null;
};
