/**
 * Side-band: three channels inside pkt-lines (gitprotocol-pack, "Packfile Data").
 *
 *     PKT-LINE( %x01 data )      ; 1: the data itself: a pack, or a report-status
 *     PKT-LINE( %x02 text )      ; 2: messages, which the client prints after "remote: "
 *     PKT-LINE( %x03 text )      ; 3: a fatal error; nothing follows
 *     flush-pkt
 *
 * `side-band-64k` allows 65,515 bytes after the channel's byte, the older `side-band` 995 (packets of 1,000).
 */
import { GatewayError } from "../errors.ts";
import { encodePktLine, PktLineParser } from "./pkt-line.ts";

export type Band = 1 | 2 | 3;

export const MAX_BAND_PAYLOAD = 65515;
export const MAX_SMALL_BAND_PAYLOAD = 995;

/** An empty data packet: what git itself sends to keep a silent connection open. */
export const KEEP_ALIVE_PKT: Buffer = encodePktLine(Uint8Array.of(1));

/** Splits over as many packets as needed; nothing for no bytes. */
export function encodeSideband(band: Band, data: Uint8Array | string, maxPayload = MAX_BAND_PAYLOAD): Buffer {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  const packets: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += maxPayload) {
    packets.push(encodePktLine(Buffer.concat([Uint8Array.of(band), bytes.subarray(at, at + maxPayload)])));
  }
  return Buffer.concat(packets);
}

export type SidebandPart = { readonly band: Band; readonly data: Buffer } | { readonly band: "flush" };

/** Takes a side-band stream apart as it arrives. */
export class SidebandDemux {
  readonly #packets = new PktLineParser();
  #flushed = false;

  /** @throws GatewayError `request_malformed` for a packet of no band, or for anything after the flush */
  push(chunk: Uint8Array): SidebandPart[] {
    const parts: SidebandPart[] = [];
    for (const packet of this.#packets.push(chunk)) {
      if (this.#flushed)
        throw new GatewayError("request_malformed", "a packet follows the end of the side-band stream");
      if (packet.kind === "flush") {
        this.#flushed = true;
        parts.push({ band: "flush" });
        continue;
      }
      const band = packet.kind === "data" ? packet.payload[0] : undefined;
      if (packet.kind !== "data" || (band !== 1 && band !== 2 && band !== 3)) {
        throw new GatewayError("request_malformed", "a packet of the side-band stream has no band 1, 2 or 3");
      }
      parts.push({ band, data: packet.payload.subarray(1) });
    }
    return parts;
  }

  /** Whether the final flush has come. */
  get flushed(): boolean {
    return this.#flushed;
  }

  /** @throws GatewayError `request_malformed` where the stream ended inside a packet or before its flush */
  end(): void {
    this.#packets.end();
    if (!this.#flushed)
      throw new GatewayError("request_malformed", "the side-band stream ends without its flush packet");
  }
}
