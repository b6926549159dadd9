/**
 * Bytes of an answer that wait to be read elsewhere, each piece with the moment at which it came. They are copied: what a socket hands out
 * is a buffer of its own for each packet, and thousands of those that live for some milliseconds are most of what a collector of garbage
 * has to do. For its sake, too, the lists are written over and not made anew.
 */

/** Bytes of an answer in the pieces in which they came. */
export interface AnswerPieces {
  readonly bytes: Uint8Array;
  /** Where in them each piece ends. */
  readonly ends: readonly number[];
  /** When each came: milliseconds on one clock, whole numbers. */
  readonly moments: readonly number[];
}

export interface WaitingBytes {
  /** @param cameMs a whole number */
  add(piece: Buffer, cameMs: number): void;
  /** How many there are. */
  readonly size: number;
  /** The piece that came last and up to `before` bytes before it, waiting or not (at most {@link MOST_BEFORE}), as Latin-1: one character a byte. */
  latest(before: number): string;
  /** Those that wait and stand behind the last empty line: the event that has begun. Valid until the next call. */
  readonly begun: Buffer;
  /** The same as it was before the latest piece, and that piece. Valid until the next call. */
  readonly begunAndLatest: Buffer;
  /** All that wait, and they do so no more; null where there are none. */
  takeAll(): AnswerPieces | null;
}

const FIRST_BYTES = 8 * 1024;
/** What has grown beyond this is given back. */
const KEPT_BYTES = 32 * 1024;
/** Bytes that can still be looked at when they have been taken. */
export const MOST_BEFORE = 32;

const LINE_FEED = 0x0a;
/** The ends of events as everybody sends them. Whoever sends others has events that seem to be longer. */
const EMPTY_LINES = ["\n\n", "\r\n\r\n"] as const;
const LONGEST_EMPTY_LINE = 4;

const NONE = Buffer.alloc(0);

export function createWaitingBytes(): WaitingBytes {
  let bytes: Buffer | null = null;
  /** Those from here to `end` wait; before them stand some that do not any more. */
  let start = 0;
  let end = 0;
  let latestAt = 0;
  /** Behind the last empty line, and what that was before the latest piece. */
  let begunAt = 0;
  let begunBefore = 0;
  let pieces = 0;
  let ends: number[] = [];
  let moments: number[] = [];

  function findBegun(held: Buffer): void {
    // A piece that ends with its event is nearly every piece.
    if (held[end - 1] === LINE_FEED && held[end - 2] === LINE_FEED && end >= 2) {
      begunAt = end;
      return;
    }
    const from = Math.max(0, latestAt - LONGEST_EMPTY_LINE + 1);
    const latest = held.subarray(from, end);
    for (const line of EMPTY_LINES) {
      const at = latest.lastIndexOf(line, undefined, "latin1");
      if (at !== -1) begunAt = Math.max(begunAt, from + at + line.length);
    }
  }

  function clear(held: Buffer): void {
    const kept = Math.min(end, MOST_BEFORE);
    const isGrown = held.length > KEPT_BYTES;
    const next = isGrown ? Buffer.allocUnsafeSlow(FIRST_BYTES) : held;
    held.copy(next, 0, end - kept, end);
    if (isGrown) {
      ends = [];
      moments = [];
    }
    bytes = next;
    start = kept;
    end = kept;
    latestAt = kept;
    begunAt = kept;
    begunBefore = kept;
    pieces = 0;
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
      ends[pieces] = end - start;
      moments[pieces] = cameMs;
      pieces += 1;
      begunBefore = begunAt;
      findBegun(bytes);
    },
    get size() {
      return end - start;
    },
    latest: (before) => bytes?.toString("latin1", Math.max(0, latestAt - before), end) ?? "",
    get begun() {
      return bytes?.subarray(begunAt, end) ?? NONE;
    },
    get begunAndLatest() {
      return bytes?.subarray(begunBefore, end) ?? NONE;
    },
    takeAll() {
      if (bytes === null || pieces === 0) return null;
      const taken = {
        bytes: new Uint8Array(bytes.subarray(start, end)),
        ends: ends.slice(0, pieces),
        moments: moments.slice(0, pieces),
      };
      clear(bytes);
      return taken;
    },
  };
}
