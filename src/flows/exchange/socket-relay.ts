/**
 * What passes on an open WebSocket. Every message of the client's is read whole, judged and on record before the upstream hears of it; what the
 * upstream says goes to the client byte for byte, and the end of an answer only once its record is written. Each side is read no faster
 * than the other one takes it.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { AnswerMessageMask } from "../../copilot/answer-masking.ts";
import type { RequestHead } from "../../copilot/request-head.ts";
import { readBodyConversation } from "../../copilot/sessions.ts";
import {
  checkClose,
  encodeClose,
  encodeFrame,
  type Frame,
  FrameParser,
  MessageAssembler,
  OPCODE,
  type SocketFailure,
  type SocketMessage,
} from "../../copilot/streams/websocket.ts";
import type { Result } from "../../errors.ts";
import type { CopilotConnection } from "../../model/connection.ts";
import type { Message } from "../../model/exchange.ts";
import { newId } from "../../model/id.ts";
import type { Logger } from "../../model/log.ts";
import type { Principal } from "../../model/principal.ts";
import { describeFailure } from "./describe-failure.ts";
import { readHead, recordHead, REQUEST_ID } from "./headers.ts";
import type { ExchangeEnd, ExchangeStart } from "./record.ts";
import type { OpenRecord, Records } from "./records.ts";
import type { SentHead } from "./mask-sent.ts";
import type { Refusal } from "./refusals.ts";
import type { RelayEnd } from "./relay.ts";
import { CLOSE_MS, OWN_HEADERS, type UpstreamSocket } from "./socket-handshake.ts";
import { createLanes } from "./socket-lanes.ts";
import { readSocketMessage, type SocketRequest } from "./socket-request.ts";
import { referencesOutside, type UpstreamIds } from "./upstream-ids.ts";

export interface SocketUpgrade {
  readonly principal: Principal;
  readonly connection: CopilotConnection;
  readonly path: string;
  readonly query: string;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came behind the handshake. */
  readonly head: Buffer;
  /** Aborted when the gateway is to stop: what runs may end, nothing new begins. */
  readonly stopping: AbortSignal;
  /** Whether the person may still use the connection; asked before each message. One line says why not. */
  readonly recheck: () => Promise<Result<Principal, string>>;
}

export interface AskedBySocket {
  readonly start: ExchangeStart;
  readonly connection: CopilotConnection;
  readonly request: SocketRequest;
  readonly bytes: Buffer;
  readonly outside: ReturnType<typeof referencesOutside>;
}

