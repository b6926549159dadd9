/** From a credential to the person behind it. The store is handed in: rooms do not know each other. */
import { err, ok, type Result } from "../errors.ts";
import { AUDIENCES, type Audience, type Principal } from "../model/principal.ts";
import {
  parseCredentials,
  type AuthenticationFailure,
  type Credential,
  type CredentialSources,
} from "./credentials.ts";
import { looksLikeJwt } from "./oidc/jwt.ts";
import { standingGroups, type KnownPrincipal, type PeopleProvider, type StandingProblem } from "./standing.ts";
import { hashToken, isGatewayToken } from "./tokens.ts";

/** A gateway token as the store knows it. */
export interface StoredToken {
  readonly id: string;
  readonly groups: readonly string[];
  readonly audiences: readonly Audience[];
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
  readonly principal: KnownPrincipal;
}

export interface IdentityPorts {
  /** By SHA-256; expired and revoked ones too. */
  readonly findTokenByHash: (hash: Buffer) => Promise<StoredToken | null>;
  readonly touchToken: (id: string, now: Date) => Promise<void>;
}

/** The identity provider, as far as credentials are concerned. */
export interface IdentityProvider {
  readonly people: NonNullable<PeopleProvider>;
  /** Where people sign in, for texts. */
  readonly signInUrl: string;
  /**
   * Whose JWT this is, if the provider made it for this gateway.
   * @throws GatewayError `upstream_unreachable` where the provider's keys are needed and cannot be fetched
   */
  authenticateJwt(
    jwt: string,
    now: Date,
  ): Promise<Result<{ readonly person: KnownPrincipal; readonly expiresAt: Date }, AuthenticationFailure>>;
}

export interface Authenticated {
  readonly principal: Principal;
  /** The token's row; null for a JWT of the identity provider. */
  readonly tokenId: string | null;
  /** Null: never. */
  readonly expiresAt: Date | null;
}

/** Who makes a request, for one purpose: what the web asks before anything else. */
export type Authenticate = (
  sources: CredentialSources,
  audience: Audience,
) => Promise<Result<Principal, AuthenticationFailure>>;

/** The same for who has to know by which token, too. */
export type Identify = (
  sources: CredentialSources,
  audience: Audience,
) => Promise<Result<Pick<Authenticated, "principal" | "tokenId">, AuthenticationFailure>>;

export interface Identity {
  /**
   * Who a credential stands for, if it may be used for `audience` at `now`.
   * @throws what the ports throw: with the database away nobody is let in
   */
  authenticate(
    credential: Credential,
    audience: Audience,
    now: Date,
  ): Promise<Result<Authenticated, AuthenticationFailure>>;
  /** The same from a request, its credential parsed first. */
  identify(
    sources: CredentialSources,
    audience: Audience,
    now: Date,
  ): Promise<Result<Authenticated, AuthenticationFailure>>;
}

/** How long what the store said is believed: a revocation is seen by every gateway within this time. */
const CACHE_MS = 5_000;
const CACHE_ENTRIES = 1_000;
/** How much of a token's last use may go unwritten. */
const TOUCH_EVERY_MS = 60_000;

