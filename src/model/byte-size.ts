const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** As people write it: `512`, `64KiB` (1,024 bytes each), `10MB` (1,000,000 bytes each), `2 GiB`, `1.5GB`. */
export const BYTE_SIZE_PATTERN = /^(\d{1,12}(?:\.\d{1,3})?)(?: ?([KMGT]i?B|kB|B))?$/;

/** Bytes, or null if the text is no size or is more than can be counted exactly. */
export function parseByteSize(text: string): number | null {
  const match = BYTE_SIZE_PATTERN.exec(text);
  const unit = UNIT_BYTES[(match?.[2] ?? "").toLowerCase()];
  if (match === null || unit === undefined) return null;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** The same number for people, exact where it is round: `10 MB`, `64 KiB`, `512 bytes`. */
export function formatByteSize(bytes: number): string {
  for (const [unit, name] of [
    [2 ** 30, "GiB"],
    [1e9, "GB"],
    [2 ** 20, "MiB"],
    [1e6, "MB"],
    [2 ** 10, "KiB"],
    [1e3, "kB"],
  ] as const) {
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit} ${name}`;
  }
  return bytes === 1 ? "1 byte" : `${bytes} bytes`;
}
