/** What is put on record of an exchange, from what is known when it begins and when it ends. Everything is masked here. */
import type { RecordedAnswer } from "../../copilot/answer-reader.ts";
import {
  countPrompts,
  type Grouping,
  groupingOf,
  historiesAfter,
  type RequestHeaders,
  readClientHints,
  readProcessId,
  sessionTitle,
  ungroupedKey,
} from "../../copilot/sessions.ts";
import { extractSuggestions } from "../../copilot/suggestions.ts";
import type { TimingPoint } from "../../model/answer-timing.ts";
import type { ExchangeStatus, Message, Suggestion, ToolUse, WireFormat } from "../../model/exchange.ts";
import type { Principal } from "../../model/principal.ts";
import type { BeginEntry, FinishEntry } from "./entries.ts";
import { createMaskTally, type Mask, type MaskTally } from "./mask-messages.ts";
import type { MessageMasks } from "./masked-messages.ts";

export interface PrepareDependencies {
  readonly mask: Mask;
  readonly messageMasks: MessageMasks;
  /** Keys the hashes of messages and histories: without it a copy of the table does not confirm a guessed prompt. */
  readonly recordKey: Uint8Array;
  /** This gateway's own id. */
  readonly gateway: string;
  /** What an answer's tool calls reach for. */
  readonly findToolUses: (answer: readonly Message[]) => readonly ToolUse[];
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
  /** What its query and its headers say. */
  readonly head: readonly Message[];
  readonly format: WireFormat;
  readonly model: string | null;
  readonly streamed: boolean | null;
  /** Null where the request is no conversation, or one that could not be read. */
  readonly messages: readonly Message[] | null;
  /** The conversation's id, where the body names it. */
  readonly bodyConversation: string | null;
  /** What it is filed under: its conversation, the client's process, or nothing but the client. */
  readonly grouping: "history" | "process" | "none";
  readonly requestBytes: number;
  /** What goes to the upstream is masked as the record is. */
  readonly requestMasked: boolean;
  readonly startedAt: Date;
}

/** Why a request goes no further, as it is put on record. */
export interface RecordedRefusal {
  readonly httpStatus: number;
  readonly code: string;
  readonly message: string;
}

/** What the end of an exchange needs of its beginning. */
export interface BegunExchange {
  readonly id: string;
  readonly principalId: string;
  /** The request's messages, masked. */
  readonly messages: readonly Message[];
  /** The tool calls of its request, where it is the client that calls (MCP); of anything else, its answer's count. */
  readonly calls: readonly Message[];
  readonly grouping: Grouping;
  readonly tally: MaskTally;
}

/** How the relay ended. */
export interface ExchangeEnd {
  readonly status: Exclude<ExchangeStatus, "open">;
  readonly httpStatus: number | null;
  readonly firstByteAt: Date | null;
  readonly responseBytes: number;
  readonly upstreamRequestId: string | null;
  /** `read`: as it was read by the record's keeper. */
  readonly answer: RecordedAnswer | "read" | null;
  /** The code of a refusal: the gateway ended it. */
  readonly refusal: string | null;
  readonly answerMasked: boolean;
  readonly error: string | null;
}

export interface FinishedExchange {
  readonly exchangeId: string;
  readonly sessionId: string;
  readonly principalId: string;
  readonly finishedAt: Date;
  /** Masked, without the echo of the request. */
  readonly suggestions: readonly Suggestion[];
}

/** Ghost text is nobody's conversation: what it has in common is the editor that asked for it. */
const processKey = (processId: string | null): string | null => (processId === null ? null : `process:${processId}`);

/** @param refused why the request goes no further; null opens the exchange */
export async function prepareBegin(
  deps: PrepareDependencies,
  start: ExchangeStart,
  refused: RecordedRefusal | null,
): Promise<{ readonly entry: BeginEntry; readonly begun: BegunExchange }> {
  const tally = createMaskTally(deps.mask);
  const hints = readClientHints(start.headers);
  const messages = await deps.messageMasks.mask([...start.head, ...(start.messages ?? [])], tally);
  const userAgent = start.headers["user-agent"];
  const processId = readProcessId(start.headers);
  const { bodyConversation } = start;
  const grouping: Grouping =
    start.messages === null || start.grouping === "none"
      ? { kind: "named", clientKey: ungroupedKey(hints) }
      : start.grouping === "process"
        ? { kind: "named", clientKey: hints.conversation ?? processKey(processId) ?? ungroupedKey(hints) }
        : groupingOf({ hints, processId, bodyConversation, messages, key: deps.recordKey });
  const entry: BeginEntry = {
    kind: "begin",
    gateway: deps.gateway,
    session: { client: hints.client, title: sessionTitle(messages) },
    grouping: grouping.kind === "named" ? { kind: "named", clientKey: tally.text(grouping.clientKey) } : grouping,
    messages,
    exchange: {
      id: start.id,
      principalId: start.principal.id,
      connection: start.connection,
      format: start.format,
      method: start.method,
      path: tally.line(start.path) ?? "",
      model: tally.line(start.model, 100),
      interaction: tally.line(hints.interaction),
      agentTask: tally.line(hints.agentTask),
      parentAgent: tally.line(hints.parentAgent),
      initiator: tally.line(hints.initiator),
      turn: start.messages === null ? null : countPrompts(messages),
      userAgent: tally.line(typeof userAgent === "string" ? userAgent : null) ?? "",
      status: refused === null ? "open" : "refused",
      refusal: refused?.code ?? null,
      streamed: start.streamed,
      startedAt: start.startedAt,
      finishedAt: refused === null ? null : deps.now(),
      httpStatus: refused?.httpStatus ?? null,
      requestBytes: start.requestBytes,
      masked: { ...tally.counts },
      requestMasked: start.requestMasked,
      error: tally.line(refused?.message ?? null),
    },
  };
  const calls = start.format === "mcp" ? messages : [];
  return { entry, begun: { id: start.id, principalId: start.principal.id, messages, calls, grouping, tally } };
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

export async function prepareFinish(
  deps: PrepareDependencies,
  begun: BegunExchange,
  end: Omit<ExchangeEnd, "answer">,
  answer: RecordedAnswer | null,
): Promise<FinishEntry> {
  const { tally, grouping } = begun;
  const messages = await deps.messageMasks.mask(answer?.messages ?? [], tally);
  const asked = grouping.kind === "history" ? grouping.histories.at(-1) : undefined;
  return {
    kind: "finish",
    id: begun.id,
    principalId: begun.principalId,
    messages,
    suggestions: extractSuggestions(messages, begun.messages),
    toolUses: deps.findToolUses([...begun.calls, ...messages]),
    outcome: {
      status: end.status,
      httpStatus: end.httpStatus,
      model: tally.line(answer?.model ?? null, 100),
      firstByteAt: end.firstByteAt,
      finishedAt: deps.now(),
      responseBytes: end.responseBytes,
      inputTokens: answer?.inputTokens ?? null,
      outputTokens: answer?.outputTokens ?? null,
      cachedTokens: answer?.cachedTokens ?? null,
      upstreamRequestId: tally.line(end.upstreamRequestId),
      refusal: end.refusal,
      masked: { ...tally.counts },
      answerMasked: end.answerMasked,
      timing: answer === null ? [] : timingOfMasked(answer, messages),
      historyAfter: asked === undefined ? null : (historiesAfter(deps.recordKey, asked, messages).at(-1) ?? null),
      error: tally.line(end.error),
    },
  };
}
