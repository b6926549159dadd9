/**
 * What an identity provider's claims say of a person (OpenID Connect Core 1.0, 5.1, and what providers add). No I/O, no clock; the
 * claims have been verified before.
 */
import { err, ok, type Result } from "../../errors.ts";
import type { Principal } from "../../model/principal.ts";
import type { OidcSettings } from "../provider-settings.ts";

export type Claims = Readonly<Record<string, unknown>>;

export type ClaimedGroups =
  | { readonly kind: "stated"; readonly groups: readonly string[] }
  /** The claims say nothing about groups. */
  | { readonly kind: "absent" }
  /** They are too many for a token (Microsoft Entra): they have to be asked for. */
  | { readonly kind: "overage" };

export interface ClaimedPerson {
  readonly subject: string;
  readonly kind: Principal["kind"];
  /**
   * For display. One that was not verified carries a mark, so that no `user:EMAIL` can name it: with many providers anybody can
   * write anybody's address into their own profile. Null: the claims have none.
   */
  readonly email: string | null;
  /** Where there is no address: what else they are called, never of an address's form. */
  readonly label: string;
  readonly groups: ClaimedGroups;
}

/** RFC 7519 and OpenID Connect Core 1.0, 2: at most 255 ASCII characters, compared to the letter. */
const SUBJECT = /^[\x20-\x7e]{1,255}$/;
const EMAIL = /^[^\s@]+@[^\s@]+$/;
const MAX_EMAIL = 320;
const MAX_GROUP = 512;

/** @returns or why this person may not sign in, for them to read */
export function readClaims(claims: Claims, settings: OidcSettings): Result<ClaimedPerson, string> {
  const { sub } = claims;
  if (typeof sub !== "string" || !SUBJECT.test(sub)) {
    return err("The identity provider names no subject that can be used: ask its administrator.");
  }
  const isVerified = isTrue(claims[settings.emailVerifiedClaim]);
  const domain = domainOf(claims, isVerified);
  const ofDomain = settings.domains === null ? [] : domainGroups(settings.domains, domain);
  if (ofDomain === null) {
    const who = domain === null ? "Your account belongs to no organisation that" : `People of ${domain} are none whom`;
    return err(
      `${who} the gateway lets in (identity.oidc.domains): sign in with another account, or ask its operator.`,
    );
  }
  return ok({
    subject: sub,
    kind: isMachine(claims) ? "service" : "person",
    email: displayEmail(claims, isVerified),
    label: `${firstText(claims, ["preferred_username", "name"]) ?? sub} (no e-mail)`,
    groups: readGroups(claims, settings, ofDomain),
  });
}

/** Some providers write text for it. */
const isTrue = (value: unknown): boolean => value === true || value === "true" || value === 1 || value === "1";

function displayEmail({ email }: Claims, isVerified: boolean): string | null {
  if (typeof email !== "string" || email.length > MAX_EMAIL || !EMAIL.test(email)) return null;
  return isVerified ? email : `${email} (unverified)`;
}

const firstText = (claims: Claims, names: readonly string[]): string | null => {
  const found = names.map((name) => claims[name]).find((value) => typeof value === "string" && value !== "");
  return typeof found === "string" ? found.slice(0, 200) : null;
};

/**
 * Google says the organisation (`hd`), and is no authority for addresses of others, verified as they may be:
 * developers.google.com/identity/gsi/web/guides/verify-google-id-token.
 */
function domainOf(claims: Claims, isVerified: boolean): string | null {
  if (typeof claims["hd"] === "string") return claims["hd"].toLowerCase();
  const { email, iss } = claims;
  if (!isVerified || typeof email !== "string" || !EMAIL.test(email)) return null;
  const domain = email.slice(email.lastIndexOf("@") + 1).toLowerCase();
  return iss === "https://accounts.google.com" && domain !== "gmail.com" ? null : domain;
}

const domainGroups = (
  domains: NonNullable<OidcSettings["domains"]>,
  domain: string | null,
): readonly string[] | null => (domain !== null && Object.hasOwn(domains, domain) ? (domains[domain] ?? null) : null);

function readGroups(claims: Claims, settings: OidcSettings, ofDomain: readonly string[]): ClaimedGroups {
  if (isOverage(claims, settings.groupsClaim)) return { kind: "overage" };
  const value = findClaim(claims, settings.groupsClaim);
  if (value === undefined && settings.domains === null) return { kind: "absent" };
  return { kind: "stated", groups: [...new Set([...asGroups(value), ...ofDomain])] };
}

/** One group may stand by itself instead of in a list. What is no text, or means something else in the configuration, is none. */
export function asGroups(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter(
    (group): group is string =>
      typeof group === "string" &&
      group !== "" &&
      group.length <= MAX_GROUP &&
      group !== "*" &&
      !group.startsWith("user:"),
  );
}

/** The whole name first: claims may be URLs (`https://example.com/groups`); then its dots lead into objects (Keycloak's roles). */
function findClaim(claims: Claims, claim: OidcSettings["groupsClaim"]): unknown {
  if (typeof claim === "string" && Object.hasOwn(claims, claim)) return claims[claim];
  let at: unknown = claims;
  for (const name of typeof claim === "string" ? claim.split(".") : claim) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Claims)[name];
  }
  return at;
}

/**
 * Entra leaves out more than 200 groups and says so (distributed claims, OpenID Connect Core 1.0, 5.6.2):
 * learn.microsoft.com/entra/identity-platform/access-token-claims-reference#groups-overage-claim.
 */
function isOverage(claims: Claims, claim: OidcSettings["groupsClaim"]): boolean {
  const names = claims["_claim_names"];
  const name = typeof claim === "string" ? claim : (claim[0] ?? "");
  return isTrue(claims["hasgroups"]) || (typeof names === "object" && names !== null && Object.hasOwn(names, name));
}

/** A client's own token, with no person behind it (RFC 9068, 2.2: `sub` is then the client; Entra says `idtyp: app`). */
const isMachine = (claims: Claims): boolean =>
  claims["idtyp"] === "app" ||
  ["client_id", "azp", "cid", "appid"].some((name) => claims[name] !== undefined && claims[name] === claims["sub"]) ||
  // Keycloak's service accounts are users of its own making.
  (typeof claims["client_id"] === "string" &&
    claims["preferred_username"] === `service-account-${claims["client_id"].toLowerCase()}`);
