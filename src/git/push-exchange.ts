/**
 * The answer to a push while it is being decided: a 200 whose end comes once the verdict is known.
 *
 * Whatever is decided, the request is read to its end first: git takes an answer that comes earlier for a broken
 * connection, and then prints "Everything up-to-date".
 */
import type { ServerResponse } from "node:http";
import type { GitConnection } from "../model/connection.ts";
import type { Principal } from "../model/principal.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { PushRequestHead } from "./receive-pack.ts";
import { encodePushResult, failureOf, messageText, reportVersion, sidebandPayload } from "./refusal.ts";
import type { PushReport } from "./report-status.ts";
import { encodeSideband, KEEP_ALIVE_PKT } from "./sideband.ts";
import type { ClientHeaders } from "./upstream-headers.ts";

export interface PushExchange {
  /** Sends the status line and headers. Called by all that follow; safe to call again. */
  begin(): void;
  /**
   * The gateway's own words, as `remote: …` lines; escaped. Not shown without side-band. Shown under `quiet` too: git asks
   * for that whenever no terminal reads along, and where to approve a push must be readable in a log as well.
   */
  progress(text: string): void;
  /** The upstream's words, unchanged and in pieces as they came. */
  readonly relayMessage: (text: string) => void;
  /** A packet that shows nothing, against proxies that close silent connections. */
  keepAlive(): void;
  /** Reads the rest of the request, then sends messages (escaped) and report, and ends. */
  finish(report: PushReport, messages?: readonly string[]): Promise<void>;
  /** Whether `finish` was called, or the client is gone. */
  readonly isOver: boolean;
}

/** A push as the web hands it to its flow: known person, allowed repository, commands parsed, pack not yet read. */
export interface PushRequest {
  readonly principal: Principal;
  readonly connection: GitConnection;
  /** Decoded, below the connection, without `.git`. */
  readonly path: string;
  /** As the client wrote it, decoded, with or without `.git`: what the upstream is asked for. */
  readonly upstreamPath: string;
  /** `<connection>/<path>`. */
  readonly repository: string;
  readonly head: PushRequestHead;
  /** Stands at the first byte of the pack. */
  readonly body: ByteReader;
  /** Without the gateway's own token. Under `passthrough` they hold the client's credentials: not to be stored or logged. */
  readonly clientHeaders: ClientHeaders;
  readonly userAgent: string;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  readonly exchange: PushExchange;
}

export interface PushExchangeOptions {
  readonly outgoing: ServerResponse;
  readonly head: Pick<PushRequestHead, "capabilities">;
  /** Reads the rest of the request body. */
  readonly drain: () => Promise<void>;
}

/** More unread progress than this is not queued for a client that has stopped reading. */
const MAX_QUEUED_BYTES = 1024 * 1024;

export function createPushExchange({ outgoing, head, drain }: PushExchangeOptions): PushExchange {
  const maxPayload = sidebandPayload(head);
  let isFinished = false;

  const isGone = (): boolean => outgoing.destroyed || outgoing.writableEnded;
  const begin = (): void => {
    if (outgoing.headersSent || isGone()) return;
    outgoing.writeHead(200, {
      "content-type": "application/x-git-receive-pack-result",
      "cache-control": "no-cache",
      // nginx would otherwise collect the progress of a hold until it ends.
      "x-accel-buffering": "no",
    });
    outgoing.flushHeaders();
  };
  const send = (bytes: Buffer): void => {
    if (isFinished || isGone() || outgoing.writableLength > MAX_QUEUED_BYTES) return;
    begin();
    outgoing.write(bytes);
  };

  return {
    get isOver() {
      return isFinished || isGone();
    },
    begin,
    keepAlive: () => {
      if (maxPayload !== null) send(KEEP_ALIVE_PKT);
    },
    progress: (text) => {
      if (maxPayload !== null) send(encodeSideband(2, messageText([text]), maxPayload));
    },
    relayMessage: (text) => {
      if (maxPayload !== null) send(encodeSideband(2, text, maxPayload));
    },
    finish: async (report, messages = []) => {
      if (isFinished) return;
      isFinished = true;
      await drain();
      if (isGone()) return;
      const failure = failureOf(report);
      if (failure !== null && reportVersion(head) === null && maxPayload === null && !outgoing.headersSent) {
        // A client that reads neither report nor side-band can learn of a failure from the status alone.
        outgoing.writeHead(403, { "content-type": "text/plain; charset=utf-8" });
        await ended(outgoing, Buffer.from(`${failure}\n`));
        return;
      }
      begin();
      await ended(outgoing, encodePushResult(head, report, messages));
    },
  };
}

/** Resolves when everything is sent, or the client is gone. */
const ended = (outgoing: ServerResponse, last: Buffer): Promise<void> =>
  new Promise((resolve) => {
    outgoing.once("close", resolve);
    outgoing.end(last, () => resolve());
  });
