/**
 * The upstream's answer, on its way to the client and into the record: byte for byte, masked as it streams, or, where it is changed as a
 * whole, read whole.
 */
import type { AnswerSummary } from "../../copilot/answer-reader.ts";
import { type AnswerRecorder, createAnswerRecorder } from "../../copilot/answer-recorder.ts";
import { createAnswerStreamMask, maskAnswerBody } from "../../copilot/answer-masking.ts";
import type { Endpoint } from "../../copilot/endpoints/endpoint.ts";
import type { Logger } from "../../model/log.ts";
import type { ExchangeRequest } from "../exchange.ts";
import { describeFailure } from "./describe-failure.ts";
import type { Admitted } from "./gate.ts";
import { clientHeaders, REQUEST_ID } from "./headers.ts";
import type { Mask } from "./mask-messages.ts";
import { answerMasks, masksAnswers, type SentMasking } from "./mask-sent.ts";
import { NOTHING, outcomeOf, stoppedBy } from "./outcome.ts";
import { within } from "./patience.ts";
import type { ReadRequest } from "./read-request.ts";
import type { ExchangeEnd } from "./record.ts";
import type { OpenRecord, Records } from "./records.ts";
import { brokenOff, sendRefusal, unmaskableAnswer, unusableAnswer } from "./refusals.ts";
import { relayAnswer } from "./relay.ts";
import { readAnswerBody, type UpstreamAnswer } from "./upstream-answer.ts";
import { issuedInHeaders, type UpstreamIds } from "./upstream-ids.ts";

export interface PassOnDependencies {
  readonly records: Records;
  readonly upstreamIds: UpstreamIds;
  readonly mask: Mask;
  readonly sent?: SentMasking;
  readonly limits: { readonly answerBytes: number; readonly settleMs: number };
  readonly log: Logger;
  readonly now: () => Date;
}

/** A request that the upstream has heard. */
export interface Forwarded {
  readonly endpoint: Endpoint;
  readonly read: ReadRequest;
  readonly admitted: Admitted;
  readonly method: string;
}

/** Resolves when the client has the answer, or is gone, and its record is written or its writing goes on by itself. */
export type PassOn = (exchange: ExchangeRequest, forwarded: Forwarded, answer: UpstreamAnswer) => Promise<void>;

