/**
 * WebSocket frames, read from bytes that may be split anywhere, and written.
 *
 * ```
 * FIN RSV1-3 opcode(4) | MASK length(7) | length(16 or 64, where 126 or 127) | masking key(4) | payload
 * ```
 * No extension is negotiated, so every reserved bit is an error; clients mask, servers do not. Pure: a masking key is passed in.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-5
 */
import { isUtf8 } from "node:buffer";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  /** Unmasked. */
  readonly payload: Buffer;
  /** The frame's bytes as they came. */
  readonly raw: Buffer;
}

/** Why a peer is no longer listened to: a close code (section 7.4.1), and one line. */
export interface SocketFailure {
  readonly code: 1002 | 1003 | 1007 | 1008 | 1009;
  readonly reason: string;
}

export interface FrameParserOptions {
  /** Whether the peer has to mask: clients do, servers must not (section 5.1). */
  readonly masked: boolean;
  /** The most bytes that one frame may carry. */
  readonly maxPayload: number;
}

export class FrameParser {
  /** Set once the peer has broken the protocol; nothing is read any more. */
  failure: SocketFailure | null = null;
  readonly #options: FrameParserOptions;
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes that the frame at hand has at least: until then, chunks are only kept. */
  #need = 2;

  constructor(options: FrameParserOptions) {
    this.#options = options;
  }

  /** The frames that these bytes complete, in order. */
  push(bytes: Buffer): Frame[] {
    const frames: Frame[] = [];
    if (this.failure !== null) return frames;
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    while (this.failure === null && this.#size >= this.#need) {
      const buffer = this.#chunks.length === 1 ? (this.#chunks[0] ?? bytes) : Buffer.concat(this.#chunks);
      const frame = this.#readFrame(buffer);
      const rest = frame === null ? buffer : buffer.subarray(frame.raw.length);
      this.#chunks = [rest];
      this.#size = rest.length;
      if (frame === null) break;
      frames.push(frame);
      this.#need = 2;
    }
    if (this.failure !== null) this.#chunks = [];
    return frames;
  }

  #readFrame(buffer: Buffer): Frame | null {
    const first = buffer.readUInt8(0);
    const second = buffer.readUInt8(1);
    const opcode = first & 0x0f;
    const fin = (first & 0x80) !== 0;
    const short = second & 0x7f;
    const masked = (second & 0x80) !== 0;
    if ((first & 0x70) !== 0) return this.#fail(1002, "a reserved bit is set, and no extension was agreed on");
    if (!KNOWN.has(opcode)) return this.#fail(1002, "an unknown opcode");
    if (masked !== this.#options.masked) {
      return this.#fail(1002, masked ? "a server's frame is masked" : "a client's frame is not masked");
    }
    if (opcode >= 8 && (!fin || short > 125)) return this.#fail(1002, "a control frame is fragmented or too long");
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const headBytes = 2 + lengthBytes + (masked ? 4 : 0);
    if (buffer.length < headBytes) return this.#wait(headBytes);
    const length = readLength(buffer, short);
    if (length === null) return this.#fail(1002, "a length that is not written in the fewest bytes");
    if (length > this.#options.maxPayload) return this.#fail(1009, "a frame is larger than what is relayed");
    if (buffer.length < headBytes + length) return this.#wait(headBytes + length);
    const raw = buffer.subarray(0, headBytes + length);
    const payload = raw.subarray(headBytes);
    return { opcode, fin, raw, payload: masked ? xor(payload, buffer.subarray(headBytes - 4, headBytes)) : payload };
  }

  #wait(need: number): null {
    this.#need = need;
    return null;
  }

  #fail(code: SocketFailure["code"], reason: string): null {
    this.failure = { code, reason };
    return null;
  }
}

const KNOWN: ReadonlySet<number> = new Set(Object.values(OPCODE));

/** Null where a shorter form would have done (section 5.2), or the number has its highest bit set. */
function readLength(buffer: Buffer, short: number): number | null {
  if (short < 126) return short;
  if (short === 126) {
    const length = buffer.readUInt16BE(2);
    return length < 126 ? null : length;
  }
  const length = buffer.readBigUInt64BE(2);
  if (length < 65_536n || length >= 1n << 63n) return null;
  return length > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(length);
}

function xor(payload: Buffer, key: Buffer): Buffer {
  const plain = Buffer.allocUnsafe(payload.length);
  for (let at = 0; at < payload.length; at += 1) plain[at] = (payload[at] ?? 0) ^ (key[at & 3] ?? 0);
  return plain;
}

/** @param key four random bytes where a client sends; null where a server does */
export function encodeFrame(opcode: number, payload: Buffer, key: Buffer | null): Buffer {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + lengthBytes);
  head.writeUInt8(0x80 | opcode, 0);
  head.writeUInt8((key === null ? 0 : 0x80) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127), 1);
  if (lengthBytes === 2) head.writeUInt16BE(length, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return key === null ? Buffer.concat([head, payload]) : Buffer.concat([head, key, xor(payload, key)]);
}

export const encodeClose = (code: number, reason: string, key: Buffer | null): Buffer => {
  const text = Buffer.from(reason)
    .subarray(0, 123)
    .toString("utf8")
    .replace(/\uFFFD+$/, "");
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(text)]);
  payload.writeUInt16BE(code, 0);
  return encodeFrame(OPCODE.close, payload, key);
};

/** A whole message. */
export interface SocketMessage {
  readonly text: boolean;
  readonly payload: Buffer;
}

/** Puts fragments together (section 5.4). Control frames may stand between them, and are none of its concern. */
export class MessageAssembler {
  failure: SocketFailure | null = null;
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #size = 0;
  #opcode: number | null = null;

  /** @param maxBytes the most bytes that one message may have */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @param frame a data frame @returns the message that it completes */
  push(frame: Frame): SocketMessage | null {
    if (this.failure !== null) return null;
    if ((frame.opcode === OPCODE.continuation) !== (this.#opcode !== null)) {
      return this.#fail(1002, "a fragment belongs to no message");
    }
    this.#opcode ??= frame.opcode;
    this.#size += frame.payload.length;
    if (this.#size > this.#maxBytes) return this.#fail(1009, "a message is larger than what is relayed");
    this.#parts.push(frame.payload);
    if (!frame.fin) return null;
    const message = { text: this.#opcode === OPCODE.text, payload: Buffer.concat(this.#parts) };
    this.#parts = [];
    this.#size = 0;
    this.#opcode = null;
    if (message.text && !isUtf8(message.payload)) return this.#fail(1007, "a text message is not UTF-8");
    return message;
  }

  #fail(code: SocketFailure["code"], reason: string): null {
    this.failure = { code, reason };
    this.#parts = [];
    return null;
  }
}

/** What is wrong with a close frame's payload (sections 5.5.1 and 7.4), or null. */
export function checkClose(payload: Buffer): SocketFailure | null {
  if (payload.length === 0) return null;
  if (payload.length === 1) return { code: 1002, reason: "a close frame with half a code" };
  const code = payload.readUInt16BE(0);
  const known = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
  if (!known) return { code: 1002, reason: "a close code that may not be sent" };
  return isUtf8(payload.subarray(2)) ? null : { code: 1007, reason: "a close reason that is not UTF-8" };
}
