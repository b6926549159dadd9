/** Passes an answer on to the client: bytes unchanged, back-pressure kept, the recorder reading along. */
import type { ServerResponse } from "node:http";
import type { AnswerStreamMask } from "../../copilot/answer-masking.ts";
import type { AnswerRecorder } from "../../copilot/answer-recorder.ts";
import { createAnswerWriter } from "./answer-writer.ts";
import type { UpstreamAnswer } from "./upstream-answer.ts";

export interface RelayEnd {
  /**
   * `whole`: every byte came and went; `cut`: the upstream stopped in the middle; `client_gone`: nobody reads any more;
   * `stopped`: the gateway ended it.
   */
  readonly end: "whole" | "cut" | "client_gone" | "stopped";
  readonly bytes: number;
  readonly firstByteAt: Date | null;
}

export interface Relay {
  readonly answer: UpstreamAnswer;
  /** Its head is written, and not sent yet. */
  readonly response: ServerResponse;
  readonly recorder: AnswerRecorder;
  readonly streamed: boolean;
  /** Null: the client gets the very bytes. */
  readonly rewriter: AnswerStreamMask | null;
  /** Ends it, as the kill switch does. */
  readonly stop: AbortSignal;
  readonly now: () => Date;
  /**
   * Writes the record. It is called once, before the last bytes go out: a client that has the whole answer has it from a
   * gateway that cannot lose it any more.
   */
  readonly settle: (end: RelayEnd) => Promise<void>;
}

/**
 * By events, not by iteration: a chunk goes out in the same turn in which it came in, and what came before an upstream broke off is
 * not lost in a buffer between the two. Resolves when the answer has ended, one way or another.
 */
export function relayAnswer(relay: Relay): Promise<void> {
  const { answer, response, recorder, streamed, rewriter, stop, now, settle } = relay;
  let bytes = 0;
  let firstByteAt: Date | null = null;
  /** The record's writing, once it has begun; it may go on after the client has been given what it waited for. */
  let settling: Promise<void> | null = null;
  /** A chunk is kept back until the record is there, or has been read. What comes of the upstream's end waits behind it. */
  let waiting = false;
  let endedMeanwhile: "whole" | "cut" | null = null;
  const writer = createAnswerWriter(response, {
    full: () => answer.pause(),
    drained: () => {
      if (!waiting && !writer.isFull) answer.resume();
    },
  });
  /** The last chunk of a plain body is known only when the body ends; of a stream, its last event tells. */
  let held: Buffer | null = null;
  let isHeadSent = false;

  const settleOnce = (end: RelayEnd["end"]): Promise<void> => (settling ??= settle({ end, bytes, firstByteAt }));

  function write(chunk: Buffer): void {
    isHeadSent ||= chunk.length > 0;
    writer.write(chunk);
  }

  return new Promise<void>((resolve, reject) => {
    let ended = false;
    const endOnce = (end: RelayEnd["end"], close: () => void): void => {
      if (ended) return;
      ended = true;
      stop.removeEventListener("abort", stopNow);
      const work = async () => {
        try {
          await settleOnce(end);
          close();
        } finally {
          writer.release();
        }
      };
      work().then(resolve, reject);
    };
    const finish = (end: "whole" | "cut"): void => {
      if (waiting) {
        endedMeanwhile = end;
        return;
      }
      endOnce(end, () => {
        // A broken answer is never ended as if it were whole: the client sees it break, too.
        if (end === "cut") return void response.destroy();
        if (rewriter !== null) write(rewriter.end());
        response.end(held ?? undefined);
      });
    };

    function pass(chunk: Buffer): void {
      if (rewriter !== null) {
        write(rewriter.push(chunk));
        // What is too large to be masked goes nowhere, and an answer without it is not whole.
        if (rewriter.hasFailed) {
          answer.destroy();
          finish("cut");
        }
        return;
      }
      if (streamed) return write(chunk);
      if (held !== null) write(held);
      held = chunk;
    }

    const goOn = (chunk: Buffer): void => {
      waiting = false;
      pass(chunk);
      if (!writer.isFull) answer.resume();
      if (endedMeanwhile !== null) finish(endedMeanwhile);
    };
    const passLast = async (chunk: Buffer): Promise<void> => {
      waiting = true;
      answer.pause();
      await settleOnce("whole");
      goOn(chunk);
    };
    /** A packed answer is unpacked for the record first, in another thread; and where reading does not keep up, nothing more is asked for. */
    const passRead = async (chunk: Buffer, reading: Promise<boolean>): Promise<void> => {
      waiting = true;
      answer.pause();
      if (await reading) return await passLast(chunk);
      goOn(chunk);
    };
    // The client is told at once: nothing of what it was being told may go on because a record takes its time.
    const stopNow = (): void => {
      answer.destroy();
      response.destroy();
      endOnce("stopped", () => {});
    };

    response.once("close", () => {
      answer.destroy();
      endOnce("client_gone", () => {});
    });
    // With the first bytes in one packet where they have come already, alone where they have not: no client waits for either.
    setImmediate(() => {
      if (!isHeadSent && !ended && !response.destroyed) response.flushHeaders();
    });
    stop.addEventListener("abort", stopNow, { once: true });
    if (stop.aborted) return stopNow();
    if (response.destroyed) {
      answer.destroy();
      return endOnce("client_gone", () => {});
    }
    answer.read({
      take: (chunk) => {
        firstByteAt ??= now();
        bytes += chunk.length;
        const last = settling === null && recorder.take(chunk, performance.now());
        if (last === false) {
          pass(chunk);
          return;
        }
        (last === true ? passLast(chunk) : passRead(chunk, last)).catch(reject);
      },
      end: () => finish("whole"),
      cut: () => finish("cut"),
    });
  });
}
