/**
 * The two ways things go wrong.
 *
 * Expected outcomes (a push that policy refuses, a token that has expired) are values: a `Result`, a `Verdict`.
 * Broken things (an upstream that does not answer, a full disk) throw a `GatewayError` with a stable code. Exactly two
 * places put an error on a wire: `web/error-response.ts` (HTTP) and `git/refusal.ts` (`ng <ref> <reason>`).
 */
export type GatewayErrorCode =
  | "config_invalid"
  | "request_malformed"
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "conflict"
  | "limit_exceeded"
  | "pack_invalid"
  | "inspection_failed"
  | "upstream_unreachable"
  | "upstream_unauthorized"
  | "upstream_misbehaved"
  | "client_gone"
  | "database_unavailable"
  | "storage_failed"
  | "internal";

/**
 * A failure with a stable code. `message` says what happened, to what, and what to do; it never holds a secret and may be
 * shown to the person who made the request. Details for the operator go into `cause`.
 */
export class GatewayError extends Error {
  readonly code: GatewayErrorCode;

  constructor(code: GatewayErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "GatewayError";
    this.code = code;
  }
}

/** The same failure with its text masked; anything else is given back as it is. */
export function maskFailure(error: unknown, mask: (text: string) => string): unknown {
  if (!(error instanceof GatewayError)) return error;
  const message = mask(error.message);
  return message === error.message ? error : new GatewayError(error.code, message, { cause: error.cause });
}

/** An expected outcome: either the value, or the reason why there is none. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export const ok = <T>(value: T): Result<T, never> => ({ ok: true, value });
export const err = <E>(error: E): Result<never, E> => ({ ok: false, error });
