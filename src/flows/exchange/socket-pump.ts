/** Frames of one side of a WebSocket, one after the other: a side is not read while one of its frames is at work. */
import type { Duplex } from "node:stream";
import {
  type Frame,
  FrameParser,
  type FrameParserOptions,
  type SocketFailure,
} from "../../copilot/streams/websocket.ts";

export interface Pump extends FrameParserOptions {
  readonly side: Duplex;
  /** What came behind the handshake. */
  readonly head: Buffer;
  /** Whether frames that are still there are to be left. */
  readonly isOver: () => boolean;
  /** @returns what is wrong with it: then none follows */
  readonly take: (frame: Frame) => Promise<SocketFailure | null>;
  /** The side broke the protocol. */
  readonly failed: (failure: SocketFailure) => void;
  /** The gateway's own work on a frame failed. */
  readonly broken: (error: unknown) => void;
  /** Nothing more comes from this side. */
  readonly ended: () => void;
}

export function pumpFrames({ side, head, isOver, take, failed, broken, ended, ...options }: Pump): void {
  const parser = new FrameParser(options);
  const work = async (chunk: Buffer): Promise<void> => {
    side.pause();
    for (const frame of parser.push(chunk)) {
      const failure = isOver() ? null : await take(frame);
      if (failure !== null) return failed(failure);
    }
    if (parser.failure !== null) return failed(parser.failure);
    if (!side.destroyed) side.resume();
  };
  let last: Promise<void> = Promise.resolve();
  const onData = (chunk: Buffer): void => {
    last = last.then(() => work(chunk)).catch(broken);
  };
  side.on("error", () => {});
  side.on("data", onData);
  side.once("end", () => void last.then(ended));
  side.once("close", () => void last.then(ended));
  if (head.length > 0) onData(head);
}

/** @returns a promise where the peer does not keep up, of the moment at which it does again, or is gone */
export function sendBytes(side: Duplex, bytes: Buffer): Promise<void> | null {
  if (side.destroyed || side.write(bytes)) return null;
  return new Promise((drained) => {
    const done = (): void => {
      side.off("drain", done).off("close", done);
      drained();
    };
    side.once("drain", done).once("close", done);
  });
}
