/**
 * Bytes of a stream that wait to be read, each piece with the moment at which it came. They are copied: what a socket hands out is a buffer
 * of its own for each packet, and thousands of those that live for some milliseconds are most of what a collector of garbage has to do.
 */
export interface WaitingBytes {
  /** @param cameMs a whole number */
  add(piece: Buffer, cameMs: number): void;
  /** How many there are. */
  readonly size: number;
  /** Hands out the pieces as they came; a piece is valid until `take` returns. Where it throws, the others are gone. */
  takeAll(take: (piece: Buffer, cameMs: number) => void): void;
  clear(): void;
}

/** Most streams are read before they have more than this waiting. */
const FIRST_BYTES = 8 * 1024;

export function createWaitingBytes(): WaitingBytes {
  let bytes: Buffer | null = null;
  let size = 0;
  const ends: number[] = [];
  const moments: number[] = [];

  function clear(): void {
    // What has grown far beyond the usual is given back.
    if (bytes !== null && bytes.length > FIRST_BYTES) bytes = null;
    size = 0;
    ends.length = 0;
    moments.length = 0;
  }

  return {
    add(piece, cameMs) {
      const needed = size + piece.length;
      if (bytes === null || needed > bytes.length) {
        const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, needed, 2 * (bytes?.length ?? 0)));
        bytes?.copy(larger, 0, 0, size);
        bytes = larger;
      }
      piece.copy(bytes, size);
      size = needed;
      ends.push(size);
      moments.push(cameMs);
    },
    get size() {
      return size;
    },
    takeAll(take) {
      if (bytes === null) return;
      const held = bytes;
      let start = 0;
      try {
        for (const [index, end] of ends.entries()) {
          take(held.subarray(start, end), moments[index] ?? 0);
          start = end;
        }
      } finally {
        clear();
      }
    },
    clear,
  };
}