/** @param provider null: there is none, and people are known by gateway tokens alone */
export function createIdentity(ports: IdentityPorts, provider: IdentityProvider | null = null): Identity {
  const cache = new Map<string, { token: StoredToken; readUntil: number; touchedAt: number }>();

  async function findToken(text: string, now: Date) {
    const hash = hashToken(text);
    const key = hash.toString("base64");
    const known = cache.get(key);
    // A clock that jumps back must not keep an entry alive.
    if (known !== undefined && now.getTime() < known.readUntil && known.readUntil - now.getTime() <= CACHE_MS)
      return known;
    cache.delete(key);
    const token = await ports.findTokenByHash(hash);
    // That a token is unknown is not remembered: it may be made the next moment.
    if (token === null) return null;
    const entry = { token, readUntil: now.getTime() + CACHE_MS, touchedAt: token.lastUsedAt?.getTime() ?? 0 };
    const [oldest] = cache.keys();
    if (cache.size >= CACHE_ENTRIES && oldest !== undefined) cache.delete(oldest);
    cache.set(key, entry);
    return entry;
  }

  async function authenticateToken(
    text: string,
    audience: Audience,
    now: Date,
  ): Promise<Result<Authenticated, AuthenticationFailure>> {
    const entry = await findToken(text, now);
    if (entry === null) return err(explainToken("unknown", provider));
    const { token } = entry;
    if (token.revokedAt !== null) return err(explainToken("revoked", provider));
    if (token.expiresAt !== null && token.expiresAt <= now) return err(explainToken("expired", provider));
    if (!token.audiences.includes(audience)) return err(wrongAudience(audience, provider));
    const groups = standingGroups(token.principal, token.groups, provider?.people ?? null, now);
    if (!groups.ok) return err(explainStanding(groups.error, provider));
    if (now.getTime() - entry.touchedAt >= TOUCH_EVERY_MS) {
      entry.touchedAt = now.getTime();
      await ports.touchToken(token.id, now);
    }
    const { audiences, expiresAt } = token;
    return ok({ principal: principalOf(token.principal, groups.value, audiences), tokenId: token.id, expiresAt });
  }

  async function authenticateJwt(
    jwt: string,
    { people, ...provider }: IdentityProvider,
    now: Date,
  ): Promise<Result<Authenticated, AuthenticationFailure>> {
    const known = await provider.authenticateJwt(jwt, now);
    if (!known.ok) return known;
    const { person, expiresAt } = known.value;
    const groups = standingGroups(person, [], people, now);
    if (!groups.ok) return err(explainStanding(groups.error, provider));
    return ok({ principal: principalOf(person, groups.value, AUDIENCES), tokenId: null, expiresAt });
  }

  const identity: Identity = {
    async authenticate({ token: text }, audience, now) {
      if (isGatewayToken(text)) return authenticateToken(text, audience, now);
      return provider !== null && looksLikeJwt(text)
        ? authenticateJwt(text, provider, now)
        : err(explainToken("unknown", provider));
    },

    async identify(sources, audience, now) {
      const credential = parseCredentials(sources);
      return credential.ok ? identity.authenticate(credential.value, audience, now) : credential;
    },
  };
  return identity;
}

/** Where everybody asks: what a principal is, with the groups that count now. */
export const principalOf = (
  { id, issuer, subject, email, kind }: KnownPrincipal,
  groups: readonly string[],
  audiences: readonly Audience[],
): Principal => ({ id, issuer, subject, email, kind, groups, audiences });

const explainStanding = (
  problem: StandingProblem,
  provider: Pick<IdentityProvider, "signInUrl"> | null,
): AuthenticationFailure => {
  if (provider === null) return { reason: problem, message: NO_PROVIDER };
  const { signInUrl } = provider;
  return problem === "stale"
    ? {
        reason: problem,
        message: `It is too long ago that you signed in. Do so at ${signInUrl}: this token is good again then.`,
      }
    : {
        reason: problem,
        message: `People are known by their sign-in now, and this token is from before. Get one of yours at ${signInUrl}.`,
      };
};

const NO_PROVIDER =
  "This token belongs to a person of an identity provider, and the gateway has none now. Ask for a new one: sallyport token create.";

type TokenProblem = "unknown" | "revoked" | "expired";

const PROBLEMS: Readonly<Record<TokenProblem, string>> = {
  unknown: "The gateway does not know this token.",
  revoked: "This token has been revoked.",
  expired: "This token has expired.",
};

/** Operators make tokens; people whom a provider knows make their own. */
const explainToken = (reason: TokenProblem, provider: IdentityProvider | null): AuthenticationFailure => ({
  reason,
  message:
    provider === null
      ? `${PROBLEMS[reason]} Ask for a new one: sallyport token create.`
      : `${PROBLEMS[reason]} Get a new one at ${provider.signInUrl}tokens.`,
});

const wrongAudience = (audience: Audience, provider: IdentityProvider | null): AuthenticationFailure => ({
  reason: "wrong_audience",
  message:
    provider === null
      ? `This token is not for ${audience}. Use one that is: sallyport token create --for ${audience}.`
      : `This token is not for ${audience}. Get one that is at ${provider.signInUrl}tokens.`,
});
