/**
 * Work that nobody waits for, done between what somebody waits for: a millisecond of it, then whatever has come in meanwhile,
 * then the next. Two hundred streams that are read along must not hold up one chunk of any of them.
 */
const SLICE_MS = 1;

export interface IdleWork {
  /** Runs it soon, in the order in which it came. It does not throw. */
  later(work: () => void): void;
}

export function createIdleWork(): IdleWork {
  let queue: (() => void)[] = [];
  let next = 0;
  let isScheduled = false;

  function run(): void {
    const until = performance.now() + SLICE_MS;
    while (next < queue.length) {
      queue[next]?.();
      next += 1;
      if (performance.now() >= until) break;
    }
    if (next < queue.length) {
      setImmediate(run);
      return;
    }
    queue = [];
    next = 0;
    isScheduled = false;
  }

  return {
    later(work) {
      queue.push(work);
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(run);
    },
  };
}
