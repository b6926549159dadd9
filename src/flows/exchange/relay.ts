/** Passes an answer on to the client: bytes unchanged, back-pressure kept, the recorder reading along. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AnswerRecorder } from "../../copilot/answer-recorder.ts";

export interface RelayEnd {
  /** `whole`: every byte came and went; `cut`: the upstream stopped in the middle; `client_gone`: nobody reads any more. */
  readonly end: "whole" | "cut" | "client_gone";
  readonly bytes: number;
  readonly firstByteAt: Date | null;
}

export interface Relay {
  readonly answer: IncomingMessage;
  readonly response: ServerResponse;
  readonly recorder: AnswerRecorder;
  readonly streamed: boolean;
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
export function relayAnswer({ answer, response, recorder, streamed, now, settle }: Relay): Promise<void> {
  let bytes = 0;
  let firstByteAt: Date | null = null;
  /** The record's writing, once it has begun; it may go on after the client has been given what it waited for. */
  let settling: Promise<void> | null = null;
  let waiting = false;
  /** The last chunk of a plain body is known only when the body ends; of a stream, its last event tells. */
  let held: Buffer | null = null;

  const settleOnce = (end: RelayEnd["end"]): Promise<void> => (settling ??= settle({ end, bytes, firstByteAt }));

  function pass(chunk: Buffer): void {
    const next = streamed ? chunk : held;
    if (!streamed) held = chunk;
    // Writing to a client that has left would be an error; its `close` event ends the relay.
    if (next !== null && !response.destroyed && !response.write(next)) answer.pause();
  }

  return new Promise<void>((resolve, reject) => {
    let ended = false;
    const endOnce = (end: RelayEnd["end"], close: () => void): void => {
      if (ended) return;
      ended = true;
      const work = async () => {
        await settleOnce(end);
        close();
      };
      work().then(resolve, reject);
    };
    const passLast = async (chunk: Buffer): Promise<void> => {
      waiting = true;
      answer.pause();
      await settleOnce("whole");
      waiting = false;
      pass(chunk);
      if (!response.writableNeedDrain) answer.resume();
    };

    response.on("drain", () => {
      if (!waiting) answer.resume();
    });
    response.once("close", () => {
      answer.destroy();
      endOnce("client_gone", () => {});
    });
    answer.on("data", (chunk: Buffer) => {
      firstByteAt ??= now();
      bytes += chunk.length;
      if (settling !== null || !recorder.take(chunk)) return pass(chunk);
      passLast(chunk).catch(reject);
    });
    answer.once("end", () => endOnce("whole", () => response.end(held ?? undefined)));
    // A broken answer is never ended as if it were whole: the client sees it break, too.
    const breakOff = () => endOnce("cut", () => response.destroy());
    answer.once("error", breakOff);
    answer.once("close", breakOff);
    if (response.destroyed) {
      answer.destroy();
      endOnce("client_gone", () => {});
    }
  });
}
