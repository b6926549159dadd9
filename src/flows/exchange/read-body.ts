import type { IncomingMessage } from "node:http";
import { GatewayError } from "../../errors.ts";

/**
 * Node's own limit for a request, which the server does without: a push may take longer. Somebody who sends a body byte by byte would hold what
 * has come of it for as long as they like, on as many connections as they like.
 */
const LONGEST_MS = 300_000;

/**
 * The whole body; null where it is larger than `max` bytes (reading stops there).
 * @throws GatewayError `client_gone`, also where it takes longer than `longestMs`: the connection is closed then
 */
export async function readBody(
  request: IncomingMessage,
  max: number,
  longestMs: number = LONGEST_MS,
): Promise<Buffer | null> {
  if (Number(request.headers["content-length"] ?? 0) > max) return null;
  const chunks: Buffer[] = [];
  let size = 0;
  const timer = setTimeout(() => request.destroy(), longestMs);
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += (chunk as Buffer).length;
      if (size > max) return null;
      chunks.push(chunk as Buffer);
    }
  } catch (cause) {
    throw new GatewayError("client_gone", "The client left before its request was whole.", { cause });
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks);
}
