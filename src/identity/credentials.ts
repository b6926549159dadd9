/**
 * Which credential a request carries (RFC 7617 Basic, RFC 6750 Bearer, and what git hosts accept besides). No I/O.
 * Whatever stands in the headers, this never throws and never repeats any of it in a message.
 */
import type { IncomingHttpHeaders } from "node:http";
import { err, ok, type Result } from "../errors.ts";
import { unwrapCopilotToken } from "./tokens.ts";

export interface Credential {
  /** A gateway token, or an identity provider's. Secret. */
  readonly token: string;
  /** Where it stood: what the gateway has to take off before the request goes on. */
  readonly from: "authorization" | "sallyport-token" | "path";
}

export type AuthenticationReason =
  | "missing"
  | "malformed"
  | "unknown"
  | "expired"
  | "revoked"
  | "wrong_audience"
  /** Of somebody for whom no configured provider speaks any more. */
  | "other_issuer"
  /** Good in itself; its person has to sign in again before it counts. */
  | "stale";

export interface AuthenticationFailure {
  readonly reason: AuthenticationReason;
  /** One line for the person who made the request; says what to do. */
  readonly message: string;
}

export interface CredentialSources {
  readonly headers: IncomingHttpHeaders;
  /** The token of an address that begins with `/u/<token>/`; null where it has none. */
  readonly pathToken?: string | null;
  /** The connection passes the client's own `Authorization` through to the upstream: it is not for the gateway. */
  readonly passthrough?: boolean;
}

/** Longer than any token or JWT; refused before anything is decoded. */
const MAX_LENGTH = 16_384;

const MISSING: AuthenticationFailure = {
  reason: "missing",
  message:
    "Sign in: send a gateway token (git: as the password, with any user name; other clients: Authorization: Bearer).",
};
const MALFORMED: AuthenticationFailure = {
  reason: "malformed",
  message: "The credential cannot be read. Send a gateway token as the password (Basic), or as Bearer.",
};

/**
 * The credential meant for the gateway. The header `Sallyport-Token` comes first, then the address, then `Authorization`; the
 * first that is there counts, readable or not: falling through to another would let a request choose who it is.
 */
export function parseCredentials(sources: CredentialSources): Result<Credential, AuthenticationFailure> {
  const header = sources.headers["sallyport-token"];
  if (header !== undefined) return credential(typeof header === "string" ? header.trim() : null, "sallyport-token");
  if (typeof sources.pathToken === "string") return credential(sources.pathToken, "path");
  const { authorization } = sources.headers;
  if (authorization === undefined || sources.passthrough === true) return err(MISSING);
  return credential(parseAuthorization(authorization), "authorization");
}

function credential(token: string | null, from: Credential["from"]): Result<Credential, AuthenticationFailure> {
  // Visible ASCII alone: what else could be a token is none, and must not reach a database or a log.
  if (token === null || token.length > MAX_LENGTH || !/^[!-~]+$/.test(token)) return err(MALFORMED);
  return ok({ token: unwrapCopilotToken(token), from });
}

/** @returns null when it is of no known form */
function parseAuthorization(value: string): string | null {
  if (value.length > MAX_LENGTH) return null;
  const [, scheme = "", rest = ""] = /^ *([A-Za-z]+) +([^ ]+) *$/.exec(value) ?? [];
  switch (scheme.toLowerCase()) {
    case "basic":
      return parseBasic(rest);
    case "bearer":
    case "token":
      return rest;
    default:
      return null;
  }
}

/** The password; or the user name where the password is empty or `x-oauth-basic`, as in `https://<token>@host/`. */
function parseBasic(encoded: string): string | null {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded)) return null;
  const decoded = Buffer.from(encoded, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon === -1) return null;
  const password = decoded.slice(colon + 1);
  return password === "" || password === "x-oauth-basic" ? decoded.slice(0, colon) : password;
}
