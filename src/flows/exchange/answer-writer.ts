/**
 * Writes an answer's body to the client, at once. Node's own `write` hands the system four pieces for each chunk of a chunked body (its
 * length, a line end, the bytes, a line end), and streams of tokens are thousands of chunks a second: here a chunk is framed as one
 * (RFC 9112 §7.1) and written to the socket. The head, bodies of a known length and the end are Node's.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

export interface AnswerWriter {
  write(chunk: Buffer): void;
  /** The client does not keep up: nothing more should be read until `drained` is called. */
  readonly isFull: boolean;
  /** Lets go of the connection. */
  release(): void;
}

/** @param listeners `full`: the client does not keep up; `drained`: it does again */
export function createAnswerWriter(
  response: ServerResponse,
  listeners: { readonly full: () => void; readonly drained: () => void },
): AnswerWriter {
  let hasWritten = false;
  let heard: Socket | null = null;

  /** The connection, where the head and all before are in its hands, and a chunk's frame is all that is missing. */
  function socketForChunks(): Socket | null {
    const { socket } = response;
    // Once it is so, it stays so: nothing else is written to it.
    if (heard !== null && socket === heard) return socket;
    if (!hasWritten || socket === null || !response.chunkedEncoding) return null;
    // Behind another answer on the same connection (pipelining), or not yet flushed: Node keeps it, and the order.
    return response.writableLength === socket.writableLength ? socket : null;
  }

  function listen(socket: Socket): void {
    if (heard === socket) return;
    release();
    heard = socket;
    socket.on("drain", listeners.drained);
  }

  function release(): void {
    heard?.off("drain", listeners.drained);
    heard = null;
  }

  response.on("drain", listeners.drained);

  return {
    write(chunk) {
      // Writing to a client that has left would be an error; its `close` event ends the relay.
      if (chunk.length === 0 || response.destroyed || response.writableEnded) return;
      const socket = socketForChunks();
      let goesOn: boolean;
      if (socket === null) goesOn = response.write(chunk);
      else {
        listen(socket);
        goesOn = socket.write(frameChunk(chunk));
      }
      hasWritten = true;
      if (!goesOn) listeners.full();
    },
    get isFull() {
      return response.writableNeedDrain || (heard?.writableNeedDrain ?? false);
    },
    release,
  };
}

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

/** `chunk = chunk-size CRLF chunk-data CRLF`; it is not empty: an empty chunk would be the end. */
function frameChunk(chunk: Buffer): Buffer {
  const head = chunk.length.toString(16);
  const frame = Buffer.allocUnsafe(head.length + chunk.length + 4);
  let at = frame.write(head, "latin1");
  frame[at++] = CARRIAGE_RETURN;
  frame[at++] = LINE_FEED;
  at += chunk.copy(frame, at);
  frame[at++] = CARRIAGE_RETURN;
  frame[at] = LINE_FEED;
  return frame;
}
