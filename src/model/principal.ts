/** What a credential may be used for. A token serves only the audiences it was made for. */
export const AUDIENCES = ["git", "copilot", "api"] as const;
export type Audience = (typeof AUDIENCES)[number];

/** Who is asking. A person is issuer + subject; the e-mail address is for display and for `user:EMAIL` rules only. */
export interface Principal {
  /** The row in `principals` (UUID). */
  readonly id: string;
  /** The identity provider's issuer URL, or {@link GATEWAY_ISSUER} for people known by a gateway token alone. */
  readonly issuer: string;
  readonly subject: string;
  readonly email: string;
  readonly kind: "person" | "service";
  readonly groups: readonly string[];
  /** The audiences of the credential that was presented. */
  readonly audiences: readonly Audience[];
}

/** The issuer of principals that exist only because an operator made a token for them. */
export const GATEWAY_ISSUER = "sallyport";
