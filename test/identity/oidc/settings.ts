import type { OidcSettings } from "../../../src/identity/provider-settings.ts";

/** A provider's settings with the defaults of the configuration. */
export const settings = (changes: Partial<OidcSettings> = {}): OidcSettings => ({
  issuer: "https://idp.example",
  clientId: "sallyport",
  clientSecret: null,
  clientAuthentication: null,
  scopes: ["openid", "email", "profile"],
  name: "idp.example",
  groupsClaim: "groups",
  emailVerifiedClaim: "email_verified",
  audiences: ["sallyport"],
  clients: null,
  groupsMaxAgeMs: 86_400_000,
  authTime: "required",
  domains: null,
  overage: null,
  ...changes,
});
