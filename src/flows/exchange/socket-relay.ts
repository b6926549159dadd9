/**
 * What passes on an open WebSocket. Every message of the client's is read whole, judged and on record before the upstream hears of it; what the
 * upstream says goes to the client byte for byte, and the end of an answer only once its record is written. Each side is read no faster
 * than the other one takes it.
 */
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import type { AnswerMessageMask } from "../../copilot/answer-masking.ts";
import type { RequestHead } from "../../copilot/request-head.ts";
import {
  checkClose,
  encodeClose,
  encodeFrame,
  type Frame,
  MessageAssembler,
  OPCODE,
  type SocketFailure,
  type SocketMessage,
} from "../../copilot/streams/websocket.ts";
import type { Result } from "../../errors.ts";
import type { Logger } from "../../model/log.ts";
import { describeFailure } from "./describe-failure.ts";
import { REQUEST_ID } from "./headers.ts";
import type { SentHead } from "./mask-sent.ts";
import type { ExchangeEnd } from "./record.ts";
import type { Records } from "./records.ts";
import type { Refusal } from "./refusals.ts";
import type { RelayEnd } from "./relay.ts";
import { type AdmittedToSocket, type AskedBySocket, createClientMessages } from "./socket-client.ts";
import { CLOSE_MS, type UpstreamSocket } from "./socket-handshake.ts";
import { createLanes } from "./socket-lanes.ts";
import { pumpFrames, sendBytes } from "./socket-pump.ts";
import type { SocketUpgrade } from "./socket-upgrade.ts";
import type { UpstreamIds } from "./upstream-ids.ts";

export interface SocketRelayDependencies {
  readonly admit: (asked: AskedBySocket) => Promise<Result<AdmittedToSocket, Refusal>>;
  /** What of a handshake's head goes on. */
  readonly passHead: (path: string, head: RequestHead) => Result<SentHead, Refusal>;
  readonly records: Records;
  /** One for each connection, where clients get answers masked; null: they get the very frames. */
  readonly maskAnswers: (() => AnswerMessageMask) | null;
  readonly upstreamIds: UpstreamIds;
  readonly limits: { readonly requestBytes: number; readonly answerBytes: number; readonly idleMs: number };
  readonly log: Logger;
  readonly now: () => Date;
}

/** How long answers may go on when the gateway stops. */
const STOPPING_MS = 20_000;

