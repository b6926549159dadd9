/** What a wire format has to be able to do. One file a format; the list of them is `registry.ts`. */
import type { Result } from "../../errors.ts";
import type { Message, WireFormat } from "../../model/exchange.ts";
import type { SseEvent } from "../streams/sse.ts";

export interface Endpoint {
  readonly format: WireFormat;
  /** @param path below the connection, beginning with `/`, without the query */
  matches(method: string, path: string): boolean;
  /**
   * `inference`: keeps no state upstream, and is relayed unless a line of `paths` refuses it.
   * `named`: relayed only where a line of `paths` says so.
   * `telemetry`: never relayed as it comes.
   */
  readonly access: "inference" | "named" | "telemetry";
  /** Served by the ghost-text host. */
  readonly host?: "proxy";
  /** What its exchanges are filed under: the conversation, the client's process, or nothing but the client. */
  readonly grouping: "history" | "process" | "none";
  /** Absent: the request has no body to read, and there is no conversation to record (`GET /models`). */
  readonly conversation?: ConversationFormat;
  /** Absent: answers go to the client as they came. Given: they are small, read whole, and changed on their way. */
  readonly rewrite?: (body: Buffer, websocket: "relay" | "refuse") => Buffer;
}

export interface ConversationFormat {
  /** `json`, the default: anything else is refused. `any`: text is kept as text, and what is neither as its size and hash. */
  readonly body?: "json" | "any";
  /** @returns the request in the common form, or one line that says what is wrong with it */
  readonly parseRequest: (json: unknown) => Result<ParsedRequest, string>;
  /** A new, empty assembler for one answer. */
  readonly assembleAnswer: () => AnswerAssembler;
  /** Whether an event is the last one of its stream. Absent: only the end of its bytes tells. */
  readonly endsStream?: (event: SseEvent) => boolean;
}

export interface ParsedRequest {
  readonly model: string | null;
  readonly streamed: boolean | null;
  /** The whole conversation as it was sent: parameters, system prompt, tools, then the messages. */
  readonly messages: readonly Message[];
  /** What it points at that the upstream keeps. Under a credential that many people share, it could be another person's. */
  readonly references: readonly UpstreamReference[];
  /** It asks the upstream to keep what it answers: ids in the answer can be used later. */
  readonly keepsIds: boolean;
  /** Tools that the request itself calls (MCP). */
  readonly calls?: readonly string[];
}

export interface UpstreamReference {
  /** The field by which it is named. */
  readonly field: string;
  readonly id: string;
}

/** Puts an answer together again, from the events of a stream or from one body. Never throws: what it cannot read, it skips. */
export interface AnswerAssembler {
  takeEvent(event: SseEvent): void;
  takeBody(json: unknown): void;
  /** Characters of the answer so far: its texts, reasoning and tool arguments. Absent: how it came is not recorded. */
  readonly length?: () => number;
  result(): AssembledAnswer;
}

export interface AssembledAnswer {
  readonly messages: readonly Message[];
  readonly model: string | null;
  /** All tokens of the request, those that came from a cache included. */
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** Those of the request that were read from the upstream's cache. */
  readonly cachedTokens: number | null;
  /** Ids by which the upstream will know something that it keeps of this exchange. */
  readonly issuedIds: readonly string[];
  /**
   * Ids of what a client sends again with each request, also where the upstream was asked to keep nothing: reasoning without its ciphertext.
   * Absent: none.
   */
  readonly repeatedIds?: readonly string[];
  /** `unfinished`: the stream stopped before its own end; `failed`: the upstream said so within the stream. */
  readonly outcome: "finished" | "unfinished" | "failed";
  /** What the upstream said about its failure. Unmasked. */
  readonly error: string | null;
}

/** An answer of which nothing is kept but that it came. */
export const EMPTY_ANSWER: AssembledAnswer = {
  messages: [],
  model: null,
  inputTokens: null,
  outputTokens: null,
  cachedTokens: null,
  issuedIds: [],
  outcome: "finished",
  error: null,
};
