/**
 * pkt-line, the frame of every Git message (gitprotocol-common, "pkt-line Format").
 *
 *     pkt-line  = data-pkt / flush-pkt / delim-pkt / response-end-pkt
 *     data-pkt  = pkt-len pkt-payload          ; pkt-len: 4 hex digits, 0004..fff0, counting itself
 *     flush-pkt = "0000"   delim-pkt = "0001"   response-end-pkt = "0002"
 *
 * Pure: bytes in, packets out. A packet is at most 65,520 bytes, 65,516 of them payload.
 */
import { GatewayError } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";

const MAX_PKT_LENGTH = 65520;
export const MAX_PKT_PAYLOAD = MAX_PKT_LENGTH - 4;

export type PktLine =
  | { readonly kind: "data"; readonly payload: Buffer }
  | { readonly kind: "flush" }
  | { readonly kind: "delim" }
  | { readonly kind: "response-end" };

export const FLUSH_PKT: Buffer = Buffer.from("0000");
export const DELIM_PKT: Buffer = Buffer.from("0001");
const RESPONSE_END_PKT: Buffer = Buffer.from("0002");

/** @throws RangeError for a payload over 65,516 bytes: the caller has to split it, by the rules of its message */
export function encodePktLine(payload: Uint8Array | string): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  if (bytes.length > MAX_PKT_PAYLOAD) throw new RangeError(`a pkt-line holds no ${bytes.length} bytes`);
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, "0"), "latin1"), bytes]);
}

const SPECIAL_PKTS = { flush: FLUSH_PKT, delim: DELIM_PKT, "response-end": RESPONSE_END_PKT };

export const encodePacket = (packet: PktLine): Buffer =>
  packet.kind === "data" ? encodePktLine(packet.payload) : SPECIAL_PKTS[packet.kind];

/** The meaning of four length bytes: how much payload follows, or which special packet this is. */
export type PktLength = number | "flush" | "delim" | "response-end";

/**
 * @param offset where the four bytes stand in the stream, for the error text
 * @throws GatewayError `request_malformed`
 */
export function parsePktLength(four: Uint8Array, offset: number): PktLength {
  const text = Buffer.from(four.buffer, four.byteOffset, 4).toString("latin1");
  const length = /^[0-9a-fA-F]{4}$/.test(text) ? Number.parseInt(text, 16) : -1;
  if (length === 0) return "flush";
  if (length === 1) return "delim";
  if (length === 2) return "response-end";
  if (length >= 4 && length <= MAX_PKT_LENGTH) return length - 4;
  throw new GatewayError(
    "request_malformed",
    `malformed pkt-line at byte ${offset}: “${escapeLine(text)}” is not a packet length`,
  );
}

/** Cuts a stream that arrives in arbitrary chunks into packets, holding at most one unfinished packet. */
export class PktLineParser {
  #held: Buffer = Buffer.alloc(0);
  #offset = 0;

  /** @throws GatewayError `request_malformed` */
  push(chunk: Uint8Array): PktLine[] {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#held.length > 0) bytes = Buffer.concat([this.#held, bytes]);
    const packets: PktLine[] = [];
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = parsePktLength(bytes.subarray(at, at + 4), this.#offset + at);
      if (typeof length === "string") {
        packets.push({ kind: length });
        at += 4;
        continue;
      }
      if (bytes.length - at - 4 < length) break;
      packets.push({ kind: "data", payload: bytes.subarray(at + 4, at + 4 + length) });
      at += 4 + length;
    }
    this.#offset += at;
    // A copy: the tail must not keep a whole socket buffer alive.
    this.#held = Buffer.from(bytes.subarray(at));
    return packets;
  }

  /** Bytes of a packet that has begun and is not complete. */
  get pendingBytes(): number {
    return this.#held.length;
  }

  /** @throws GatewayError `request_malformed` where the stream ended inside a packet */
  end(): void {
    if (this.#held.length === 0) return;
    throw new GatewayError(
      "request_malformed",
      `truncated pkt-line at byte ${this.#offset}: the stream ends inside it`,
    );
  }
}

/** All packets of a complete message. @throws GatewayError `request_malformed` */
export function parsePktLines(bytes: Uint8Array): PktLine[] {
  const parser = new PktLineParser();
  const packets = parser.push(bytes);
  parser.end();
  return packets;
}
