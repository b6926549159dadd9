const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** As people write it: `60s`, `5m`, `24h`, `400d`, `0s`. */
const DURATION_PATTERN = /^(\d{1,9})([smhd])$/;

/** Milliseconds, or null if the text is no duration. */
export function parseDuration(text: string): number | null {
  const match = DURATION_PATTERN.exec(text);
  const unit = UNIT_MS[match?.[2] ?? ""];
  return match === null || unit === undefined ? null : Number(match[1]) * unit;
}

/** The other way round, in the largest unit that leaves nothing over. */
export function formatDuration(ms: number): string {
  const [unit, size] = Object.entries(UNIT_MS).findLast(([, length]) => ms >= length && ms % length === 0) ?? [
    "s",
    1_000,
  ];
  return `${Math.round(ms / size)}${unit}`;
}
