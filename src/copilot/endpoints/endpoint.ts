/** What a wire format has to be able to do. One file a format; the list of them is `registry.ts`. */
import type { Result } from "../../errors.ts";
import type { Message, WireFormat } from "../../model/exchange.ts";
import type { SseEvent } from "../streams/sse.ts";

export interface Endpoint {
  readonly format: WireFormat;
  /** @param path below the connection, beginning with `/`, without the query */
  matches(method: string, path: string): boolean;
  /** Absent: the request has no body to read, and there is no conversation to record (`GET /models`). */
  readonly conversation?: ConversationFormat;
}

export interface ConversationFormat {
  /** @returns the request in the common form, or one line that says what is wrong with it */
  parseRequest(json: unknown): Result<ParsedRequest, string>;
  /** A new, empty assembler for one answer. */
  assembleAnswer(): AnswerAssembler;
}

export interface ParsedRequest {
  readonly model: string | null;
  readonly streamed: boolean;
  /** The whole conversation as it was sent: parameters, system prompt, tools, then the messages. */
  readonly messages: readonly Message[];
  /**
   * The name of a field by which the request points at something that the upstream keeps (`previous_response_id`, …).
   * Under a credential that many people share, such an id could be another person's.
   */
  readonly upstreamReference: string | null;
}

/** Puts an answer together again, from the events of a stream or from one body. Never throws: what it cannot read, it skips. */
export interface AnswerAssembler {
  /** @returns true when this event is the last one of the stream */
  takeEvent(event: SseEvent): boolean;
  takeBody(json: unknown): void;
  /** Characters of the answer so far: its texts, reasoning and tool arguments. Absent: how it came is not recorded. */
  readonly length?: () => number;
  result(): AssembledAnswer;
}

export interface AssembledAnswer {
  readonly messages: readonly Message[];
  readonly model: string | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** `unfinished`: the stream stopped before its own end; `failed`: the upstream said so within the stream. */
  readonly outcome: "finished" | "unfinished" | "failed";
  /** What the upstream said about its failure. Unmasked. */
  readonly error: string | null;
}