export function createPassOn(deps: PassOnDependencies): PassOn {
  const { records, upstreamIds, limits } = deps;

  const recorderOf = (
    { endpoint, admitted: { record } }: Forwarded,
    streamed: boolean,
    encoding: string | undefined,
  ): AnswerRecorder =>
    createAnswerRecorder(
      {
        read: (pieces) => records.readAnswer(record, streamed, pieces),
        finish: (capped) => records.endAnswer(record, streamed, capped),
      },
      { streamed, encoding, maxBytes: limits.answerBytes, endsStream: endpoint.conversation?.endsStream },
    );

  async function passOn(exchange: ExchangeRequest, forwarded: Forwarded, answer: UpstreamAnswer): Promise<void> {
    const { response, connection } = exchange;
    const { endpoint, admitted } = forwarded;
    const { record } = admitted;
    const known = {
      httpStatus: answer.statusCode,
      upstreamRequestId: firstHeader(answer, REQUEST_ID) ?? firstHeader(answer, "x-request-id"),
    };
    const streamed = /^text\/event-stream\b/i.test(answer.headers["content-type"] ?? "");
    const masks =
      deps.sent !== undefined && masksAnswers(deps.sent, endpoint) ? answerMasks(deps.mask, deps.sent) : null;
    const rewriter =
      masks !== null && streamed ? createAnswerStreamMask(endpoint.format, masks, limits.answerBytes) : null;
    const isPacked = (answer.headers["content-encoding"] ?? "identity") !== "identity";
    const unusable =
      unusableAnswer(answer, connection) ??
      (masks !== null && ((streamed && rewriter === null) || isPacked) ? unmaskableAnswer(connection.name) : null);
    if (unusable !== null) {
      answer.destroy();
      const error = `${unusable.message} (the upstream's status: ${known.httpStatus})`;
      await records.settle(record, { ...NOTHING, ...known, status: "upstream_failed", error });
      return sendRefusal(response, record.id, unusable);
    }
    const { rewrite } = endpoint;
    if (rewrite !== undefined) {
      return await passOnChanged(exchange, forwarded, answer, (body) => rewrite(body, connection.rules.websocket));
    }
    if (masks !== null && !streamed) {
      return await passOnChanged(exchange, forwarded, answer, (body) =>
        body.length === 0 ? body : maskAnswerBody(endpoint.format, body, masks),
      );
    }
    const recorder = recorderOf(forwarded, streamed, answer.headers["content-encoding"]);
    const drop = rewriter === null ? [] : CHANGED;
    const headers = clientHeaders(answer.rawHeaders, { recordId: record.id, connection, drop });
    response.writeHead(known.httpStatus, answer.statusMessage, headers);
    await relayAnswer({
      answer,
      response,
      recorder,
      streamed,
      rewriter,
      stop: admitted.stop,
      now: deps.now,
      settle: async (end) => {
        const summary = await recorder.finish();
        const settled: ExchangeEnd = {
          ...NOTHING,
          ...known,
          ...((end.end === "stopped" ? stoppedBy(admitted.stop)?.end : null) ??
            outcomeOf(end, known.httpStatus, summary)),
          firstByteAt: end.firstByteAt,
          responseBytes: end.bytes,
          answer: "read",
          answerMasked: rewriter !== null,
        };
        await settleAnswer(exchange, forwarded, answer, settled, summary);
      },
    });
  }

  /** Writes the end of an exchange whose answer has come, as far as it has. */
  async function settleAnswer(
    { principal, connection }: ExchangeRequest,
    { read, admitted, method }: Forwarded,
    answer: UpstreamAnswer,
    end: ExchangeEnd,
    summary: Pick<AnswerSummary, "issuedIds" | "repeatedIds"> | null,
  ): Promise<void> {
    const { record } = admitted;
    // What a GET shows may be everybody's: nobody gets it by looking at it.
    if (read.parsed !== null && method === "POST") {
      const ids = read.parsed.keepsIds
        ? [...(summary?.issuedIds ?? []), ...issuedInHeaders(answer.headers)]
        : (summary?.repeatedIds ?? []);
      // Before the client has them: what it got it may use the next moment.
      await claimIds(record, upstreamIds.claim({ principalId: principal.id, connection }, ids));
    }
    const isUnread = read.unread !== null && end.status === "complete";
    await records.settle(record, isUnread ? { ...end, status: "truncated", error: read.unread } : end);
  }

  /** An id that cannot be written down works for nobody: that is the safe side, and the answer goes on. */
  async function claimIds(record: OpenRecord, claiming: Promise<void> | null): Promise<void> {
    if (claiming === null) return;
    try {
      await within(limits.settleMs, claiming);
    } catch (error) {
      deps.log.error({ exchange: record.id, failure: describeFailure(error) }, "Ids of an answer could not be kept");
    }
  }

  /** What is changed as a whole is read whole. */
  async function passOnChanged(
    exchange: ExchangeRequest,
    forwarded: Forwarded,
    answer: UpstreamAnswer,
    change: (body: Buffer) => Buffer | null,
  ): Promise<void> {
    const { response, connection } = exchange;
    const { endpoint, admitted } = forwarded;
    const { record } = admitted;
    const known = { httpStatus: answer.statusCode, upstreamRequestId: firstHeader(answer, REQUEST_ID) };
    const firstByteAt = deps.now();
    const body = await readAnswerBody(answer, limits.answerBytes, admitted.stop);
    const stopped = stoppedBy(admitted.stop);
    const changed = body === null || stopped !== null ? null : change(body);
    if (body === null || changed === null) {
      answer.destroy();
      const refusal = stopped?.refusal ?? (body === null ? brokenOff : unmaskableAnswer(connection.name));
      const end: ExchangeEnd = { ...NOTHING, ...known, status: "upstream_failed", error: refusal.message };
      await settleAnswer(exchange, forwarded, answer, { ...end, ...stopped?.end }, null);
      return sendRefusal(response, record.id, refusal);
    }
    const recorder = recorderOf(forwarded, false, undefined);
    await recorder.take(body, 0);
    const summary = await recorder.finish();
    const settled: ExchangeEnd = {
      ...NOTHING,
      ...known,
      ...outcomeOf({ end: "whole" }, known.httpStatus, summary),
      firstByteAt,
      responseBytes: changed.length,
      answer: endpoint.conversation === undefined ? null : "read",
      answerMasked: endpoint.conversation !== undefined,
    };
    await settleAnswer(exchange, forwarded, answer, settled, summary);
    const drop = changed === body ? ["content-length"] : CHANGED;
    const headers = clientHeaders(answer.rawHeaders, { recordId: record.id, connection, drop });
    response.writeHead(known.httpStatus, [...headers, "content-length", String(changed.length)]);
    response.end(changed);
  }

  return passOn;
}

/** Headers that are about the bytes as they came. */
const CHANGED = ["content-length", "etag", "content-md5", "digest", "content-digest", "repr-digest"];

const firstHeader = (message: UpstreamAnswer, name: string): string | null => {
  const value = message.headers[name];
  return typeof value === "string" ? value : null;
};
