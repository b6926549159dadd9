/**
 * Reads an answer along as it passes. The client comes first: bytes are looked at for the signs of an end alone, and what they say is put
 * together where no stream waits for it, some kilobytes at a time. It stops at a cap: the client's bytes do not depend on it.
 */
import type { AnswerSummary } from "./answer-reader.ts";
import type { ConversationFormat } from "./endpoints/endpoint.ts";
import { createBodyDecoder, readEncoding } from "./streams/decode-body.ts";
import { SseParser, type SseEvent } from "./streams/sse.ts";
import { type AnswerPieces, createWaitingBytes } from "./streams/waiting-bytes.ts";

/** Who puts the answer together. */
export interface AnswerSink {
  /** Resolves when they have been read. */
  read(pieces: AnswerPieces): Promise<void>;
  /** Called once, as the last. @param capped more of it has come, and is not on record */
  finish(capped: boolean): Promise<AnswerSummary>;
}

export interface AnswerRecorder {
  /**
   * Takes bytes that came just now.
   * @returns true when these bytes hold the last event of the stream; a promise of it where they have to be unpacked first, or where so much
   * waits to be read that the upstream should
   */
  take(chunk: Buffer, cameMs: number): boolean | Promise<boolean>;
  /** The answer as far as it came; what it said stays with the sink. Call it once. */
  finish(): Promise<AnswerSummary>;
}

export interface AnswerRecorderOptions {
  readonly streamed: boolean;
  /** The most bytes of an answer that are read. */
  readonly maxBytes: number;
  /** `Content-Encoding`, as it came. */
  readonly encoding?: string | undefined;
  readonly endsStream?: ConversationFormat["endsStream"];
}

/** One of these stands in the last event of every wire's streams, or names its type. Elsewhere they cost an early look. */
const SIGNS = /\[DONE\]|message_stop|response\.(?:completed|incomplete|failed|cancelled)|error/;
const hasSign = ({ type, data }: SseEvent): boolean => SIGNS.test(data) || SIGNS.test(type);
/** A sign that is cut in two by a chunk's end is found by as much of the one before. */
const LONGEST_SIGN = "response.incomplete".length;
/** So many bytes are handed over at once: to hand over less takes as long. */
const HANDED_OVER = 16 * 1024;
/** So many may be on their way to the reader before the upstream has to wait for it. */
const MOST_UNREAD = 1024 * 1024;

export function createAnswerRecorder(sink: AnswerSink, options: AnswerRecorderOptions): AnswerRecorder {
  const { streamed, maxBytes } = options;
  const endsStream = streamed ? options.endsStream : undefined;
  const waiting = createWaitingBytes();
  let seen = 0;
  let unread = 0;
  let reading: Promise<void> = Promise.resolve();
  const encoding = readEncoding(options.encoding);
  const decoder = encoding === null || encoding === "identity" ? null : createBodyDecoder(encoding, maxBytes);
  let capped = encoding === null;
  /** Reads an event that may be the last, or whose beginning has been handed over. */
  let near: SseParser | null = null;
  let hasEnded = false;

  function handOver(): void {
    if (near === null && endsStream !== undefined && waiting.begun.length > 0) comeNear(waiting.begun);
    const pieces = waiting.takeAll();
    if (pieces === null) return;
    reading = readBy(pieces);
  }

  async function readBy(pieces: AnswerPieces): Promise<void> {
    const { length } = pieces.bytes;
    unread += length;
    try {
      await sink.read(pieces);
    } catch {
      capped = true;
    }
    unread -= length;
  }

  function stop(): void {
    handOver();
    capped = true;
    near = null;
  }

  /** @returns whether one of the events that these bytes complete is the last */
  function comeNear(bytes: Uint8Array): boolean {
    near ??= new SseParser(Number.POSITIVE_INFINITY);
    const events = near.push(bytes);
    if (!near.isWithinEvent) near = null;
    return events.some((event) => hasSign(event) && endsStream?.(event) === true);
  }

  function holdsEnd(chunk: Buffer): boolean {
    if (endsStream === undefined || hasEnded) return false;
    if (near !== null) hasEnded = comeNear(chunk);
    else if (SIGNS.test(waiting.latest(LONGEST_SIGN))) hasEnded = comeNear(waiting.begunAndLatest);
    return hasEnded;
  }

  function takePlain(chunk: Buffer, cameMs: number): boolean | Promise<boolean> {
    if (chunk.length === 0 || capped) return false;
    seen += chunk.length;
    if (seen > maxBytes) {
      stop();
      return false;
    }
    waiting.add(chunk, Math.round(cameMs));
    const isLast = holdsEnd(chunk);
    if (waiting.size >= HANDED_OVER) handOver();
    return unread <= MOST_UNREAD ? isLast : reading.then(() => isLast);
  }

  async function takePacked(unpacking: Promise<Buffer>, cameMs: number): Promise<boolean> {
    const isLast = await takePlain(await unpacking, cameMs);
    // What came until then is kept.
    if (decoder?.failure !== null) stop();
    return isLast;
  }

  return {
    take: (chunk, cameMs) =>
      decoder === null || capped ? takePlain(chunk, cameMs) : takePacked(decoder.push(chunk), cameMs),
    async finish() {
      // A stream has said that it ended before its packing has: that the rest has not come yet is no failure.
      if (decoder !== null && !capped) await takePlain(await decoder.end(), performance.now());
      handOver();
      return await sink.finish(capped);
    },
  };
}
