/**
 * A pull reader over a byte stream: takes exactly what is asked for, so that whatever follows a message's head (a pack)
 * begins at the right byte. It never closes its source: who refuses a push still has to drain it.
 */
import { GatewayError } from "../errors.ts";
import { parsePktLength, type PktLine } from "./pkt-line.ts";

export interface ByteReader {
  /** Bytes handed out so far. */
  readonly consumed: number;
  /** Exactly `count` bytes. @throws GatewayError `request_malformed` where the stream ends before, `limit_exceeded` */
  read(count: number): Promise<Buffer>;
  /**
   * The next packet.
   * @param raw gets the packet's own bytes appended, for a byte-identical copy
   * @throws GatewayError `request_malformed`, `limit_exceeded`
   */
  readPktLine(raw?: Buffer[]): Promise<PktLine>;
  /** Whether nothing more comes; waits for the next byte or the end. */
  atEnd(): Promise<boolean>;
  /** Everything that is left, as it comes. @throws GatewayError `limit_exceeded` after `limit` bytes */
  rest(limit?: ByteLimit): AsyncIterable<Buffer>;
  /** Reads and forgets what is left. @returns how many bytes that was */
  discard(limit?: ByteLimit): Promise<number>;
}

export interface ByteLimit {
  readonly bytes: number;
  /** What is too large, at the beginning of the error text: “the pack”. */
  readonly what: string;
}

const tooLarge = (limit: ByteLimit): GatewayError =>
  new GatewayError("limit_exceeded", `${limit.what} is larger than ${limit.bytes} bytes, the limit of this gateway`);

export function createByteReader(source: AsyncIterable<Uint8Array>, limit?: ByteLimit): ByteReader {
  const chunks = source[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  let received = 0;
  let consumed = 0;
  let ended = false;

  const pull = async (): Promise<Buffer | null> => {
    while (!ended) {
      const next = await chunks.next();
      if (next.done === true) {
        ended = true;
        break;
      }
      received += next.value.byteLength;
      if (limit !== undefined && received > limit.bytes) throw tooLarge(limit);
      if (next.value.byteLength > 0) {
        return Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
      }
    }
    return null;
  };

  const read = async (count: number): Promise<Buffer> => {
    if (held.length < count) {
      const parts = [held];
      let length = held.length;
      while (length < count) {
        const chunk = await pull();
        if (chunk === null) {
          held = Buffer.concat(parts);
          throw new GatewayError(
            "request_malformed",
            `the stream ends at byte ${consumed + length}, ${count - length} bytes too early`,
          );
        }
        parts.push(chunk);
        length += chunk.length;
      }
      held = Buffer.concat(parts);
    }
    const bytes = held.subarray(0, count);
    held = held.subarray(count);
    consumed += count;
    return bytes;
  };

  async function* rest(restLimit?: ByteLimit): AsyncGenerator<Buffer, void, undefined> {
    let yielded = 0;
    for (;;) {
      let chunk: Buffer | null = held;
      if (held.length > 0) held = Buffer.alloc(0);
      else chunk = await pull();
      if (chunk === null) return;
      yielded += chunk.length;
      consumed += chunk.length;
      if (restLimit !== undefined && yielded > restLimit.bytes) throw tooLarge(restLimit);
      yield chunk;
    }
  }

  return {
    get consumed() {
      return consumed;
    },
    read,
    async readPktLine(raw) {
      const offset = consumed;
      const four = await read(4);
      const length = parsePktLength(four, offset);
      raw?.push(four);
      if (typeof length === "string") return { kind: length };
      const payload = await read(length);
      raw?.push(payload);
      return { kind: "data", payload };
    },
    async atEnd() {
      if (held.length > 0) return false;
      const chunk = await pull();
      if (chunk === null) return true;
      held = chunk;
      return false;
    },
    rest,
    async discard(discardLimit) {
      let bytes = 0;
      for await (const chunk of rest(discardLimit)) bytes += chunk.length;
      return bytes;
    },
  };
}
