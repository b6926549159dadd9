import type { Logger } from "../model/log.ts";

/** Something that the gateway does by itself, again and again. */
export interface Loop {
  start(): void;
  /** Resolves when the round under way has ended; no other begins. */
  stop(): Promise<void>;
  /** Begins a round now, or right after the one under way. */
  wake(): void;
}

export interface LoopOptions {
  readonly name: string;
  /** Milliseconds between the end of a round and the start of the next. */
  readonly everyMs: number;
  /** One round. A failure is logged, and the next round comes as planned: a database that is away comes back. */
  readonly run: () => Promise<void>;
  readonly log: Logger;
}

/** A loop whose rounds never overlap, and which survives a failing round. */
export function createLoop(options: LoopOptions): Loop {
  let timer: NodeJS.Timeout | null = null;
  let round: Promise<void> | null = null;
  let isWoken = false;
  let isStopped = true;

  const schedule = (ms: number): void => {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(begin, ms);
  };

  const begin = (): void => {
    timer = null;
    isWoken = false;
    round = options
      .run()
      .catch((error: unknown) => {
        options.log.error({ job: options.name, error }, "a job's round failed; it will be tried again");
      })
      .finally(() => {
        round = null;
        if (!isStopped) schedule(isWoken ? 0 : options.everyMs);
      });
  };

  return {
    start: () => {
      isStopped = false;
      schedule(0);
    },
    stop: async () => {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      timer = null;
      await round;
    },
    wake: () => {
      isWoken = true;
      if (!isStopped && round === null) schedule(0);
    },
  };
}