/** @returns a promise of the connection's end, when whatever it held open is written down */
export function relaySocket(
  deps: SocketRelayDependencies,
  upgrade: SocketUpgrade,
  upstream: UpstreamSocket,
): Promise<void> {
  const { socket: client, connection, principal, stopping } = upgrade;
  const holder = { principalId: principal.id, connection };
  const requestId = upstream.headers[REQUEST_ID] ?? upstream.headers["x-request-id"];
  const lanes = createLanes({
    records: deps.records,
    claim: async (ids) => {
      try {
        await deps.upstreamIds.claim(holder, ids);
      } catch (error) {
        deps.log.error({ failure: describeFailure(error) }, "Ids of an answer could not be kept");
      }
    },
    answerBytes: deps.limits.answerBytes,
    answerMasked: deps.maskAnswers !== null,
    upstreamRequestId: typeof requestId === "string" ? requestId : null,
    now: deps.now,
  });
  const masked = deps.maskAnswers?.() ?? null;
  const timers = new Set<NodeJS.Timeout>();
  const closing = { client: false, upstream: false };
  let ended = false;

  return new Promise<void>((resolve) => {
    /** Both sockets go, whatever is open is written down, and it is over. */
    const end = (how: RelayEnd["end"], as?: Partial<ExchangeEnd>): void => {
      if (ended) return;
      ended = true;
      for (const timer of timers) clearTimeout(timer);
      stopping.removeEventListener("abort", stop);
      // What was written still leaves; a peer that does not read it is cut off.
      for (const side of [client, upstream.socket]) {
        side.end();
        setTimeout(() => side.destroy(), CLOSE_MS).unref();
      }
      void lanes
        .endAll(how, as)
        .catch((error: unknown) =>
          deps.log.error({ failure: describeFailure(error) }, "A record could not be finished"),
        )
        .then(resolve);
    };
    const later = (ms: number, work: () => void): void => {
      const timer = setTimeout(work, ms);
      timer.unref();
      timers.add(timer);
    };
    const endWith = (code: number, reason: string, how: RelayEnd["end"], as?: Partial<ExchangeEnd>): void => {
      if (ended) return;
      if (!client.destroyed) client.write(encodeClose(code, reason, null));
      if (!upstream.socket.destroyed) upstream.socket.write(encodeClose(1000, "", randomBytes(4)));
      end(how, as);
    };
    const stop = (): void => {
      if (lanes.isIdle) return endWith(1001, "the gateway stops", "whole");
      later(STOPPING_MS, () => endWith(1001, "the gateway stops", "cut"));
    };
    const stopWhenIdle = (): void => {
      if (stopping.aborted && lanes.isIdle) stop();
    };

    const toUpstream = (opcode: number, payload: Buffer) =>
      sendBytes(upstream.socket, encodeFrame(opcode, payload, randomBytes(4)));

    const takeClientMessage = createClientMessages(
      {
        ...deps,
        lanes,
        toUpstream: (payload) => toUpstream(OPCODE.text, payload),
        close: (code, reason, as) => endWith(code, reason, "stopped", as),
        hasEnded: () => ended,
      },
      upgrade,
    );
    const clientMessages = new MessageAssembler(deps.limits.requestBytes);
    async function takeClientFrame(frame: Frame): Promise<SocketFailure | null> {
      if (frame.opcode === OPCODE.close) {
        const bad = checkClose(frame.payload);
        if (bad !== null) return bad;
        closing.client = true;
        await toUpstream(OPCODE.close, frame.payload);
        if (closing.upstream) end("client_gone");
        else later(CLOSE_MS, () => end("client_gone"));
        return null;
      }
      if (frame.opcode > OPCODE.close) return (await toUpstream(frame.opcode, frame.payload), null);
      const message = clientMessages.push(frame);
      if (message === null) return clientMessages.failure;
      if (!message.text) return { code: 1003, reason: "binary messages are not relayed" };
      await takeClientMessage(message.payload);
      return null;
    }

    /** What is no text cannot be masked, and goes nowhere. */
    async function sendMasked({ text, payload }: SocketMessage): Promise<void> {
      const messages = text ? (masked?.take(payload.toString("utf8")) ?? []) : [];
      for (const message of messages) await sendBytes(client, encodeFrame(OPCODE.text, Buffer.from(message), null));
    }

    const upstreamMessages = new MessageAssembler(deps.limits.answerBytes);
    async function takeUpstreamFrame(frame: Frame): Promise<SocketFailure | null> {
      if (frame.opcode === OPCODE.close) {
        closing.upstream = true;
        await lanes.endAll(closing.client ? "client_gone" : "cut");
        await sendBytes(client, frame.raw);
        if (closing.client) end("whole");
        else later(CLOSE_MS, () => end("cut"));
        return null;
      }
      if (frame.opcode < OPCODE.close) {
        const message = upstreamMessages.push(frame);
        if (message === null && upstreamMessages.failure !== null) return upstreamMessages.failure;
        // An answer's end is the client's once its record is written.
        if (message?.text === true) await lanes.take(message.payload.toString("utf8"));
        if (masked !== null) {
          if (message !== null) await sendMasked(message);
          stopWhenIdle();
          return null;
        }
      }
      await sendBytes(client, frame.raw);
      stopWhenIdle();
      return null;
    }

    const failed = (side: "client" | "upstream", { code, reason }: SocketFailure): void =>
      side === "client"
        ? endWith(code, reason, "client_gone")
        : endWith(1011, "the upstream broke the protocol", "cut", {
            error: `The upstream broke the protocol: ${reason}.`,
          });

    function pump(
      name: "client" | "upstream",
      { side, head }: { readonly side: Duplex; readonly head: Buffer },
      take: (frame: Frame) => Promise<SocketFailure | null>,
    ): void {
      pumpFrames({
        side,
        head,
        masked: name === "client",
        maxPayload: name === "client" ? deps.limits.requestBytes : deps.limits.answerBytes,
        isOver: () => ended || closing[name],
        take,
        failed: (failure) => failed(name, failure),
        broken: (error) => {
          deps.log.error({ failure: describeFailure(error) }, "A WebSocket failed within the gateway");
          endWith(1011, "the gateway failed", "cut");
        },
        ended: () => end(name === "client" || closing.client ? "client_gone" : "cut"),
      });
    }

    // Before anything is read: what is heard meanwhile must not be lost.
    stopping.addEventListener("abort", stop, { once: true });
    pump("upstream", { side: upstream.socket, head: upstream.head }, takeUpstreamFrame);
    pump("client", { side: client, head: upgrade.head }, takeClientFrame);
    if (stopping.aborted) stop();
    if (client.destroyed) end("client_gone");
  });
}
