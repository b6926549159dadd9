/**
 * Writes an answer's body to the client: what came in one go leaves in one piece. Node's own `write` hands the system four pieces for each
 * chunk of a chunked body (its length, a line end, the bytes, a line end), and streams of tokens are thousands of chunks a second: here a
 * chunk is framed as one (RFC 9112 §7.1) and written to the socket. The head, bodies of a known length and the end are Node's.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

export interface AnswerWriter {
  /** Takes bytes; they leave before anything else is read. */
  write(chunk: Buffer): void;
  /** Sends what was taken now. */
  flush(): void;
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
  let held: Buffer[] = [];
  let isPlanned = false;
  let hasWritten = false;
  let heard: Socket | null = null;

  /** The connection, where the head and all before are in its hands, and a chunk's frame is all that is missing. */
  function socketForChunks(): Socket | null {
    const { socket } = response;
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

  function flush(): void {
    const chunks = held;
    held = [];
    // Writing to a client that has left would be an error; its `close` event ends the relay.
    if (chunks.length === 0 || response.destroyed || response.writableEnded) return;
    const socket = socketForChunks();
    let goesOn = true;
    if (socket === null) for (const chunk of chunks) goesOn = response.write(chunk);
    else {
      listen(socket);
      goesOn = socket.write(frameChunk(chunks));
    }
    hasWritten = true;
    if (!goesOn) listeners.full();
  }

  const flushPlanned = (): void => {
    isPlanned = false;
    flush();
  };
  response.on("drain", listeners.drained);

  return {
    write(chunk) {
      if (chunk.length === 0) return;
      held.push(chunk);
      if (isPlanned) return;
      isPlanned = true;
      // When all that was read in one go has been handed over: one chunk for all of it.
      process.nextTick(flushPlanned);
    },
    flush,
    get isFull() {
      return response.writableNeedDrain || (heard?.writableNeedDrain ?? false);
    },
    release,
  };
}

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

/** `chunk = chunk-size CRLF chunk-data CRLF`; none of them is empty: an empty chunk would be the end. */
function frameChunk(pieces: readonly Buffer[]): Buffer {
  let size = 0;
  for (const piece of pieces) size += piece.length;
  const head = size.toString(16);
  const frame = Buffer.allocUnsafe(head.length + size + 4);
  let at = frame.write(head, "latin1");
  at = frame.writeUInt8(CARRIAGE_RETURN, at);
  at = frame.writeUInt8(LINE_FEED, at);
  for (const piece of pieces) at += piece.copy(frame, at);
  at = frame.writeUInt8(CARRIAGE_RETURN, at);
  frame.writeUInt8(LINE_FEED, at);
  return frame;
}
