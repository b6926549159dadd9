/** A message of the client's on a WebSocket: read whole, judged, and on record before the upstream hears of it. */
import { readBodyConversation } from "../../copilot/sessions.ts";
import { encodeFrame, OPCODE } from "../../copilot/streams/websocket.ts";
import type { Result } from "../../errors.ts";
import type { CopilotConnection } from "../../model/connection.ts";
import type { Message } from "../../model/exchange.ts";
import { newId } from "../../model/id.ts";
import type { ExchangeEnd, ExchangeStart } from "./record.ts";
import type { OpenRecord, Records } from "./records.ts";
import type { Refusal } from "./refusals.ts";
import type { Lanes } from "./socket-lanes.ts";
import { sendBytes } from "./socket-pump.ts";
import { readSocketMessage, type SocketRequest } from "./socket-request.ts";
import { type SocketUpgrade, startOfSocket } from "./socket-upgrade.ts";
import { referencesOutside } from "./upstream-ids.ts";

export interface AskedBySocket {
  readonly start: ExchangeStart;
  readonly tokenId: string | null;
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

export interface ClientMessagesDependencies {
  readonly admit: (asked: AskedBySocket) => Promise<Result<AdmittedToSocket, Refusal>>;
  readonly records: Pick<Records, "refuse">;
  readonly lanes: Lanes;
  readonly now: () => Date;
  /** A text message; resolves when there is room for another. */
  readonly toUpstream: (payload: Buffer) => Promise<void> | null;
  /** Ends both sides, because somebody may not go on. */
  readonly close: (code: number, reason: string, as: Partial<ExchangeEnd>) => void;
  readonly hasEnded: () => boolean;
}

/** @returns what takes a message; resolves when the next one may be taken */
export function createClientMessages(
  { admit, records, lanes, now, toUpstream, close, hasEnded }: ClientMessagesDependencies,
  upgrade: SocketUpgrade,
): (payload: Buffer) => Promise<void> {
  return async (payload) => {
    const id = newId();
    const still = await upgrade.recheck();
    if (!still.ok) return close(1008, still.error, { error: still.error });
    const start = startOfSocket({ ...upgrade, principal: still.value }, id, now());
    const refuse = (refusal: Refusal): Promise<void> | null => sendBytes(upgrade.socket, errorEvent(refusal));
    if (upgrade.stopping.aborted) {
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
      await records.refuse({ ...start, requestBytes: payload.length }, refusal);
      return void (await refuse(refusal));
    }
    if (read.value.kind === "control") return void (await toUpstream(payload));
    const { request } = read.value;
    const previous = request.parsed.references.find(({ field }) => field === "previous_response_id");
    const before = previous === undefined ? null : lanes.conversationAfter(previous.id);
    const messages = continued(before, request.parsed.messages);
    const own = {
      ...request.parsed,
      references: request.parsed.references.filter(({ id: one }) => !lanes.issuedHere(one)),
    };
    const admitted = await admit({
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
      tokenId: upgrade.tokenId,
      connection: upgrade.connection,
      request: { ...request, parsed: own },
      bytes: payload,
      outside: referencesOutside(upgrade.path, upgrade.query, null, request.headers),
    });
    if (!admitted.ok) return void (await refuse(admitted.error));
    const { record, bytes, stop: stopped, endOfStop, release } = admitted.value;
    const heard = (): void => close(1008, "stopped by an administrator", endOfStop());
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
    if (hasEnded()) return await lanes.endAll("client_gone");
    if (stopped.aborted) return heard();
    await toUpstream(bytes);
  };
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

/** In the upstream's own form, so that clients show its message. */
const errorEvent = ({ httpStatus, code, message }: Refusal): Buffer =>
  encodeFrame(
    OPCODE.text,
    Buffer.from(
      JSON.stringify({ type: "error", status: httpStatus, error: { type: "invalid_request_error", code, message } }),
    ),
    null,
  );
