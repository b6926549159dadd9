import { GatewayError } from "../errors.ts";

const MAX_RECORD_BYTES = 16 * 1024 * 1024;

const outOfStep = (what: string): GatewayError => new GatewayError("inspection_failed", `git's answer ${what}`);

/**
 * Output in records, each ended by `delimiter` (which is taken off); as many at a time as have come. What stands behind the
 * last delimiter must be nothing.
 * @throws GatewayError `inspection_failed` for a record of more than 16 MiB or one without its end
 */
export async function* splitRecords(
  chunks: AsyncIterable<Buffer>,
  delimiter: number,
): AsyncGenerator<Buffer[], void, undefined> {
  let parts: Buffer[] = [];
  let partBytes = 0;
  for await (const chunk of chunks) {
    const records: Buffer[] = [];
    let begin = 0;
    for (let end = chunk.indexOf(delimiter); end !== -1; end = chunk.indexOf(delimiter, begin)) {
      const piece = chunk.subarray(begin, end);
      if (parts.length === 0) records.push(piece);
      else records.push(Buffer.concat([...parts, piece]));
      parts = [];
      partBytes = 0;
      begin = end + 1;
    }
    if (begin < chunk.length) {
      parts.push(chunk.subarray(begin));
      partBytes += chunk.length - begin;
      if (partBytes > MAX_RECORD_BYTES) throw outOfStep("has a record that is too long to be one");
    }
    if (records.length > 0) yield records;
  }
  if (partBytes > 0) throw outOfStep("ends in the middle of a record");
}

/** Output in lines and blocks of known length, as `git cat-file --batch` writes it. */
export class OutputReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next line without its end; null at the end of the output. @throws GatewayError `inspection_failed` */
  async line(): Promise<string | null> {
    for (;;) {
      const end = this.#held.indexOf(0x0a);
      if (end !== -1) {
        const line = this.#held.toString("latin1", 0, end);
        this.#held = this.#held.subarray(end + 1);
        return line;
      }
      if (this.#held.length > 64 * 1024) throw outOfStep("has a line that is too long");
      if (!(await this.#pull())) {
        if (this.#held.length > 0) throw outOfStep("ends in the middle of a line");
        return null;
      }
    }
  }

  /** The next `length` bytes, as they come. @throws GatewayError `inspection_failed` when there are fewer */
  async *block(length: number): AsyncGenerator<Buffer, void, undefined> {
    let left = length;
    while (left > 0) {
      if (this.#held.length === 0 && !(await this.#pull())) throw outOfStep("ends in the middle of an object");
      const piece = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  /** The next `length` bytes. @throws GatewayError `inspection_failed` when there are fewer */
  async bytes(length: number): Promise<Buffer> {
    while (this.#held.length < length) {
      if (this.#held.length === 0) return Buffer.concat(await collect(this.block(length)), length);
      const head = this.#held;
      this.#held = Buffer.alloc(0);
      return Buffer.concat([head, ...(await collect(this.block(length - head.length)))], length);
    }
    const bytes = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return bytes;
  }

  /** Ends the underlying output. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #pull(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done === true) return false;
    this.#held = this.#held.length === 0 ? next.value : Buffer.concat([this.#held, next.value]);
    return true;
  }
}

async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}
