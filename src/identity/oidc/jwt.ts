/**
 * JWTs of the identity provider (RFC 7519, checked as RFC 8725 and RFC 9068 ask). The algorithm is one of ours, whatever the token
 * or the provider's metadata says: `none` and the HMACs, whose key could be a public one, are not among them. Keys come from the
 * provider's own address alone; what a token's header offers (`jwk`, `jku`, `x5u`) is not looked at.
 */
import { decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from "jose";
import { err, GatewayError, ok, type Result } from "../../errors.ts";
import type { AuthenticationFailure } from "../credentials.ts";

export const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];

/** How far the provider's clock may be from ours. */
export const CLOCK_TOLERANCE_SECONDS = 60;

/** What `typ` may be where it is there: logout tokens and proofs of possession are JWTs of the provider's as well. */
const TYPES = ["jwt", "at+jwt", "application/at+jwt"];

/** What Keycloak says besides in a claim; its refresh, offline and logout tokens are JWTs as well. */
const CLAIMED_TYPES = ["jwt", "at+jwt", "id", "bearer"];

/** Where providers say for which of their clients a token was made: OpenID Connect Core 1.0, 2; RFC 9068, 2.2; Okta; Entra's first version. */
const PARTY_CLAIMS = ["azp", "client_id", "cid", "appid"];

/** Three parts of base64url (RFC 7515, compact form), the first of which begins like a JSON object. */
export const looksLikeJwt = (text: string): boolean => /^ey[\w-]+\.[\w-]+\.[\w-]*$/.test(text);

export interface JwtChecks {
  readonly keys: JWTVerifyGetKey;
  /** As the provider's metadata has it. */
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** Our own name at the provider. */
  readonly clientId: string;
  /** The clients for which a token may have been made; null: any of the provider's. */
  readonly clients: readonly string[] | null;
  readonly now: Date;
}

export type VerifiedJwt = JWTPayload & { readonly sub: string; readonly exp: number; readonly iat: number };

/**
 * Signature, issuer, audience and times of a JWT.
 * @throws GatewayError `upstream_unreachable` where the provider's keys cannot be fetched
 */
export async function verifyJwt(jwt: string, checks: JwtChecks): Promise<Result<VerifiedJwt, AuthenticationFailure>> {
  const { keys, issuer, audiences, now } = checks;
  try {
    const { payload, protectedHeader } = await jwtVerify(jwt, keys, {
      issuer,
      audience: [...audiences],
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: now,
      requiredClaims: ["sub", "exp", "iat"],
    });
    if (protectedHeader.typ !== undefined && !TYPES.includes(protectedHeader.typ.toLowerCase()))
      return err(NO_CREDENTIAL);
    // A logout token (OpenID Connect Back-Channel Logout 1.0, 2.4), and one that is bound to a key that we do not ask for (RFC 7800).
    if (payload["events"] !== undefined || payload["cnf"] !== undefined) return err(NO_CREDENTIAL);
    const claimed = payload["typ"];
    if (claimed !== undefined && !(typeof claimed === "string" && CLAIMED_TYPES.includes(claimed.toLowerCase())))
      return err(NO_CREDENTIAL);
    if (!isForParty(payload, checks)) return err(WRONG_CLIENT);
    const { sub, exp, iat } = payload;
    if (sub === undefined || exp === undefined || iat === undefined) return err(NOT_OURS);
    if (iat > now.getTime() / 1_000 + CLOCK_TOLERANCE_SECONDS) return err(NOT_YET);
    return ok({ ...payload, sub, exp, iat });
  } catch (error) {
    return err(explain(error));
  }
}

/**
 * Whom it was made for, besides those who may take it (Core 1.0, 3.1.3.7, steps 4 and 5). An ID token of several audiences is in the hands of
 * each of them: it is somebody's sign-in here only where that is what it was made for. An access token is made for another client than
 * who takes it; which ones may, the configuration can say.
 */
function isForParty(payload: JWTPayload, { clientId, clients }: Pick<JwtChecks, "clientId" | "clients">): boolean {
  const named = PARTY_CLAIMS.map((name) => payload[name]).filter((party) => party !== undefined);
  const [party] = named;
  // Two that differ would be read as it suits.
  if (named.some((one) => typeof one !== "string" || one !== party)) return false;
  const isListed = typeof party === "string" && (party === clientId || clients?.includes(party) === true);
  const isIdToken =
    payload["typ"] === "ID" || ["nonce", "at_hash", "c_hash"].some((name) => payload[name] !== undefined);
  const isShared = Array.isArray(payload.aud) && payload.aud.length > 1;
  if (party === undefined) return !isShared;
  return isListed || (clients === null && !(isShared && isIdToken));
}

/** What it says of itself, unverified: for choosing words, never for deciding. */
export function peekJwt(jwt: string): JWTPayload {
  try {
    return decodeJwt(jwt);
  } catch {
    return {};
  }
}

function explain(error: unknown): AuthenticationFailure {
  if (error instanceof errors.JWTExpired) return EXPIRED;
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "aud") return WRONG_AUDIENCE;
    return error.claim === "nbf" ? NOT_YET : NOT_OURS;
  }
  // Of these, everything else is about the token; a JWKS that cannot be had or read is about the provider.
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) throw keysAway(error);
  if (error instanceof errors.JOSEError && error.code !== "ERR_JOSE_GENERIC") return NOT_OURS;
  throw keysAway(error);
}

export const keysAway = (cause: unknown): GatewayError =>
  new GatewayError(
    "upstream_unreachable",
    "the identity provider's keys cannot be fetched now, so its tokens cannot be checked: try again in a moment, or use a gateway token",
    { cause },
  );

const NOT_OURS: AuthenticationFailure = {
  reason: "unknown",
  message: "This JWT is not one that the gateway's identity provider made, or it is damaged.",
};
const NO_CREDENTIAL: AuthenticationFailure = {
  reason: "unknown",
  message: "This JWT is none that stands for a person by itself. Send an ID token or an access token.",
};
const NOT_YET: AuthenticationFailure = {
  reason: "unknown",
  message: "This JWT is not valid yet. Check the clocks of this machine, the gateway and the identity provider.",
};
const EXPIRED: AuthenticationFailure = {
  reason: "expired",
  message: "This JWT has expired. Get a new one from the identity provider.",
};
const WRONG_CLIENT: AuthenticationFailure = {
  reason: "wrong_audience",
  message:
    "This JWT was made for another client of the identity provider (azp). Get one of a client that the gateway's operator has listed (identity.oidc.clients).",
};
const WRONG_AUDIENCE: AuthenticationFailure = {
  reason: "wrong_audience",
  message: "This JWT is for somebody else (aud). Ask the identity provider for one whose audience is this gateway.",
};
