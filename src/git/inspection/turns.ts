import { setImmediate as nextTurn } from "node:timers/promises";

/** How long one push may keep the event loop: other people's streams run in this process too. */
const TURN_MS = 4;

/** Looked at between two small pieces of work: `if (turns.due) await turns.take()`. */
export class Turns {
  readonly #signal: AbortSignal | undefined;
  #since = performance.now();

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  get due(): boolean {
    return performance.now() - this.#since > TURN_MS;
  }

  /** Lets others have a turn. @throws the signal's reason, once it is aborted */
  async take(): Promise<void> {
    await nextTurn();
    this.#signal?.throwIfAborted();
    this.#since = performance.now();
  }
}
