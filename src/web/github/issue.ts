/** From somebody's consent to the client's token. */
import { err, type Result } from "../../errors.ts";
import { principalOf } from "../../identity/identity.ts";
import type { OauthClient } from "../../model/oauth-client.ts";
import { escapeLine } from "../../model/printable.ts";
import type { Consent } from "../../store/device-codes.ts";
import type { Queryable } from "../../store/database.ts";
import { findPrincipalById } from "../../store/principals.ts";
import { findTokenById } from "../../store/tokens.ts";
import { issueToken, type IssuedToken } from "../auth/issue-token.ts";
import type { Viewer } from "../sign-in.ts";
import { audiencesFor } from "./scopes.ts";

export interface IssueRequest {
  readonly client: OauthClient;
  readonly scope: string;
  readonly consent: Consent;
  /** Where it was asked for; shown with the token in lists. */
  readonly address: string | null;
  readonly consentedAt: Date;
  readonly expiresAt: Date;
}

/** @returns or why not: whoever consented may have lost what they consented with */
export async function issueForConsent(db: Queryable, request: IssueRequest): Promise<Result<IssuedToken, string>> {
  const { client, consent } = request;
  const principal = await findPrincipalById(db, consent.principalId);
  const token = consent.tokenId === null ? null : await findTokenById(db, consent.tokenId);
  if (principal === null || (consent.tokenId !== null && token === null)) return err("Whoever consented is gone.");
  const by: Viewer["by"] =
    token === null
      ? { kind: "provider", authenticatedAt: null }
      : { kind: "token", id: token.id, audiences: token.audiences, expiresAt: token.expiresAt };
  const viewer: Viewer = { principal: principalOf(principal, consent.groups, []), signedInAt: request.consentedAt, by };
  const audiences = grantableTo(client, request.scope, viewer);
  if (audiences.length === 0) return err("Whoever consented may not give this client anything.");
  const from = request.address === null ? "" : ` (signed in from ${request.address})`;
  return issueToken(db, viewer, {
    name: escapeLine(client.name + from, 120),
    audiences,
    expiresAt: request.expiresAt,
  });
}

/** What a viewer's consent is kept as. */
export const consentOf = ({ principal, by }: Viewer): Consent => ({
  principalId: principal.id,
  groups: principal.groups,
  tokenId: by.kind === "token" ? by.id : null,
});

/**
 * What this viewer's consent can give this client; empty: nothing. A token that is not for Copilot signs nobody in to Copilot.
 */
export const grantableTo = (client: OauthClient, scope: string, { by }: Viewer) =>
  audiencesFor(client, scope).filter((audience) => by.kind === "provider" || by.audiences.includes(audience));
