/** What all benchmarks share: their options, and what they measure. */

export interface BenchOptions {
  /** Times that everything is measured; what is told are medians. */
  readonly rounds: number;
  /** Ends everything; what was started is stopped and removed all the same. */
  readonly signal: AbortSignal;
  /** The variable that finds git and node. */
  readonly searchPath: string;
  readonly progress: (text: string) => void;
}

/** The same thing without the gateway and with it. */
export type Way = "direct" | "through";
export const WAYS: readonly Way[] = ["direct", "through"];

/** Who goes first alternates, so that neither always finds the machine warm. */
export const inTurn = (round: number): readonly Way[] => (round % 2 === 0 ? WAYS : WAYS.toReversed());

/** Bytes; null where they cannot be known. */
export interface MemoryUse {
  readonly gatewayAboveIdle: number | null;
  readonly gitChildren: number | null;
}

export interface Comparison extends MemoryUse {
  readonly what: string;
  /** Milliseconds, one for each time. */
  readonly direct: readonly number[];
  readonly through: readonly number[];
  /** The most that the median may take with the gateway: so many milliseconds more, or so many times as long. */
  readonly wanted: { readonly addedMs: number } | { readonly ratio: number } | null;
}

export interface Transfer extends MemoryUse {
  readonly what: string;
  /** Bytes in a second, one for each time. */
  readonly direct: readonly number[];
  readonly through: readonly number[];
}

/** How long the chunks of a Copilot stream take from the upstream's write to the client's read. */
export interface StreamDelays {
  readonly what: string;
  /** Milliseconds, one for each chunk. */
  readonly delays: readonly number[];
}

export interface Results {
  readonly comparisons: readonly Comparison[];
  readonly transfers: readonly Transfer[];
  readonly streams: readonly StreamDelays[];
}

export interface Benchmark {
  readonly name: string;
  /** Runs only where it is asked for: it needs much disk and time. */
  readonly isBig: boolean;
  /** @throws Error when anything does not arrive as it was sent: a benchmark of failures would look fast */
  run(options: BenchOptions): Promise<Partial<Results>>;
}
