/**
 * Which groups a principal stands with. A service has what an operator gave its token. A person of an identity provider has what
 * the provider said last, whichever token they come with, and only while that is recent: whoever leaves a group, or the company,
 * does not keep it by keeping a token. No I/O, no clock.
 */
import { err, ok, type Result } from "../errors.ts";
import { GATEWAY_ISSUER, type Principal } from "../model/principal.ts";
import { sameIssuer, type OidcSettings } from "./provider-settings.ts";

/** What of the provider's settings decides here; null where none is configured. */
export type PeopleProvider = Pick<OidcSettings, "issuer" | "groupsMaxAgeMs"> | null;

export interface KnownPrincipal extends Pick<Principal, "id" | "issuer" | "subject" | "email" | "kind"> {
  /** The provider's last word; `groupsAt` is null where it has said none. */
  readonly groups: readonly string[];
  readonly groupsAt: Date | null;
}

/** `other_issuer`: nobody who is configured vouches for this person. `stale`: it is too long ago that somebody did. */
export type StandingProblem = "other_issuer" | "stale";

/** @param given the groups of the token or of the session, for whom no provider speaks */
export function standingGroups(
  principal: KnownPrincipal,
  given: readonly string[],
  provider: PeopleProvider,
  now: Date,
): Result<readonly string[], StandingProblem> {
  // Operators make people only while there is no provider, and services always.
  const isGateways = principal.issuer === GATEWAY_ISSUER;
  if (isGateways && (provider === null || principal.kind === "service")) return ok(given);
  if (isGateways || provider === null) return err("other_issuer");
  if (!sameIssuer(principal.issuer, provider.issuer)) return err("other_issuer");
  if (principal.groupsAt === null || !isFresh(principal.groupsAt, provider, now)) return err("stale");
  return ok(principal.groups);
}

export const isFresh = (statedAt: Date, provider: NonNullable<PeopleProvider>, now: Date): boolean =>
  now.getTime() - statedAt.getTime() <= provider.groupsMaxAgeMs;
