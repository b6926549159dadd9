import type { IncomingMessage } from "node:http";
import type { GatewayError } from "../errors.ts";

/** A small answer, read whole. @throws `tooLong()` beyond `maxBytes`, and what breaks the connection */
export async function readAnswer(
  response: IncomingMessage,
  maxBytes: number,
  tooLong: () => GatewayError,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    // Node yields Buffers where no encoding is set.
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > maxBytes) throw tooLong();
  }
  return Buffer.concat(chunks);
}
