/**
 * The body of a push request, decoded (RFC 9110, section 8.4.1.3). git and JGit send gzip or nothing; anything else is refused
 * rather than inspected wrongly.
 */
import type { IncomingMessage } from "node:http";
import { createGunzip, type Gunzip } from "node:zlib";
import { GatewayError } from "../errors.ts";
import { escapeLine } from "../model/printable.ts";

export interface RequestBody {
  /** Decoded bytes as they come. Throws GatewayError `request_malformed`, `limit_exceeded`, `client_gone`. */
  readonly chunks: AsyncIterable<Buffer>;
  /**
   * Reads what the client still sends and forgets it; never throws. A client that is answered before it has sent everything
   * reports a broken connection instead of the answer.
   */
  readonly drain: () => Promise<void>;
}

export interface RequestBodyOptions {
  /** Of the decoded body. A few kilobytes of gzip can stand for gigabytes. */
  readonly maxBytes: number;
  /** Without a byte from the client, the connection is closed after this long. */
  readonly idleMs?: number;
}

const DEFAULT_IDLE_MS = 300_000;

/** @throws GatewayError `request_malformed` for an encoding that is not carried */
export function openRequestBody(incoming: IncomingMessage, options: RequestBodyOptions): RequestBody {
  const encoding = (incoming.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (encoding !== "identity" && encoding !== "" && encoding !== "gzip" && encoding !== "x-gzip") {
    throw new GatewayError(
      "request_malformed",
      `a push in Content-Encoding “${escapeLine(encoding, 60)}” cannot be inspected; send it as it is or in gzip`,
    );
  }
  const isPlain = encoding === "identity" || encoding === "";
  const { socket } = incoming;
  socket.setTimeout(options.idleMs ?? DEFAULT_IDLE_MS);
  incoming.once("end", () => socket.setTimeout(0));

  // One iterator for reading and for draining: a second one on the same stream would miss chunks.
  const wire = incoming[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const arriving = { [Symbol.asyncIterator]: () => ({ next: () => wire.next() }) };
  const gunzip = isPlain ? null : createGunzip();
  return {
    chunks: bounded(gunzip === null ? readPlain(arriving) : readGzip(arriving, gunzip), options.maxBytes),
    drain: async () => {
      gunzip?.destroy();
      try {
        while ((await wire.next()).done !== true);
      } catch {
        // The client is gone: nothing more will come.
      }
    },
  };
}

/** Everything up to the limit comes through: the commands at its beginning tell how to answer. */
async function* bounded(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer, void, undefined> {
  let left = maxBytes;
  for await (const chunk of chunks) {
    if (left > 0) yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left < 0) {
      throw new GatewayError("limit_exceeded", `this push is larger than ${maxBytes} bytes, the limit of this gateway`);
    }
  }
}

const clientGone = (cause: unknown): GatewayError =>
  new GatewayError("client_gone", "the client broke off its request", { cause });

async function* readPlain(wire: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* wire;
  } catch (cause) {
    throw clientGone(cause);
  }
}

async function* readGzip(wire: AsyncIterable<Buffer>, gunzip: Gunzip): AsyncGenerator<Buffer, void, undefined> {
  let received = 0;
  const feed = async (): Promise<void> => {
    try {
      for await (const chunk of wire) {
        received += chunk.length;
        if (gunzip.destroyed) return;
        if (!gunzip.write(chunk)) {
          await new Promise<void>((resolve) => {
            gunzip.once("drain", resolve);
            gunzip.once("close", resolve);
          });
        }
      }
      gunzip.end();
    } catch (cause) {
      gunzip.destroy(clientGone(cause));
    }
  };
  const fed = feed();
  try {
    for await (const chunk of gunzip) yield chunk as Buffer;
    await fed;
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError("request_malformed", "the push's gzip encoding is broken or cut off", { cause });
  }
  // zlib stops at the first byte that begins no further member, and says nothing of what it left.
  if (gunzip.bytesWritten !== received) {
    throw new GatewayError("request_malformed", "bytes follow the end of the push's gzip encoding");
  }
}
