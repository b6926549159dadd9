/**
 * Reads an answer as it passes, and puts it together again. The client comes first: bytes are looked at for the signs of an end alone
 * while they pass, and read a little later, some of them at a time. It holds a few kilobytes of a stream and the assembled text, and
 * stops reading at a cap: the client's bytes do not depend on it.
 */
import type { TimingPoint } from "../model/answer-timing.ts";
import { createAnswerTiming } from "./answer-timing.ts";
import type { AnswerAssembler, AssembledAnswer } from "./endpoints/endpoint.ts";
import { SseParser } from "./streams/sse.ts";

export interface RecordedAnswer extends AssembledAnswer {
  /** Not all of the answer could be read: it was longer than what is recorded of one, or in an unknown encoding. */
  readonly capped: boolean;
  /** How it came; empty where it did not stream. */
  readonly timing: readonly TimingPoint[];
}

export interface AnswerRecorder {
  /**
   * Takes bytes that came just now, and reads them when {@link read} is called or something in them may be the end.
   * @returns true when these bytes hold the last event of the stream
   */
  take(chunk: Buffer, cameMs: number): boolean;
  /** Bytes that wait to be read. */
  readonly waiting: number;
  /** Reads what waits. */
  read(): void;
  /** The answer as far as it came. */
  finish(): RecordedAnswer;
}

export interface AnswerRecorderOptions {
  readonly streamed: boolean;
  /** The most bytes of an answer that are read. */
  readonly maxBytes: number;
  /** The bytes cannot be read: their encoding is unknown. */
  readonly isUnreadable?: boolean;
}

/** One of these stands in the last event of every wire's streams, or names its type. Elsewhere they cost an early look. */
const SIGNS = /\[DONE\]|message_stop|response\.(?:completed|incomplete|failed)|error/;
/** A sign that is cut in two by a chunk's end is found by as much of the one before. */
const LONGEST_SIGN = "response.incomplete".length;

export function createAnswerRecorder(assembler: AnswerAssembler, options: AnswerRecorderOptions): AnswerRecorder {
  const { streamed, maxBytes } = options;
  const parser = new SseParser(maxBytes);
  let atMs = 0;
  const timing = createAnswerTiming(() => atMs);
  let waiting: { readonly chunk: Buffer; readonly atMs: number }[] = [];
  let waitingBytes = 0;
  let seen = 0;
  let capped = options.isUnreadable ?? false;
  /** The end of the chunk before, and whether an event that may be the last has begun. */
  let tail = "";
  let isNearEnd = false;
  let hasEnded = false;

  function stop(): void {
    capped = true;
    waiting = [];
    waitingBytes = 0;
  }

  function read(): void {
    if (!streamed) return;
    const chunks = waiting;
    waiting = [];
    waitingBytes = 0;
    try {
      for (const piece of chunks) {
        for (const event of parser.push(piece.chunk)) if (assembler.takeEvent(event)) hasEnded = true;
        atMs = Math.round(piece.atMs);
        if (assembler.length !== undefined) timing.note(assembler.length());
      }
    } catch {
      // Whatever an upstream may send that the assembler stumbles over: the client's answer goes on, the record ends here.
      stop();
    }
  }

  function readBody(): void {
    try {
      assembler.takeBody(JSON.parse(Buffer.concat(waiting.map(({ chunk }) => chunk)).toString("utf8")));
    } catch {
      // Not JSON: the assembler stays empty, and the outcome `unfinished`.
    }
    waiting = [];
  }

  return {
    take(chunk, cameMs) {
      seen += chunk.length;
      if (capped || seen > maxBytes) {
        read();
        stop();
        return false;
      }
      waiting.push({ chunk, atMs: cameMs });
      waitingBytes += chunk.length;
      if (!streamed) return false;
      const text = tail + chunk.toString("latin1");
      tail = text.slice(-LONGEST_SIGN);
      if (!isNearEnd && !SIGNS.test(text)) return false;
      const before = hasEnded;
      read();
      isNearEnd = parser.isWithinEvent;
      return hasEnded && !before;
    },
    get waiting() {
      return streamed ? waitingBytes : 0;
    },
    read,
    finish() {
      if (streamed) read();
      else if (!capped) readBody();
      return { ...assembler.result(), capped: capped || parser.overflowed, timing: timing.points() };
    },
  };
}
