/**
 * Reads an answer as it passes, and puts it together again. It never holds the bytes of a stream, only the event at hand and the
 * assembled text, and it stops reading at a cap: the client's bytes do not depend on it.
 */
import type { TimingPoint } from "../model/answer-timing.ts";
import { createAnswerTiming } from "./answer-timing.ts";
import type { AnswerAssembler, AssembledAnswer } from "./endpoints/endpoint.ts";
import { SseParser } from "./streams/sse.ts";

export interface RecordedAnswer extends AssembledAnswer {
  /** The answer was longer than what is recorded of one. */
  readonly capped: boolean;
  /** How it came; empty where it did not stream. */
  readonly timing: readonly TimingPoint[];
}

export interface AnswerRecorder {
  /** @returns true when these bytes hold the last event of the stream */
  take(chunk: Buffer): boolean;
  /** The answer as far as it was read. */
  finish(): RecordedAnswer;
}

/**
 * @param maxBytes the most bytes of an answer that are read
 * @param now milliseconds, from wherever
 */
export function createAnswerRecorder(
  assembler: AnswerAssembler,
  streamed: boolean,
  maxBytes: number,
  now: () => number,
): AnswerRecorder {
  const timing = createAnswerTiming(now);
  const parser = new SseParser(maxBytes);
  let body: Buffer[] = [];
  let seen = 0;
  let capped = false;

  function takeBody(): void {
    try {
      assembler.takeBody(JSON.parse(Buffer.concat(body).toString("utf8")));
    } catch {
      // Not JSON: the assembler stays empty, and the outcome `unfinished`.
    }
    body = [];
  }

  return {
    take(chunk) {
      seen += chunk.length;
      if (capped || seen > maxBytes) {
        capped = true;
        body = [];
        return false;
      }
      if (!streamed) {
        body.push(chunk);
        return false;
      }
      try {
        let last = false;
        for (const event of parser.push(chunk)) last = assembler.takeEvent(event) || last;
        if (assembler.length !== undefined) timing.note(assembler.length());
        return last;
      } catch {
        // Whatever an upstream may send that the assembler stumbles over: the client's answer goes on, the record ends here.
        capped = true;
        return false;
      }
    },
    finish() {
      if (!streamed && !capped) takeBody();
      return { ...assembler.result(), capped: capped || parser.overflowed, timing: timing.points() };
    },
  };
}
