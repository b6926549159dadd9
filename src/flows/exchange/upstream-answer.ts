/** An upstream's answer: its head, and its body as it comes. */
import type { AnswerHead } from "../../copilot/streams/http-answer.ts";

/** Who hears a body. Nothing comes after `end` or `cut`, and nothing while it is paused. */
export interface AnswerReader {
  /** @param chunk is the reader's to keep */
  take(chunk: Buffer): void;
  /** All of it has come. */
  end(): void;
  /** The upstream broke off. */
  cut(): void;
}

export interface UpstreamAnswer extends AnswerHead {
  /** Begins to read; called once. What has come already is handed over before it returns. */
  read(reader: AnswerReader): void;
  /** The upstream is not read for a while. */
  pause(): void;
  resume(): void;
  /** Reads no more of it. The reader hears nothing of that. */
  destroy(): void;
}

/** For an answer of which only the head counts. */
export function drainAnswer(answer: UpstreamAnswer): void {
  answer.read({ take: () => {}, end: () => {}, cut: () => {} });
}

/** The whole body; null where it is larger than `max` bytes, or was broken off (`stop` breaks it off, too). */
export function readAnswerBody(answer: UpstreamAnswer, max: number, stop: AbortSignal): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const end = (body: Buffer | null): void => {
      stop.removeEventListener("abort", giveUp);
      if (body === null) answer.destroy();
      resolve(body);
    };
    const giveUp = (): void => end(null);
    stop.addEventListener("abort", giveUp, { once: true });
    if (stop.aborted) return giveUp();
    answer.read({
      take: (chunk) => {
        size += chunk.length;
        if (size > max) return giveUp();
        chunks.push(chunk);
      },
      end: () => end(Buffer.concat(chunks)),
      cut: giveUp,
    });
  });
}
