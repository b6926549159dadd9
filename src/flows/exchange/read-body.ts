import type { IncomingMessage } from "node:http";
import { GatewayError } from "../../errors.ts";

/**
 * The whole body; null where it is larger than `max` bytes (reading stops there).
 * @throws GatewayError `client_gone`
 */
export async function readBody(request: IncomingMessage, max: number): Promise<Buffer | null> {
  if (Number(request.headers["content-length"] ?? 0) > max) return null;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += (chunk as Buffer).length;
      if (size > max) return null;
      chunks.push(chunk as Buffer);
    }
  } catch (cause) {
    throw new GatewayError("client_gone", "The client left before its request was whole.", { cause });
  }
  return Buffer.concat(chunks);
}
