/**
 * What the identity provider sends when somebody's session ends there (OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6): a JWT of its own
 * type, which is nobody's credential (`jwt.ts` refuses it), as no credential is one of these.
 */
import { errors, jwtVerify, type JWTVerifyGetKey } from "jose";
import { err, ok, type Result } from "../../errors.ts";
import { ALGORITHMS, CLOCK_TOLERANCE_SECONDS, keysAway } from "./jwt.ts";

export interface EndedSession {
  /** As the provider spells it. */
  readonly issuer: string;
  /** Null: the session's own id says whose it is. */
  readonly subject: string | null;
  /** The session at the provider; null: all of the person's. */
  readonly session: string | null;
  /** One token is told once. */
  readonly tokenId: string;
  readonly expiresAt: Date;
}

export interface LogoutTokenChecks {
  readonly keys: JWTVerifyGetKey;
  readonly issuer: string;
  readonly clientId: string;
  readonly now: Date;
}

const EVENT = "http://schemas.openid.net/event/backchannel-logout";
/** "Preferably at most two minutes" (section 4); what is remembered of each is kept as long. */
const LONGEST_SECONDS = 60 * 60;
const MAX_LENGTH = 16_384;
const MAX_ID = 255;

const isId = (value: unknown): value is string => typeof value === "string" && value !== "" && value.length <= MAX_ID;

/**
 * @returns or what is wrong with it
 * @throws GatewayError `upstream_unreachable` where the provider's keys cannot be fetched
 */
export async function verifyLogoutToken(jwt: string, checks: LogoutTokenChecks): Promise<Result<EndedSession, string>> {
  const { keys, issuer, clientId, now } = checks;
  if (jwt.length > MAX_LENGTH) return err("the token is too long");
  let verified: Awaited<ReturnType<typeof jwtVerify>>;
  try {
    verified = await jwtVerify(jwt, keys, {
      issuer,
      audience: clientId,
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: now,
      requiredClaims: ["iat", "exp", "jti", "events"],
    });
  } catch (error) {
    const isAway = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid;
    if (isAway || !(error instanceof errors.JOSEError) || error.code === "ERR_JOSE_GENERIC") throw keysAway(error);
    return err("the token is not the provider's, not for this gateway, or not valid now");
  }
  const { payload, protectedHeader } = verified;
  const typ = protectedHeader.typ?.toLowerCase().replace(/^application\//, "");
  // Providers of before the type was registered write `JWT`.
  if (typ !== undefined && typ !== "logout+jwt" && typ !== "jwt") return err("the token is of another type");
  const { sub, sid, jti, iat = 0, exp = 0, events } = payload;
  const event: unknown =
    typeof events === "object" && events !== null ? (events as Record<string, unknown>)[EVENT] : null;
  if (typeof event !== "object" || event === null || Array.isArray(event)) return err("the token tells of no sign-out");
  // An ID token with an event in it, which somebody got by asking for one.
  if (payload["nonce"] !== undefined) return err("the token has a nonce");
  if (!isId(jti)) return err("the token has no id");
  if ((sub !== undefined && !isId(sub)) || (sid !== undefined && !isId(sid)) || (sub ?? sid) === undefined)
    return err("the token names neither a person nor a session");
  const nowSeconds = now.getTime() / 1_000;
  if (iat > nowSeconds + CLOCK_TOLERANCE_SECONDS) return err("the token is from the future");
  if (exp - Math.min(iat, nowSeconds) > LONGEST_SECONDS) return err("the token is valid for too long");
  return ok({
    issuer,
    subject: sub ?? null,
    session: isId(sid) ? sid : null,
    tokenId: jti,
    expiresAt: new Date(exp * 1_000),
  });
}
