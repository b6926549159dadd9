/**
 * Reads an answer as it passes, and puts it together again. The client comes first: bytes are looked at for the signs of an end alone
 * while they pass, and read a little later, some of them at a time. It holds a few kilobytes of a stream and the assembled text, and
 * stops reading at a cap: the client's bytes do not depend on it.
 */
import type { TimingPoint } from "../model/answer-timing.ts";
import { createAnswerTiming } from "./answer-timing.ts";
import type { AnswerAssembler, AssembledAnswer } from "./endpoints/endpoint.ts";
import { createBodyDecoder, readEncoding } from "./streams/decode-body.ts";
import { SseParser } from "./streams/sse.ts";
import { createWaitingBytes } from "./streams/waiting-bytes.ts";

export interface RecordedAnswer extends AssembledAnswer {
  /** Not all of the answer could be read: it was longer than what is recorded of one, or in an unknown encoding. */
  readonly capped: boolean;
  /** How it came; empty where it did not stream. */
  readonly timing: readonly TimingPoint[];
}

export interface AnswerRecorder {
  /**
   * Takes bytes that came just now, and reads them when {@link read} is called or something in them may be the end.
   * @returns true when these bytes hold the last event of the stream; a promise of it where they have to be unpacked first
   */
  take(chunk: Buffer, cameMs: number): boolean | Promise<boolean>;
  /** Bytes that wait to be read. */
  readonly waiting: number;
  /** Reads what waits. */
  read(): void;
  /** The answer as far as it came. Call it once. */
  finish(): Promise<RecordedAnswer>;
}

export interface AnswerRecorderOptions {
  readonly streamed: boolean;
  /** The most bytes of an answer that are read. */
  readonly maxBytes: number;
  /** `Content-Encoding`, as it came. */
  readonly encoding?: string | undefined;
}

/** One of these stands in the last event of every wire's streams, or names its type. Elsewhere they cost an early look. */
const SIGNS = /\[DONE\]|message_stop|response\.(?:completed|incomplete|failed|cancelled)|error/;
/** A sign that is cut in two by a chunk's end is found by as much of the one before. */
const LONGEST_SIGN = "response.incomplete".length;

export function createAnswerRecorder(assembler: AnswerAssembler, options: AnswerRecorderOptions): AnswerRecorder {
  const { streamed, maxBytes } = options;
  const parser = new SseParser(maxBytes);
  let atMs = 0;
  const timing = createAnswerTiming(() => atMs);
  const waiting = createWaitingBytes();
  /** Of an answer that does not stream: all of it, as it came. */
  let whole: Buffer[] = [];
  let seen = 0;
  const encoding = readEncoding(options.encoding);
  const decoder = encoding === null || encoding === "identity" ? null : createBodyDecoder(encoding, maxBytes);
  let capped = encoding === null;
  /** An event that may be the last has begun. */
  let isNearEnd = false;
  let hasEnded = false;

  function stop(): void {
    capped = true;
    waiting.clear();
    whole = [];
  }

  function read(): void {
    if (!streamed) return;
    try {
      waiting.takeAll((chunk, cameMs) => {
        for (const event of parser.push(chunk)) if (assembler.takeEvent(event)) hasEnded = true;
        atMs = cameMs;
        if (assembler.length !== undefined) timing.note(assembler.length());
      });
    } catch {
      // Whatever an upstream may send that the assembler stumbles over: the client's answer goes on, the record ends here.
      stop();
    }
  }

  function readBody(): void {
    try {
      assembler.takeBody(JSON.parse(Buffer.concat(whole).toString("utf8")));
    } catch {
      // Not JSON: the assembler stays empty, and the outcome `unfinished`.
    }
    whole = [];
  }

  function takePlain(chunk: Buffer, cameMs: number): boolean {
    if (chunk.length === 0) return false;
    seen += chunk.length;
    if (capped || seen > maxBytes) {
      read();
      stop();
      return false;
    }
    if (!streamed) {
      whole.push(chunk);
      return false;
    }
    waiting.add(chunk, Math.round(cameMs));
    if (!isNearEnd && !SIGNS.test(waiting.latest(LONGEST_SIGN))) return false;
    const before = hasEnded;
    read();
    isNearEnd = parser.isWithinEvent;
    return hasEnded && !before;
  }

  async function takePacked(unpacking: Promise<Buffer>, cameMs: number): Promise<boolean> {
    const isLast = takePlain(await unpacking, cameMs);
    // What came until then is kept.
    if (decoder?.failure !== null) {
      read();
      stop();
    }
    return isLast;
  }

  return {
    take: (chunk, cameMs) =>
      decoder === null || capped ? takePlain(chunk, cameMs) : takePacked(decoder.push(chunk), cameMs),
    get waiting() {
      return waiting.size;
    },
    read,
    async finish() {
      // A stream has said that it ended before its packing has: that the rest has not come yet is no failure.
      if (decoder !== null && !capped) takePlain(await decoder.end(), performance.now());
      if (streamed) read();
      else if (!capped) readBody();
      return { ...assembler.result(), capped: capped || parser.overflowed, timing: timing.points() };
    },
  };
}
