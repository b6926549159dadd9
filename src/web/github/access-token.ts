/** `POST /login/oauth/access_token`: a client asks for its token, with a device code or with an authorization code. */
import { createHash, timingSafeEqual } from "node:crypto";
import { Hono, type Context } from "hono";
import { err, type Result } from "../../errors.ts";
import { hashToken } from "../../identity/tokens.ts";
import type { OauthClient } from "../../model/oauth-client.ts";
import { noteIssuedToken, spendAuthorizationCode } from "../../store/authorization-codes.ts";
import { consumeDeviceCode, pollDeviceCode, type DeviceCodeRow } from "../../store/device-codes.ts";
import { revokeWithMade } from "../../store/tokens.ts";
import type { IssuedToken } from "../auth/issue-token.ts";
import { sendOauth, sendOauthError } from "./answers.ts";
import { findClient, unknownClient, type GithubDependencies } from "./context.ts";
import { issueForConsent } from "./issue.ts";
import { readParameters, type Parameters } from "./parameters.ts";
import { digestRedirect } from "./redirect.ts";
import { grantedScope } from "./scopes.ts";

const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

export function createAccessTokenRoute(deps: GithubDependencies): Hono {
  const { db, now } = deps;
  const routes = new Hono();

  const send = (c: Context, { token, row }: IssuedToken, scope: string): Response =>
    sendOauth(c, {
      access_token: token,
      token_type: "bearer",
      scope: grantedScope(scope, row.audiences),
      ...(row.expiresAt === null
        ? {}
        : { expires_in: Math.max(0, Math.floor((row.expiresAt.getTime() - now().getTime()) / 1_000)) }),
    });

  const expiry = (): Date => new Date(now().getTime() + deps.github.tokenMs);

  async function fromDeviceCode(c: Context, client: OauthClient, parameters: Parameters): Promise<Response> {
    const code = parameters.get("device_code");
    if (code === undefined) return sendOauthError(c, "invalid_request", "Send the device_code.");
    const poll = await pollDeviceCode(db, hashToken(code), client.id, now());
    switch (poll.kind) {
      case "unknown":
      case "consumed":
        return sendOauthError(c, "incorrect_device_code", "This gateway knows no such device code, or it was used.");
      case "expired":
        return sendOauthError(c, "expired_token", "Nobody approved this sign-in in time. Begin again.");
      case "denied":
        return sendOauthError(c, "access_denied", "The sign-in was refused in the browser.");
      case "pending":
        return sendOauthError(c, "authorization_pending", "Nobody has approved this sign-in yet.");
      case "too_soon":
        return sendOauth(c, {
          error: "slow_down",
          error_description: `Ask every ${poll.interval} seconds at most.`,
          interval: poll.interval,
        });
      case "approved":
        return issueForDevice(c, client, poll.row);
    }
  }

  async function issueForDevice(c: Context, client: OauthClient, row: DeviceCodeRow): Promise<Response> {
    const { principalId } = row;
    const issued = await db.transaction(async (tx): Promise<Result<IssuedToken, string>> => {
      if (principalId === null || !(await consumeDeviceCode(tx, row.id))) return err("The device code was used.");
      return issueForConsent(tx, {
        client,
        scope: row.scope,
        consent: { principalId, groups: row.groups, tokenId: row.tokenId },
        address: row.address,
        consentedAt: row.createdAt,
        expiresAt: expiry(),
      });
    });
    return issued.ok ? send(c, issued.value, row.scope) : sendOauthError(c, "access_denied", issued.error);
  }

  async function fromCode(c: Context, client: OauthClient, parameters: Parameters): Promise<Response> {
    const bad = (): Response =>
      sendOauthError(c, "bad_verification_code", "The code is wrong, used, or too old. Begin again.");
    const hash = hashToken(parameters.get("code") ?? "");
    const given = parameters.get("redirect_uri");
    const issued = await db.transaction(async (tx) => {
      const spent = await spendAuthorizationCode(tx, hash, now());
      if (spent.kind === "unknown") return null;
      const { row } = spent;
      if (spent.kind === "again") {
        // Somebody has it who should not (RFC 6749, section 4.1.2): which of the two is not known, so neither keeps a token.
        if (row.issuedId !== null) await revokeWithMade(tx, row.issuedId, now());
        return null;
      }
      if (row.expiresAt <= now() || row.clientId !== client.id) return null;
      if (given !== undefined && digestRedirect(given) !== row.redirectUri) return null;
      if (!isVerifier(parameters.get("code_verifier"), row.challenge)) return null;
      const made = await issueForConsent(tx, {
        client,
        scope: row.scope,
        consent: row,
        address: row.address,
        consentedAt: row.createdAt,
        expiresAt: expiry(),
      });
      if (!made.ok) return null;
      await noteIssuedToken(tx, hash, made.value.row.id);
      return { token: made.value, scope: row.scope };
    });
    return issued === null ? bad() : send(c, issued.token, issued.scope);
  }

  routes.post("/login/oauth/access_token", async (c) => {
    const read = await readParameters(c);
    if (!read.ok) return sendOauthError(c, "invalid_request", `The request cannot be read: ${read.error}.`);
    const client = findClient(deps, read.value.get("client_id"));
    if (client === null) {
      return sendOauthError(c, "incorrect_client_credentials", unknownClient(read.value.get("client_id")));
    }
    const grant = read.value.get("grant_type");
    if (grant === DEVICE_GRANT) return fromDeviceCode(c, client, read.value);
    // GitHub's clients leave it out for an authorization code.
    if (grant === undefined || grant === "authorization_code") return fromCode(c, client, read.value);
    return sendOauthError(c, "unsupported_grant_type", "This gateway takes device codes and authorization codes.");
  });
  return routes;
}

/**
 * RFC 7636, section 4.6, for S256. Any visible ASCII, where its section 4.1 has fewer characters: the git-credential-oauth of Debian 12
 * sends base64 with `+`, `/` and `=`, and what counts is the hash.
 */
function isVerifier(verifier: string | undefined, challenge: string): boolean {
  if (verifier === undefined || !/^[!-~]{43,128}$/.test(verifier)) return false;
  const [a, b] = [createHash("sha256").update(verifier, "ascii").digest("base64url"), challenge];
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
