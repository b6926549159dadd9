/**
 * What pushes ask of this machine just now: how many are read at once, and whether what can wait should.
 *
 * A push is received as fast as its client sends, which may be slowly; read it is as fast as the processor can. Fifty that are read
 * at once take as long as one after the other, with fifty times the memory, and whatever else the gateway does stands in the same
 * queue. So only receiving is free.
 */
export interface PushLoad {
  /** A push has begun; to be called when its verdict is recorded, or it ended otherwise. Safe to call again. */
  enter(): () => void;
  /** Runs `work` as soon as there is room, in the order of asking. */
  read<T>(work: () => Promise<T>): Promise<T>;
  /** Whether a push is on its way to its verdict. */
  isBusy(): boolean;
}

/** @param slots how many pushes are read at once */
export function createPushLoad(slots: number): PushLoad {
  const waiting: (() => void)[] = [];
  let free = slots;
  let entered = 0;
  return {
    enter: () => {
      entered += 1;
      let isIn = true;
      return () => {
        if (isIn) entered -= 1;
        isIn = false;
      };
    },
    read: async (work) => {
      if (free > 0) free -= 1;
      // Whoever ends hands the slot on: nobody can come in between.
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) free += 1;
        else next();
      }
    },
    isBusy: () => entered > 0,
  };
}
