/**
 * Undoes a body's content encoding piece by piece, for whoever reads along: what a piece brings is there before the next one is taken.
 * Bounded: a small body can unpack to a very large one.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.4
 */
import * as zlib from "node:zlib";
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw, type Gunzip } from "node:zlib";

/** Those that every Node here can read, as they are asked for upstream. */
export const READABLE_ENCODINGS: readonly string[] = ["gzip", "deflate", "br"];

/** Of Node 22.15 and later; the types are those of the oldest Node that this runs on. */
const { createZstdDecompress, constants } = zlib as typeof zlib & {
  readonly createZstdDecompress?: (options: { readonly params: Readonly<Record<number, number>> }) => Gunzip;
  readonly constants: { readonly ZSTD_d_windowLogMax?: number };
};

/** Those that a client may pack its requests with. */
export const REQUEST_ENCODINGS: readonly string[] =
  createZstdDecompress === undefined ? READABLE_ENCODINGS : [...READABLE_ENCODINGS, "zstd"];

/** 8 MiB: what a decoder has to have room for, and no frame of HTTP's may need more (RFC 9659 §3). */
const ZSTD_WINDOW_LOG = 23;

export interface BodyDecoder {
  /** What these bytes add; empty after a failure. */
  push(bytes: Buffer): Promise<Buffer>;
  /** What was left; call it once, at the body's end. */
  end(): Promise<Buffer>;
  /** `broken`: no such encoding, or cut short; `large`: it unpacks to more than the limit. Nothing is read after either. */
  readonly failure: "broken" | "large" | null;
}

/** The body's encoding as one word; `identity` where there is none; null where it is none that can be read, or several. */
export function readEncoding(header: string | undefined): string | null {
  const name = (header ?? "").trim().toLowerCase();
  if (name === "" || name === "identity") return "identity";
  if (name === "x-gzip") return "gzip";
  return REQUEST_ENCODINGS.includes(name) ? name : null;
}

/** `deflate` is zlib's format (RFC 1950) by the book, and bare DEFLATE by some senders: the first byte tells. */
const openStream = (encoding: string, first: number | undefined): Gunzip => {
  if (encoding === "gzip") return createGunzip();
  if (encoding === "br") return createBrotliDecompress();
  if (encoding === "zstd" && createZstdDecompress !== undefined && constants.ZSTD_d_windowLogMax !== undefined) {
    return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } });
  }
  return first !== undefined && (first & 0x0f) === 8 ? createInflate() : createInflateRaw();
};

/** @param maxBytes the most that it may unpack to */
export function createBodyDecoder(encoding: string, maxBytes: number): BodyDecoder {
  let stream: Gunzip | null = null;
  let unpacked: Buffer[] = [];
  let size = 0;
  let failure: BodyDecoder["failure"] = null;

  function fail(why: "broken" | "large"): void {
    failure ??= why;
    unpacked = [];
    stream?.destroy();
  }

  function open(first: number | undefined): Gunzip {
    const opened = openStream(encoding, first);
    opened.on("data", (piece: Buffer) => {
      size += piece.length;
      if (size > maxBytes) return fail("large");
      unpacked.push(piece);
    });
    opened.on("error", () => fail("broken"));
    return opened;
  }

  /** Resolves when the stream has done its work, or can do none any more. */
  const worked = (work: (stream: Gunzip, done: () => void) => void): Promise<Buffer> =>
    new Promise((resolve) => {
      const target = stream;
      if (target === null || failure !== null || target.destroyed) return resolve(Buffer.alloc(0));
      const done = (): void => {
        target.off("close", done);
        const bytes = Buffer.concat(unpacked);
        unpacked = [];
        resolve(bytes);
      };
      target.once("close", done);
      work(target, done);
    });

  return {
    push(bytes) {
      stream ??= open(bytes[0]);
      return worked((target, done) => target.write(bytes, () => done()));
    },
    end: () =>
      worked((target, done) => {
        target.once("end", done);
        target.end();
      }),
    get failure() {
      return failure;
    },
  };
}
