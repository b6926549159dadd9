/**
 * A token bucket: so many requests a minute on average, and a minute's worth of them at once. What is refused costs nothing, so whoever
 * asks too often is served at the pace that is theirs.
 */
export interface TokenBucket {
  readonly tokens: number;
  /** When there were so many, in milliseconds. */
  readonly atMs: number;
}

const MINUTE_MS = 60_000;

/** @returns the bucket afterwards, and the milliseconds until there is a token; 0: one was taken */
export function takeToken(
  bucket: TokenBucket | null,
  perMinute: number,
  nowMs: number,
): { readonly bucket: TokenBucket; readonly waitMs: number } {
  // A clock that is set back fills nothing, and takes nothing away.
  const passedMs = bucket === null ? 0 : Math.max(0, nowMs - bucket.atMs);
  const tokens = bucket === null ? perMinute : Math.min(perMinute, bucket.tokens + (passedMs * perMinute) / MINUTE_MS);
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, atMs: nowMs }, waitMs: 0 };
  return { bucket: { tokens, atMs: nowMs }, waitMs: Math.ceil(((1 - tokens) * MINUTE_MS) / perMinute) };
}
