/** Puts an answer together again, from the bytes in which it came. */
import type { TimingPoint } from "../model/answer-timing.ts";
import { createAnswerTiming } from "./answer-timing.ts";
import type { AnswerAssembler, AssembledAnswer } from "./endpoints/endpoint.ts";
import { SseParser } from "./streams/sse.ts";
import type { AnswerPieces } from "./streams/waiting-bytes.ts";

export interface RecordedAnswer extends AssembledAnswer {
  /** Not all of the answer could be read: it was longer than what is recorded of one, or in an unknown encoding. */
  readonly capped: boolean;
  /** How it came; empty where it did not stream. */
  readonly timing: readonly TimingPoint[];
}

/** All but what was said. */
export type AnswerSummary = Omit<RecordedAnswer, "messages" | "timing">;

export interface AnswerReader {
  read(pieces: AnswerPieces): void;
  /** The answer as far as it was read. Call it once. @param capped more of it has come */
  finish(capped: boolean): RecordedAnswer;
}

/** It reads whatever it is given: who hands it an answer says where to stop. */
export function createAnswerReader(assembler: AnswerAssembler, streamed: boolean): AnswerReader {
  const parser = new SseParser(Number.POSITIVE_INFINITY);
  let atMs = 0;
  const timing = createAnswerTiming(() => atMs);
  /** Of an answer that does not stream: all of it, as it came. */
  let whole: Uint8Array[] = [];
  let hasFailed = false;

  function readStream({ bytes, ends, moments }: AnswerPieces): void {
    let from = 0;
    for (const [index, to] of ends.entries()) {
      for (const event of parser.push(bytes.subarray(from, to))) assembler.takeEvent(event);
      from = to;
      atMs = moments[index] ?? atMs;
      if (assembler.length !== undefined) timing.note(assembler.length());
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

  return {
    read(pieces) {
      if (hasFailed) return;
      if (!streamed) {
        whole.push(pieces.bytes);
        return;
      }
      try {
        readStream(pieces);
      } catch {
        // Whatever an upstream may send that the assembler stumbles over: the client's answer goes on, the record ends here.
        hasFailed = true;
      }
    },
    finish(capped) {
      if (!streamed && !capped) readBody();
      return { ...assembler.result(), capped: capped || hasFailed, timing: timing.points() };
    },
  };
}
