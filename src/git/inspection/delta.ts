import { GatewayError } from "../../errors.ts";

const damaged = (): GatewayError =>
  new GatewayError("pack_invalid", "the pack is damaged: a delta in it makes no object");

/**
 * What a delta makes of its base (gitformat-pack, "Deltified representation"):
 *
 *     delta       = base-size-varint result-size-varint *instruction
 *     instruction = 0x80|bits offset(0–4 bytes) size(0–3 bytes)     ; copy from the base, size 0 means 0x10000
 *                 | length(1–127) bytes                             ; insert
 *
 * @param maxBytes what the result may be at most
 * @throws GatewayError `pack_invalid`
 */
export function applyDelta(base: Buffer, delta: Buffer, maxBytes: number): Buffer {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = delta[at++];
      if (byte === undefined || shift > 46) throw damaged();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  if (varint() !== base.length) throw damaged();
  const size = varint();
  if (size > maxBytes) throw damaged();
  const result = Buffer.allocUnsafe(size);
  let end = 0;
  const next = (bit: number, shift: number): number => {
    if (bit === 0) return 0;
    const byte = delta[at++];
    if (byte === undefined) throw damaged();
    return byte * 2 ** shift;
  };
  while (at < delta.length) {
    const code = delta[at++] ?? 0;
    if (code === 0) throw damaged();
    if (code < 0x80) {
      if (at + code > delta.length || end + code > size) throw damaged();
      delta.copy(result, end, at, at + code);
      at += code;
      end += code;
      continue;
    }
    const offset = next(code & 1, 0) + next(code & 2, 8) + next(code & 4, 16) + next(code & 8, 24);
    const length = next(code & 16, 0) + next(code & 32, 8) + next(code & 64, 16) || 0x10000;
    if (offset + length > base.length || end + length > size) throw damaged();
    base.copy(result, end, offset, offset + length);
    end += length;
  }
  if (end !== size) throw damaged();
  return result;
}