export interface AdmittedToSocket {
  readonly record: OpenRecord;
  /** What goes upstream. */
  readonly bytes: Buffer;
  /** Aborted when somebody stops the person or the session; how that is told. */
  readonly stop: AbortSignal;
  readonly endOfStop: () => Partial<ExchangeEnd>;
  readonly release: () => void;
}

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

    const send = (side: Duplex, bytes: Buffer): Promise<void> | null => {
      if (side.destroyed || side.write(bytes)) return null;
      return new Promise((drained) => {
        const done = (): void => {
          side.off("drain", done).off("close", done);
          drained();
        };
        side.once("drain", done).once("close", done);
      });
    };
    const toUpstream = (opcode: number, payload: Buffer) =>
      send(upstream.socket, encodeFrame(opcode, payload, randomBytes(4)));

    async function takeClientMessage(payload: Buffer): Promise<void> {
      const id = newId();
      const still = await upgrade.recheck();
      if (!still.ok) return endWith(1008, still.error, "stopped", { error: still.error });
      const start = startOfSocket({ ...upgrade, principal: still.value }, id, deps.now());
      const refuse = (refusal: Refusal): Promise<void> | null => send(client, errorEvent(refusal));
      if (stopping.aborted) {
        return void (await refuse({
          httpStatus: 503,
          code: "stopping",
          message: "The gateway stops. Connect again.",
        }));
      }
      const read = readSocketMessage(payload, upgrade.request.headers);
      if (!read.ok) {
        const message = `The gateway cannot record this message: ${read.error}. It was not sent on.`;
        const refusal = { httpStatus: 400, code: "request_malformed", message };
        await deps.records.refuse({ ...start, requestBytes: payload.length }, refusal);
        return void (await refuse(refusal));
      }
      if (read.value.kind === "control") return void (await toUpstream(OPCODE.text, payload));
      const { request } = read.value;
      const previous = request.parsed.references.find(({ field }) => field === "previous_response_id");
      const before = previous === undefined ? null : lanes.conversationAfter(previous.id);
      const messages = continued(before, request.parsed.messages);
      const own = {
        ...request.parsed,
        references: request.parsed.references.filter(({ id: one }) => !lanes.issuedHere(one)),
      };
      const admitted = await deps.admit({
        start: {
          ...start,
          headers: request.headers,
          head: [...start.head, ...request.head],
          model: own.model,
          streamed: true,
          messages,
          bodyConversation: readBodyConversation(request.json),
          grouping: "history",
          requestBytes: payload.length,
        },
        connection,
        request: { ...request, parsed: own },
        bytes: payload,
        outside: referencesOutside(upgrade.path, upgrade.query, null, request.headers),
      });
      if (!admitted.ok) return void (await refuse(admitted.error));
      const { record, bytes, stop: stopped, endOfStop, release } = admitted.value;
      const heard = (): void => endWith(1008, "stopped by an administrator", "stopped", endOfStop());
      stopped.addEventListener("abort", heard, { once: true });
      lanes.open(request.lane, {
        record,
        conversation: messages,
        keepsIds: own.keepsIds,
        release: () => {
          stopped.removeEventListener("abort", heard);
          release();
        },
      });
      if (ended) return await lanes.endAll("client_gone");
      if (stopped.aborted) return heard();
      await toUpstream(OPCODE.text, bytes);
    }

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
      for (const message of messages) await send(client, encodeFrame(OPCODE.text, Buffer.from(message), null));
    }

    const upstreamMessages = new MessageAssembler(deps.limits.answerBytes);
    async function takeUpstreamFrame(frame: Frame): Promise<SocketFailure | null> {
      if (frame.opcode === OPCODE.close) {
        closing.upstream = true;
        await lanes.endAll(closing.client ? "client_gone" : "cut");
        await send(client, frame.raw);
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
      await send(client, frame.raw);
      stopWhenIdle();
      return null;
    }

    const failed = (side: "client" | "upstream", { code, reason }: SocketFailure): void =>
      side === "client"
        ? endWith(code, reason, "client_gone")
        : endWith(1011, "the upstream broke the protocol", "cut", {
            error: `The upstream broke the protocol: ${reason}.`,
          });

    /** Frames one after the other; a side is not read while one of its frames is at work. */
    function pump(
      name: "client" | "upstream",
      side: Duplex,
      head: Buffer,
      take: (frame: Frame) => Promise<SocketFailure | null>,
    ): void {
      const max = name === "client" ? deps.limits.requestBytes : deps.limits.answerBytes;
      const parser = new FrameParser({ masked: name === "client", maxPayload: max });
      const work = async (chunk: Buffer): Promise<void> => {
        side.pause();
        for (const frame of parser.push(chunk)) {
          const failure = ended || closing[name] ? null : await take(frame);
          if (failure !== null) return failed(name, failure);
        }
        if (parser.failure !== null) return failed(name, parser.failure);
        if (!side.destroyed) side.resume();
      };
      let last: Promise<void> = Promise.resolve();
      const onData = (chunk: Buffer): void => {
        last = last
          .then(() => work(chunk))
          .catch((error: unknown) => {
            deps.log.error({ failure: describeFailure(error) }, "A WebSocket failed within the gateway");
            endWith(1011, "the gateway failed", "cut");
          });
      };
      side.on("error", () => {});
      side.on("data", onData);
      side.once("end", () => void last.then(() => end(name === "client" || closing.client ? "client_gone" : "cut")));
      side.once("close", () => void last.then(() => end(name === "client" || closing.client ? "client_gone" : "cut")));
      if (head.length > 0) onData(head);
    }

    // Before anything is read: what is heard meanwhile must not be lost.
    stopping.addEventListener("abort", stop, { once: true });
    pump("upstream", upstream.socket, upstream.head, takeUpstreamFrame);
    pump("client", client, upgrade.head, takeClientFrame);
    if (stopping.aborted) stop();
    if (client.destroyed) end("client_gone");
  });
}

/** Parameters, instructions and tools of this message, then the conversation so far, then what is new. */
function continued(before: readonly Message[] | null, now: readonly Message[]): readonly Message[] {
  if (before === null) return now;
  const isFixed = ({ role }: Message): boolean => role === "system" || role === "developer";
  return [
    ...now.filter(isFixed),
    ...before.filter((message) => !isFixed(message)),
    ...now.filter((one) => !isFixed(one)),
  ];
}

/** What of a handshake the client says: the rest is the handshake's own, and another one goes to the upstream. */
export const headOfHandshake = ({ query, headers }: RequestHead): RequestHead => ({
  query,
  headers: headers.filter(([name]) => !OWN_HEADERS.has(name)),
});

/** What is known of a connection before anything is said on it. */
export const startOfSocket = (
  { principal, connection, path, query, request }: SocketUpgrade,
  id: string,
  now: Date,
): ExchangeStart => ({
  id,
  principal,
  connection: connection.name,
  method: "GET",
  path,
  headers: request.headers,
  head: recordHead(headOfHandshake(readHead(request.headers, query, connection)), request.headers),
  format: "responses",
  model: null,
  streamed: null,
  messages: null,
  bodyConversation: null,
  grouping: "none",
  requestBytes: 0,
  requestMasked: false,
  startedAt: now,
});

/** In the upstream's own form, so that clients show its message. */
const errorEvent = ({ httpStatus, code, message }: Refusal): Buffer =>
  encodeFrame(
    OPCODE.text,
    Buffer.from(
      JSON.stringify({ type: "error", status: httpStatus, error: { type: "invalid_request_error", code, message } }),
    ),
    null,
  );
