/**
 * Bytes of a stream that wait to be read, each piece with the moment at which it came. They are copied: what a socket hands out is a buffer
 * of its own for each packet, and thousands of those that live for some milliseconds are most of what a collector of garbage has to do. For
 * its sake, too, the lists are written over and not made anew.
 */
export interface WaitingBytes {
  /** @param cameMs a whole number */
  add(piece: Buffer, cameMs: number): void;
  /** How many there are. */
  readonly size: number;
  /** The piece that came last and up to `before` bytes before it, read or not (at most {@link MOST_BEFORE}), as Latin-1: one character a byte. */
  latest(before: number): string;
  /** Hands out the pieces as they came; a piece is valid until `take` returns. Where it throws, the others are gone. */
  takeAll(take: (piece: Buffer, cameMs: number) => void): void;
  clear(): void;
}

/** Most streams are read before they have more than this waiting. */
const FIRST_BYTES = 8 * 1024;
/** Bytes that can still be looked at when they have been read. */
export const MOST_BEFORE = 32;

export function createWaitingBytes(): WaitingBytes {
  let bytes: Buffer | null = null;
  /** Those from here to `end` wait; before them stand some that do not any more. */
  let start = 0;
  let end = 0;
  let latestAt = 0;
  let pieces = 0;
  let ends: number[] = [];
  let moments: number[] = [];

  function clear(): void {
    pieces = 0;
    if (bytes === null) return;
    const kept = Math.min(end, MOST_BEFORE);
    // What has grown far beyond the usual is given back.
    const isGrown = bytes.length > FIRST_BYTES;
    const next = isGrown ? Buffer.allocUnsafeSlow(FIRST_BYTES) : bytes;
    bytes.copy(next, 0, end - kept, end);
    if (isGrown) {
      ends = [];
      moments = [];
    }
    bytes = next;
    start = kept;
    end = kept;
    latestAt = kept;
  }

  return {
    add(piece, cameMs) {
      const needed = end + piece.length;
      if (bytes === null || needed > bytes.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, needed, 2 * (bytes?.length ?? 0)));
        bytes?.copy(larger, 0, 0, end);
        bytes = larger;
      }
      piece.copy(bytes, end);
      latestAt = end;
      end = needed;
      ends[pieces] = end;
      moments[pieces] = cameMs;
      pieces += 1;
    },
    get size() {
      return end - start;
    },
    latest: (before) => bytes?.toString("latin1", Math.max(0, latestAt - before), end) ?? "",
    takeAll(take) {
      if (bytes === null) return;
      const held = bytes;
      let from = start;
      try {
        for (let index = 0; index < pieces; index += 1) {
          const to = ends[index] ?? from;
          take(held.subarray(from, to), moments[index] ?? 0);
          from = to;
        }
      } finally {
        clear();
      }
    },
    clear,
  };
}
