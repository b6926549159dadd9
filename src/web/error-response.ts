/** The translator of errors to HTTP; the other one, to `ng <ref> <reason>`, is `git/refusal.ts`. */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { GatewayError, type GatewayErrorCode } from "../errors.ts";
import { escapeUnprintable } from "../model/printable.ts";

export interface HttpError {
  readonly status: number;
  readonly code: GatewayErrorCode;
  /** Safe to show to whoever asked. */
  readonly message: string;
}

const STATUS: Readonly<Record<GatewayErrorCode, number>> = {
  request_malformed: 400,
  pack_invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  limit_exceeded: 413,
  // Nobody reads it; nginx logs the same number.
  client_gone: 499,
  inspection_failed: 500,
  config_invalid: 500,
  internal: 500,
  upstream_unauthorized: 502,
  upstream_misbehaved: 502,
  upstream_unreachable: 503,
  database_unavailable: 503,
  storage_failed: 503,
};

const GATEWAY_FAILED = "the gateway failed; its operator finds the reason in its log";

/** Codes whose own message is for the operator: what is broken inside the gateway is for its log. */
const SHOWN_INSTEAD: Partial<Record<GatewayErrorCode, string>> = {
  config_invalid: GATEWAY_FAILED,
  internal: GATEWAY_FAILED,
  database_unavailable: "the gateway's database is away; try again in a moment",
  storage_failed: "the gateway cannot store this now; ask its operator",
};

/** What an outsider may know of an error. */
export function describeError(error: unknown): HttpError {
  if (!(error instanceof GatewayError)) return { status: 500, code: "internal", message: GATEWAY_FAILED };
  return { status: STATUS[error.code], code: error.code, message: SHOWN_INSTEAD[error.code] ?? error.message };
}

/** For the API: `{"error":{"code","message"}}`. */
export function errorResponse(error: unknown): Response {
  const { status, code, message } = describeError(error);
  return Response.json({ error: { code, message } }, { status });
}

/**
 * For git, which prints a body only if it is text/plain, line by line behind `remote: `.
 * Where the answer has begun already, the connection is broken off: a part must not pass for the whole.
 */
export function sendText(
  outgoing: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {},
): Promise<void> {
  if (outgoing.headersSent || outgoing.destroyed) {
    outgoing.destroy();
    return Promise.resolve();
  }
  const body = Buffer.from(`${escapeUnprintable(text).trimEnd()}\n`);
  outgoing.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": body.length,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
  });
  return new Promise((resolve) => {
    outgoing.once("close", resolve);
    outgoing.end(body, () => resolve());
  });
}

export function sendError(outgoing: ServerResponse, error: unknown): Promise<void> {
  const { status, message } = describeError(error);
  return sendText(outgoing, status, `Sallyport: ${message}`);
}
