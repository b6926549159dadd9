import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from "openid-client";
import { GatewayError } from "../../errors.ts";
import { escapeLine } from "../../model/printable.ts";
import type { OidcSettings } from "../provider-settings.ts";

/**
 * What the person reads where a sign-in fails by what came back; what is broken is thrown on.
 * @throws GatewayError
 */
export function explainSignInFailure(error: unknown, { issuer }: OidcSettings): string {
  if (error instanceof GatewayError) throw error;
  // Checked before it comes here: it is the provider's answer to a question of this browser.
  if (error instanceof AuthorizationResponseError) {
    const why = error.error_description ?? "";
    return escapeLine(`The identity provider says: ${error.error}${why === "" ? "" : `, ${why}`}.`, 500);
  }
  if (error instanceof ResponseBodyError) {
    if (error.error === "invalid_grant")
      return "This sign-in has been used already, or has taken too long. Please sign in again.";
    throw new GatewayError(
      "upstream_misbehaved",
      `the identity provider at ${issuer} refuses the gateway (${escapeLine(error.error, 100)}): its operator has to look at identity.oidc`,
      { cause: error },
    );
  }
  if (error instanceof WWWAuthenticateChallengeError) throw unusable(issuer, error);
  if (error instanceof ClientError) {
    if (
      error.code === "OAUTH_INVALID_RESPONSE" ||
      error.code === "OAUTH_JWT_CLAIM_COMPARISON_FAILED" ||
      error.code === "OAUTH_JWT_TIMESTAMP_CHECK_FAILED"
    ) {
      return "What came back does not belong to a sign-in that this browser began. Please sign in again.";
    }
    throw unusable(issuer, error);
  }
  throw new GatewayError(
    "upstream_unreachable",
    `the identity provider at ${issuer} does not answer: try again in a moment`,
    { cause: error },
  );
}

const unusable = (issuer: string, cause: Error): GatewayError =>
  new GatewayError("upstream_misbehaved", `the identity provider at ${issuer} gives an answer that cannot be used`, {
    cause,
  });
