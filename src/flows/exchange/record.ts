/** The record of one exchange in the store: begun in one transaction, finished in another. Everything is masked here. */
import { createHmac } from "node:crypto";
import { extractSuggestions } from "../../copilot/suggestions.ts";
import {
  type RequestHeaders,
  readClientHints,
  readProcessId,
  sessionKey,
  sessionTitle,
  ungroupedKey,
} from "../../copilot/sessions.ts";
import type { RecordedAnswer } from "../../copilot/answer-recorder.ts";
import type { TimingPoint } from "../../model/answer-timing.ts";
import { newId } from "../../model/id.ts";
import type { ExchangeStatus, Message, Suggestion, WireFormat } from "../../model/exchange.ts";
import type { Principal } from "../../model/principal.ts";
import type { Database } from "../../store/database.ts";
import { finishExchange, insertExchange } from "../../store/exchanges.ts";
import { type HashedMessage, insertMessages } from "../../store/messages.ts";
import { upsertSession } from "../../store/sessions.ts";
import { createMaskTally, type Mask, type MaskTally } from "./mask-messages.ts";

export interface RecordDependencies {
  readonly db: Database;
  readonly mask: Mask;
  /** Keys the hashes of messages and histories: without it a copy of the table does not confirm a guessed prompt. */
  readonly recordKey: Uint8Array;
  readonly now: () => Date;
}

/** What is known of a request when its record begins. */
export interface ExchangeStart {
  /** Also the request id that the client shows. */
  readonly id: string;
  readonly principal: Principal;
  readonly connection: string;
  readonly method: string;
  readonly path: string;
  readonly headers: RequestHeaders;
  readonly format: WireFormat;
  readonly model: string | null;
  readonly streamed: boolean | null;
  /** Null where the request is no conversation, or one that could not be read. */
  readonly messages: readonly Message[] | null;
  readonly requestBytes: number;
  readonly startedAt: Date;
}

export interface OpenRecord {
  readonly id: string;
  readonly sessionId: string;
  readonly principalId: string;
  /** The request's messages, masked. */
  readonly messages: readonly Message[];
  readonly masking: MaskTally;
}

/** How the relay ended. */
export interface ExchangeEnd {
  readonly status: Exclude<ExchangeStatus, "open">;
  readonly httpStatus: number | null;
  readonly firstByteAt: Date | null;
  readonly responseBytes: number;
  readonly upstreamRequestId: string | null;
  readonly answer: RecordedAnswer | null;
  readonly error: string | null;
}

export interface FinishedExchange {
  readonly exchangeId: string;
  readonly sessionId: string;
  readonly principalId: string;
  readonly finishedAt: Date;
  readonly suggestions: readonly Suggestion[];
}

/** The same content gets the same hash, and only for who has the key. */
const hashed = (key: Uint8Array, list: readonly Message[]): readonly HashedMessage[] =>
  list.map((message) => ({
    ...message,
    hash: createHmac("sha256", key)
      .update(JSON.stringify([message.role, message.parts]))
      .digest(),
  }));

/**
 * Writes session, exchange and request messages.
 * @param refused why the request goes no further; null opens the exchange
 */
export async function beginRecord(
  deps: RecordDependencies,
  start: ExchangeStart,
  refused: { readonly httpStatus: number; readonly error: string } | null,
): Promise<OpenRecord> {
  const masking = createMaskTally(deps.mask);
  const hints = readClientHints(start.headers);
  const messages = masking.messages(start.messages ?? []);
  const userAgent = start.headers["user-agent"];
  const values = {
    path: masking.line(start.path) ?? "",
    model: masking.line(start.model, 100),
    interaction: masking.line(hints.interaction),
    agentTask: masking.line(hints.agentTask),
    parentAgent: masking.line(hints.parentAgent),
    initiator: masking.line(hints.initiator),
    userAgent: masking.line(typeof userAgent === "string" ? userAgent : null) ?? "",
    error: masking.line(refused?.error ?? null),
  };
  const clientKey =
    start.messages === null
      ? ungroupedKey(hints)
      : sessionKey({ hints, processId: readProcessId(start.headers), messages, key: deps.recordKey });
  const session = { client: hints.client, clientKey: masking.text(clientKey), title: sessionTitle(messages) };

  const sessionId = await deps.db.transaction(async (tx) => {
    const sessionId = await upsertSession(tx, {
      id: newId(),
      principalId: start.principal.id,
      connection: start.connection,
      ...session,
      at: start.startedAt,
    });
    await insertExchange(tx, {
      id: start.id,
      sessionId,
      principalId: start.principal.id,
      connection: start.connection,
      format: start.format,
      method: start.method,
      ...values,
      status: refused === null ? "open" : "refused",
      streamed: start.streamed,
      startedAt: start.startedAt,
      finishedAt: refused === null ? null : deps.now(),
      httpStatus: refused?.httpStatus ?? null,
      requestBytes: start.requestBytes,
      masked: masking.counts,
    });
    const list = { sessionId, exchangeId: start.id, direction: "request" as const };
    await insertMessages(tx, { ...list, messages: hashed(deps.recordKey, messages) });
    return sessionId;
  });
  return { id: start.id, sessionId, principalId: start.principal.id, messages, masking };
}

const lengthOf = (list: readonly Message[]): number =>
  list
    .flatMap(({ parts }) => parts)
    .reduce((sum, part) => sum + (part.type === "tool_call" ? part.arguments : part.text).length, 0);

/** In the length of what is stored: the difference to what came would tell how long a masked secret is. */
function timingOfMasked({ messages, timing }: RecordedAnswer, masked: readonly Message[]): readonly TimingPoint[] {
  const [came, kept] = [lengthOf(messages), lengthOf(masked)];
  if (came === kept || came === 0) return timing;
  return timing.map(({ length, ms }) => ({ length: Math.round((length * kept) / came), ms }));
}

/** A finish ready to be written: masking is done once, also where writing has to be tried again. */
export interface PreparedFinish {
  readonly finished: FinishedExchange;
  write(): Promise<void>;
}

export function prepareFinish(deps: RecordDependencies, record: OpenRecord, end: ExchangeEnd): PreparedFinish {
  const { masking } = record;
  const messages = masking.messages(end.answer?.messages ?? []);
  const list = hashed(deps.recordKey, messages);
  const outcome = {
    status: end.status,
    httpStatus: end.httpStatus,
    model: masking.line(end.answer?.model ?? null, 100),
    firstByteAt: end.firstByteAt,
    finishedAt: deps.now(),
    responseBytes: end.responseBytes,
    inputTokens: end.answer?.inputTokens ?? null,
    outputTokens: end.answer?.outputTokens ?? null,
    upstreamRequestId: masking.line(end.upstreamRequestId),
    error: masking.line(end.error),
    masked: masking.counts,
    timing: end.answer === null ? undefined : timingOfMasked(end.answer, messages),
  };
  return {
    finished: {
      exchangeId: record.id,
      sessionId: record.sessionId,
      principalId: record.principalId,
      finishedAt: outcome.finishedAt,
      suggestions: extractSuggestions(messages, record.messages),
    },
    write: () =>
      deps.db.transaction(async (tx) => {
        if (!(await finishExchange(tx, record.id, outcome))) return;
        await insertMessages(tx, {
          sessionId: record.sessionId,
          exchangeId: record.id,
          direction: "response",
          messages: list,
        });
      }),
  };
}
