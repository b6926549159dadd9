/**
 * One sign-in's `state`, `nonce` and PKCE verifier, all from one random value that only this browser holds (a cookie): no gateway has
 * to remember it, and an answer that was begun in another browser matches nothing. Each is an HMAC of its own name, so that `state`,
 * which stands in addresses, tells nothing about the others.
 */
import { createHmac, randomBytes } from "node:crypto";

export interface LoginParameters {
  readonly state: string;
  readonly nonce: string;
  /** 43 characters of base64url, as RFC 7636, 4.1 wants it. */
  readonly codeVerifier: string;
}

/** 256 random bits, base64url. */
export const mintLoginSecret = (): string => randomBytes(32).toString("base64url");

export function deriveLogin(secret: string): LoginParameters {
  const derive = (name: string): string =>
    createHmac("sha256", secret).update(`sallyport login ${name}`).digest("base64url");
  return { state: derive("state"), nonce: derive("nonce"), codeVerifier: derive("verifier") };
}
