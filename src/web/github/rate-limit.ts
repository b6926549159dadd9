/** How often somebody may do something, in this process alone. */
export interface RateLimit {
  isReached(key: string): boolean;
  count(key: string): void;
}

const MAX_KEYS = 10_000;

export function createRateLimit(options: {
  readonly limit: number;
  readonly windowMs: number;
  readonly now: () => Date;
}): RateLimit {
  const counts = new Map<string, { count: number; readonly until: number }>();
  const current = (key: string) => {
    const entry = counts.get(key);
    return entry !== undefined && entry.until > options.now().getTime() ? entry : null;
  };
  return {
    isReached: (key) => (current(key)?.count ?? 0) >= options.limit,
    count: (key) => {
      const entry = current(key);
      if (entry !== null) {
        entry.count += 1;
        return;
      }
      // The oldest first: a map keeps the order in which its keys came.
      counts.delete(key);
      const [oldest] = counts.keys();
      if (counts.size >= MAX_KEYS && oldest !== undefined) counts.delete(oldest);
      counts.set(key, { count: 1, until: options.now().getTime() + options.windowMs });
    },
  };
}
