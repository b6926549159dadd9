import { createInflate, inflateSync } from "node:zlib";
import { GatewayError } from "../errors.ts";
import { SmallInflater } from "./inspection/inflate.ts";

/** What one zlib stream held. */
export interface Inflated {
  /** Bytes of input that belong to the stream; what stands behind it is somebody else's. */
  readonly consumed: number;
  /** The first bytes of the output, enough for the header of a delta. */
  readonly head: Buffer;
  /** All of the output, until the next stream is inflated; null where it was only counted. */
  readonly content: Buffer | null;
}

/** Longest two size varints of a delta (gitformat-pack, "Deltified representation"), with room. */
const HEAD_BYTES = 32;

const damaged = (cause: unknown): GatewayError =>
  new GatewayError("pack_invalid", "the pack is damaged: an object in it does not unpack; push again", { cause });

const wrongSize = (): GatewayError =>
  new GatewayError(
    "pack_invalid",
    "the pack is damaged: an object unpacks to another size than its header says; push again",
  );

/** Streams of which more comes out are zlib's: its speed makes up for its beginning. */
const INFLATER_BYTES = 2 * 1024;
const inflater = new SmallInflater(INFLATER_BYTES);

/**
 * Inflates a whole stream at once. Right for small objects only: it keeps the event loop busy.
 * @param size the size that the pack's entry header declares
 * @returns null when `input` may end inside the stream
 * @throws GatewayError `pack_invalid`
 */
export function inflateSmall(input: Uint8Array, size: number): Inflated | null {
  const inflated = inflater.inflate(input, size);
  if (inflated !== null) return { ...inflated, head: inflated.content.subarray(0, HEAD_BYTES) };
  try {
    const { buffer, engine } = inflateSync(input, {
      info: true,
      chunkSize: Math.max(64, size + 1),
      maxOutputLength: size + 1,
    }) as unknown as { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };
    if (buffer.length !== size) throw wrongSize();
    return { consumed: engine.bytesWritten, head: buffer.subarray(0, HEAD_BYTES), content: buffer };
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "Z_BUF_ERROR") return null;
    if (code === "ERR_BUFFER_TOO_LARGE") throw wrongSize();
    throw damaged(error);
  }
}

/** Inflates one stream piece by piece in the background, counts what comes out, and keeps it or throws it away. */
export class InflateMeter {
  readonly #inflate = createInflate({ chunkSize: 128 * 1024 });
  readonly #size: number;
  #head = Buffer.alloc(0);
  #output = 0;
  #failure: unknown = null;
  #ended = false;
  readonly #kept: Buffer[] | null;

  /** @param onChunk told of what comes out, as far as it is not longer than declared */
  constructor(size: number, isKept = false, onChunk: ((chunk: Buffer) => void) | null = null) {
    this.#size = size;
    this.#kept = isKept ? [] : null;
    this.#inflate.on("data", (chunk: Buffer) => {
      if (this.#head.length < HEAD_BYTES) {
        this.#head = Buffer.concat([this.#head, chunk.subarray(0, HEAD_BYTES - this.#head.length)]);
      }
      this.#output += chunk.length;
      // Longer than declared: no reason to unpack the rest of what may be a bomb.
      if (this.#output > this.#size) this.#inflate.destroy(wrongSize());
      else {
        this.#kept?.push(chunk);
        onChunk?.(chunk);
      }
    });
    this.#inflate.on("end", () => {
      this.#ended = true;
    });
    this.#inflate.on("error", (error) => {
      this.#failure ??= error instanceof GatewayError ? error : damaged(error);
    });
  }

  /**
   * @returns `consumed` of this piece once the stream has ended in it; null while it goes on
   * @throws GatewayError `pack_invalid`
   */
  async feed(piece: Uint8Array): Promise<Inflated | null> {
    const before = this.#inflate.bytesWritten;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#inflate.off("close", done).off("end", done);
        resolve();
      };
      this.#inflate.on("close", done).on("end", done);
      this.#inflate.write(piece, done);
    });
    if (this.#failure !== null) throw this.#failure as Error;
    if (!this.#ended) {
      // The output of the last piece may still wait in the stream's buffer.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#failure !== null) throw this.#failure as Error;
      if (!this.#ended) return null;
    }
    if (this.#output !== this.#size) throw wrongSize();
    const content = this.#kept === null ? null : Buffer.concat(this.#kept);
    return { consumed: this.#inflate.bytesWritten - before, head: this.#head, content };
  }

  close(): void {
    this.#inflate.destroy();
  }
}
