/** What the configuration says of the identity provider. */

export interface OidcSettings {
  /** As configured; the provider's own spelling may differ by a slash at the end. */
  readonly issuer: string;
  readonly clientId: string;
  /** Null: a public client, which PKCE alone protects. */
  readonly clientSecret: string | null;
  /** How the secret is presented; null: as the provider says that it takes it, in the header first. */
  readonly clientAuthentication: "client_secret_basic" | "client_secret_post" | null;
  readonly scopes: readonly string[];
  /** For the button of the sign-in page. */
  readonly name: string;
  /** Where a person's groups stand: a claim's name, or the way down to it. */
  readonly groupsClaim: string | readonly string[];
  /** The claim that says whether the address in `email` was verified. */
  readonly emailVerifiedClaim: string;
  /** A JWT presented as a credential has to be for one of these. */
  readonly audiences: readonly string[];
  /** Clients of the provider whose JWTs are taken; null: any client's. */
  readonly clients: readonly string[] | null;
  /** How long a person's groups are believed after the provider stated them. */
  readonly groupsMaxAgeMs: number;
  /** Whether only the provider's `auth_time` says when a person proved who they are, or else the sign-in's own time. */
  readonly authTime: "required" | "assumed";
  /** Groups by domain of the organisation; null: people of every domain may sign in. */
  readonly domains: Readonly<Record<string, readonly string[]>> | null;
  /** Where to ask for the groups that did not fit into a token; null: nowhere. */
  readonly overage: { readonly url: string; readonly property: string } | null;
}

/** Whether two texts name one issuer: URLs compare in normal form, so that a slash after the host's name does not count. */
export function sameIssuer(a: string, b: string): boolean {
  if (a === b) return true;
  return URL.canParse(a) && URL.canParse(b) && new URL(a).href === new URL(b).href;
}
