/**
 * The exchanges of one WebSocket. Each `response.create` is one of its own; the upstream answers those of one lane (`stream_id`, or none) one
 * after the other, so that an event belongs to the oldest of its lane that is still open.
 */
import { createAnswerTiming } from "../../copilot/answer-timing.ts";
import type { AnswerAssembler } from "../../copilot/endpoints/endpoint.ts";
import { createResponsesAssembler, endsResponse } from "../../copilot/endpoints/responses.ts";
import { parseObject, textOrNull } from "../../copilot/json-value.ts";
import type { Message } from "../../model/exchange.ts";
import { NOTHING, outcomeOf } from "./outcome.ts";
import type { ExchangeEnd } from "./record.ts";
import type { OpenRecord, Records } from "./records.ts";
import type { RelayEnd } from "./relay.ts";

export interface LaneExchange {
  readonly record: OpenRecord;
  /** The whole conversation that the model sees: with `previous_response_id`, more than this message said. Unmasked. */
  readonly conversation: readonly Message[];
  /** Ids of the answer work on other connections, too. */
  readonly keepsIds: boolean;
  readonly release: () => void;
}

export interface LanesDependencies {
  readonly records: Records;
  readonly claim: (ids: readonly string[]) => Promise<void>;
  /** The most bytes of an answer that are recorded. */
  readonly answerBytes: number;
  /** What the client gets is masked. */
  readonly answerMasked: boolean;
  readonly upstreamRequestId: string | null;
  readonly now: () => Date;
}

interface Open extends LaneExchange {
  readonly lane: string;
  readonly assembler: AnswerAssembler;
  readonly timing: ReturnType<typeof createAnswerTiming>;
  firstByteAt: Date | null;
  bytes: number;
  capped: boolean;
}

export interface Lanes {
  open(lane: string, exchange: LaneExchange): void;
  /** Takes a message of the upstream's. @returns the writing of a record, where the message is the end of its answer */
  take(text: string): Promise<void> | null;
  /** Ends whatever is open. */
  endAll(end: RelayEnd["end"], as?: Partial<ExchangeEnd>): Promise<void>;
  readonly isIdle: boolean;
  /** What the conversation was after a response of this very connection; null where it gave none by this id. */
  conversationAfter(responseId: string): readonly Message[] | null;
  issuedHere(id: string): boolean;
}

/** Responses whose conversation is remembered: a client continues the latest ones. */
const REMEMBERED = 8;
const MOST_IDS = 10_000;

export function createLanes(deps: LanesDependencies): Lanes {
  /** The oldest first. */
  let running: readonly Open[] = [];
  const conversations = new Map<string, readonly Message[]>();
  const issued = new Set<string>();

  async function settle(open: Open, end: RelayEnd["end"], as: Partial<ExchangeEnd> = {}): Promise<void> {
    const answer = { ...open.assembler.result(), capped: open.capped, timing: open.timing.points() };
    const ids = answer.issuedIds.slice(0, 200);
    for (const id of ids) if (issued.size < MOST_IDS) issued.add(id);
    const [responseId] = ids;
    if (responseId !== undefined && !open.capped) {
      conversations.set(responseId, [...open.conversation, ...answer.messages]);
      const [oldest] = conversations.keys();
      if (conversations.size > REMEMBERED && oldest !== undefined) conversations.delete(oldest);
    }
    try {
      await deps.claim(open.keepsIds ? ids : (answer.repeatedIds ?? []));
      await deps.records.settle(open.record, {
        ...NOTHING,
        ...outcomeOf({ end }, 200, answer),
        httpStatus: 101,
        upstreamRequestId: deps.upstreamRequestId,
        firstByteAt: open.firstByteAt,
        responseBytes: open.bytes,
        answer,
        answerMasked: deps.answerMasked,
        ...as,
      });
    } finally {
      open.release();
    }
  }

  function read(open: Open, text: string): boolean {
    open.firstByteAt ??= deps.now();
    open.bytes += Buffer.byteLength(text);
    if (open.bytes > deps.answerBytes) open.capped = true;
    const event = { type: "message", data: text };
    // The end is looked for in what is not kept any more, too.
    const isLast = ENDS.test(text) && endsResponse(event);
    if (open.capped && !isLast) return false;
    try {
      open.assembler.takeEvent(event);
      open.timing.note(open.assembler.length?.() ?? 0);
    } catch {
      open.capped = true;
    }
    return isLast;
  }

  return {
    open(lane, exchange) {
      const open: Open = {
        ...exchange,
        lane,
        assembler: createResponsesAssembler(),
        timing: createAnswerTiming(() => Math.round(performance.now())),
        firstByteAt: null,
        bytes: 0,
        capped: false,
      };
      running = [...running, open];
    },
    take(text) {
      const lane = text.includes('"stream_id"') ? (textOrNull(parseObject(text)["stream_id"]) ?? "") : "";
      // An upstream that knows nothing of lanes answers one after the other: what it says must not go unrecorded for that.
      const head = running.find((one) => one.lane === lane) ?? running[0];
      if (head === undefined || !read(head, text)) return null;
      running = running.filter((one) => one !== head);
      return settle(head, "whole");
    },
    async endAll(end, as) {
      const open = running;
      running = [];
      await Promise.all(open.map((one) => settle(one, end, as)));
    },
    get isIdle() {
      return running.length === 0;
    },
    conversationAfter: (responseId) => conversations.get(responseId) ?? null,
    issuedHere: (id) => issued.has(id),
  };
}

const ENDS = /"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed|cancelled)|error)"/;
