/** The requests of a push: the upstream's refs, git's probe, and the push itself. */
import { GatewayError, maskFailure } from "../errors.ts";
import { createByteReader, type ByteReader } from "../git/byte-reader.ts";
import { openRequestBody, type RequestBody } from "../git/http-body.ts";
import { FLUSH_PKT } from "../git/pkt-line.ts";
import { createPushExchange, type PushRequest } from "../git/push-exchange.ts";
import {
  DEFAULT_PUSH_HEAD_LIMITS,
  parsePushRequest,
  PushHeadError,
  type PushRequestHead,
} from "../git/receive-pack.ts";
import { refusalReason, refusalReport, sameReason } from "../git/refusal.ts";
import type { GitTarget } from "../git/repository-path.ts";
import type { GitUpstream } from "../git/upstream.ts";
import type { GitConnection } from "../model/connection.ts";
import type { Principal } from "../model/principal.ts";
import type { PushHeadLimits } from "../model/push-limits.ts";
import { isZeroOid } from "../model/ref-update.ts";
import type { NodeExchange } from "./node-adapter.ts";

export interface PushRoutesOptions {
  /** By connection name. */
  readonly upstream: (connection: string) => GitUpstream;
  /** Decides and answers a push through `request.exchange`. What it throws is answered as a refusal of every ref. */
  readonly pushFlow: (request: PushRequest) => Promise<void>;
  /** Takes secrets out of a text. */
  readonly mask: (text: string) => string;
  /** Told of what the client was told in Git's own form. */
  readonly onError: (error: unknown) => void;
  /** By repository; absent: the usual ones. */
  readonly headLimits?: (repository: string) => PushHeadLimits;
  /** Of a whole push request, decoded. */
  readonly maxPushBytes?: number;
}

/** What a request is about, once it is known who asks and that they may. */
export interface Admitted {
  readonly principal: Principal;
  readonly connection: GitConnection;
  readonly target: GitTarget;
}

const DEFAULT_MAX_PUSH_BYTES = 16 * 1024 ** 3;

/** What goes before a push: the upstream's refs, and git's probe. */
export async function relayPush(
  options: PushRoutesOptions,
  exchange: NodeExchange,
  { connection, target }: Admitted,
  kind: "advertisement" | "rpc",
  body?: Buffer,
): Promise<void> {
  await options.upstream(connection.name).relay({
    ...exchange,
    path: target.upstreamPath,
    service: "git-receive-pack",
    kind,
    prefix: target.prefix,
    ...(body === undefined ? {} : { body }),
  });
}

/** Takes a push as far as its commands, and hands it to its flow. */
export async function receivePush(
  options: PushRoutesOptions,
  exchange: NodeExchange,
  admitted: Admitted,
): Promise<void> {
  const { incoming } = exchange;
  const body = openRequestBody(incoming, { maxBytes: options.maxPushBytes ?? DEFAULT_MAX_PUSH_BYTES });
  const reader = createByteReader(body.chunks);
  try {
    const head = await readHead(options, admitted.target.repository, reader);
    if (head.updates.length === 0) {
      // The probe before a large push: the upstream's answer tells early whether it would take one at all.
      return await relayPush(options, exchange, admitted, "rpc", FLUSH_PKT);
    }
    if (
      admitted.connection.credential.kind === "passthrough" &&
      (await isRefusedUpstream(options, exchange, admitted))
    ) {
      return await body.drain();
    }
    await decidePush(options, exchange, admitted, body, reader, head);
  } catch (caught) {
    await body.drain();
    // A head that cannot be read is quoted, and a secret may stand in it: the answer ends in the logs of build machines.
    const error =
      caught instanceof PushHeadError
        ? new PushHeadError(caught.code, options.mask(caught.message), caught.head)
        : caught;
    if (!(error instanceof PushHeadError) || error.head.capabilities.length === 0) throw error;
    // Enough was read to answer in the form that git shows.
    options.onError(error);
    const { head } = error;
    const { outgoing } = exchange;
    const reason = refusalReason(error);
    await createPushExchange({ outgoing, head, drain: body.drain }).finish(
      refusalReport({ head, reasons: sameReason(head, reason), unpack: reason }),
      [`Sallyport: ${reason}`],
    );
  }
}

/**
 * Whether the upstream wants another credential than the client's, which has been told so then. An upstream may let everybody read its
 * refs and ask for a password only here; once the push is being decided, it is too late for the 401 that makes git ask for one.
 */
async function isRefusedUpstream(
  options: PushRoutesOptions,
  exchange: NodeExchange,
  { connection, target: { upstreamPath, prefix } }: Admitted,
): Promise<boolean> {
  const { status } = await options.upstream(connection.name).relay({
    ...exchange,
    path: upstreamPath,
    service: "git-receive-pack",
    kind: "rpc",
    prefix,
    body: FLUSH_PKT,
    onlyRefusal: true,
  });
  return status >= 400;
}

/** @throws PushHeadError */
async function readHead(options: PushRoutesOptions, repository: string, reader: ByteReader): Promise<PushRequestHead> {
  const head = await parsePushRequest(reader, options.headLimits?.(repository) ?? DEFAULT_PUSH_HEAD_LIMITS);
  const hasPack = head.updates.some((update) => !isZeroOid(update.newOid));
  if (!hasPack && !(await reader.atEnd())) {
    const message = "bytes follow the commands of a push that has no pack";
    throw new PushHeadError("request_malformed", message, head);
  }
  return head;
}

async function decidePush(
  options: PushRoutesOptions,
  { incoming, outgoing, signal }: NodeExchange,
  { principal, connection, target }: Admitted,
  body: RequestBody,
  reader: ByteReader,
  head: PushRequestHead,
): Promise<void> {
  const exchange = createPushExchange({ outgoing, head, drain: body.drain });
  const { "sallyport-token": _token, ...clientHeaders } = incoming.headers;
  const { path, upstreamPath, repository } = target;
  const userAgent = incoming.headers["user-agent"] ?? "";
  const request = { principal, connection, path, upstreamPath, repository, head, clientHeaders, userAgent, signal };
  try {
    await options.pushFlow({ ...request, body: reader, exchange });
    if (!exchange.isOver) throw new GatewayError("internal", "the push was not answered");
  } catch (error) {
    options.onError(error);
    const reason = refusalReason(maskFailure(error, options.mask));
    await exchange.finish(refusalReport({ head, reasons: sameReason(head, reason) }), [`Sallyport: ${reason}`]);
  }
}
