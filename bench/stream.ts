/** Copilot streams that are read while something else goes on, one after the other. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

export type StreamCommand =
  { readonly kind: "start"; readonly url: string; readonly authorization: string } | { readonly kind: "stop" };

export type StreamEvent =
  | { readonly kind: "listening"; readonly url: string }
  | { readonly kind: "ended"; readonly delays: readonly number[] }
  | { readonly kind: "failed"; readonly message: string };

export interface Streams {
  /** Of the Copilot upstream itself, without a final slash. */
  readonly url: string;
  /**
   * Reads streams from `url` until `work` is over, and the last one to its end.
   * @returns what `work` returns, and the milliseconds that each chunk took
   */
  beside<T>(
    target: { readonly url: string; readonly authorization: string },
    work: () => Promise<T>,
  ): Promise<{ readonly result: T; readonly delays: readonly number[] }>;
  close(): Promise<void>;
}

export async function startStreams(): Promise<Streams> {
  // From dist/bench, where the build puts both files.
  const worker = new Worker(new URL("./stream-worker.js", import.meta.url));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread of Node, no window of a browser
  const send = (command: StreamCommand): void => worker.postMessage(command);
  const heard = async (): Promise<StreamEvent> => {
    const [event] = (await once(worker, "message")) as [StreamEvent];
    return event;
  };
  const first = await heard();
  if (first.kind !== "listening") throw new Error("the Copilot upstream did not start");
  return {
    url: first.url,
    beside: async ({ url, authorization }, work) => {
      const answer = heard();
      // Told below, where it is awaited; `work` may fail first.
      answer.catch(() => {});
      send({ kind: "start", url, authorization });
      let result;
      try {
        result = await work();
      } finally {
        send({ kind: "stop" });
      }
      const event = await answer;
      if (event.kind !== "ended") throw new Error(event.kind === "failed" ? event.message : "a stream did not end");
      return { result, delays: event.delays };
    },
    close: async () => {
      await worker.terminate();
    },
  };
}
