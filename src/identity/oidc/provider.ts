/**
 * The identity provider (OpenID Connect Core 1.0): sign-in by authorization code with PKCE (RFC 7636), state and nonce; its JWTs as
 * credentials; and where to sign out. The store is handed in: rooms do not know each other.
 */
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  fetchUserInfo,
} from "openid-client";
import { err, ok, type Result } from "../../errors.ts";
import type { AuthenticationFailure } from "../credentials.ts";
import type { IdentityProvider } from "../identity.ts";
import type { OidcSettings } from "../provider-settings.ts";
import { isFresh, type KnownPrincipal } from "../standing.ts";
import { hashToken } from "../tokens.ts";
import { readClaims, type ClaimedPerson, type Claims } from "./claims.ts";
import { createDiscovery, DISCOVERY_DEFAULTS, type DiscoveryOptions, type ProviderEndpoints } from "./discovery.ts";
import { verifyJwt, type VerifiedJwt } from "./jwt.ts";
import { verifyLogoutToken, type EndedSession } from "./logout-token.ts";
import { deriveLogin } from "./login-secret.ts";
import { fetchOverage } from "./overage.ts";
import { explainSignInFailure } from "./sign-in-failure.ts";

/** What the provider says of a person, at the time when it says so. */
export interface ProviderStatement extends Pick<KnownPrincipal, "issuer" | "subject" | "email" | "kind" | "groups"> {
  readonly statedAt: Date;
}

export interface ProviderPorts {
  readonly findPrincipal: (issuer: string, subject: string) => Promise<KnownPrincipal | null>;
  /** Writes it down, unless something later is written already. @returns the principal as it stands then */
  readonly recordStatement: (statement: ProviderStatement) => Promise<KnownPrincipal>;
}

export interface ProviderSignInResult {
  readonly principal: KnownPrincipal;
  /** When the person proved to the provider who they are; null where it does not say. */
  readonly authenticatedAt: Date | null;
  /** Secret. */
  readonly idToken: string;
  /** The session at the provider, by which it tells that it has ended; null where it names none. */
  readonly providerSession: string | null;
}

export interface OidcProvider extends IdentityProvider {
  readonly name: string;
  /**
   * Fetches the provider's metadata, so that what is wrong with it is known before somebody signs in. Nothing depends on it.
   * @throws GatewayError `upstream_unreachable`, `upstream_misbehaved`
   */
  prepare(): Promise<void>;
  /**
   * Where a browser goes to sign in.
   * @param secret of this attempt and this browser alone; state, nonce and the code's verifier are derived from it
   * @param isFresh the person has to prove anew who they are, whatever session they have at the provider
   * @throws GatewayError `upstream_unreachable`, `upstream_misbehaved`
   */
  startSignIn(secret: string, options: { readonly isFresh: boolean }): Promise<URL>;
  /**
   * What the browser has brought back.
   * @param search the query of the callback's address
   * @returns or why nobody is signed in, for the person to read
   * @throws GatewayError `upstream_unreachable`, `upstream_misbehaved`, `upstream_unauthorized`
   */
  finishSignIn(secret: string, search: string): Promise<Result<ProviderSignInResult, string>>;
  /**
   * What the provider itself says of a session that has ended there.
   * @returns or what is wrong with it
   * @throws GatewayError `upstream_unreachable`, `upstream_misbehaved`
   */
  readLogout(token: string): Promise<Result<EndedSession, string>>;
  /** The form that ends the person's session at the provider too; null where the provider has no such address, or is away. */
  findEndSession(idToken: string): Promise<EndSession | null>;
}

/** A POST to the provider (OpenID Connect RP-Initiated Logout 1.0, 2): by GET the token would stay in the browser's history. */
export interface EndSession {
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}

export const CALLBACK_PATH = "/sign-in/callback";

export interface OidcProviderOptions {
  readonly settings: OidcSettings;
  readonly ports: ProviderPorts;
  /** Without a slash at the end. */
  readonly publicUrl: string;
  readonly now: () => Date;
  readonly discovery?: Partial<DiscoveryOptions>;
}

/** Makes the provider state `auth_time` (Core 1.0, 3.1.2.1) without anybody having to prove anything anew. */
const ANY_AGE_SECONDS = 10 * 365 * 86_400;
/** How long a JWT that was found good is believed without looking again: as long as a gateway token. */
const CACHE_MS = 5_000;
const CACHE_ENTRIES = 1_000;

/** As much of a session's id as is kept, and more than any provider writes. */
const MAX_SESSION = 255;

type JwtResult = Awaited<ReturnType<IdentityProvider["authenticateJwt"]>>;

export function createOidcProvider(options: OidcProviderOptions): OidcProvider {
  const { settings, ports, publicUrl, now } = options;
  const discover = createDiscovery(settings, { ...DISCOVERY_DEFAULTS, ...options.discovery });
  const redirectUri = publicUrl + CALLBACK_PATH;
  const signInUrl = `${publicUrl}/`;
  const cache = new Map<string, { readonly result: JwtResult; readonly at: number }>();

  const record = (endpoints: ProviderEndpoints, person: ClaimedPerson, groups: readonly string[], statedAt: Date) =>
    ports.recordStatement({
      issuer: endpoints.issuer,
      subject: person.subject,
      email: person.email ?? person.label,
      kind: person.kind,
      groups,
      statedAt,
    });

  async function checkJwt(jwt: string, at: Date): Promise<JwtResult> {
    const endpoints = await discover(at);
    const { issuer, keys } = endpoints;
    const { audiences, clientId, clients } = settings;
    const verified = await verifyJwt(jwt, { keys, issuer, audiences, clientId, clients, now: at });
    if (!verified.ok) return verified;
    const read = readClaims(verified.value, settings);
    if (!read.ok) return refuse("unknown", read.error);
    const statedAt = new Date(Math.min(verified.value.iat * 1_000, at.getTime()));
    const person = await standFor(endpoints, read.value, statedAt, at);
    return person.ok ? ok({ person: person.value, expiresAt: new Date(verified.value.exp * 1_000) }) : person;
  }

  /** The person of a JWT, with the latest that is known of their groups: an older token does not bring back what is gone. */
  async function standFor(
    endpoints: ProviderEndpoints,
    claimed: ClaimedPerson,
    statedAt: Date,
    at: Date,
  ): Promise<Result<KnownPrincipal, AuthenticationFailure>> {
    const known = await ports.findPrincipal(endpoints.issuer, claimed.subject);
    const isKnownFresh = known !== null && known.groupsAt !== null && isFresh(known.groupsAt, settings, at);
    if (claimed.groups.kind === "overage") {
      return known !== null && isKnownFresh
        ? ok(known)
        : refuse("stale", `Your groups do not fit into a JWT. Sign in at ${signInUrl} once: they are asked for there.`);
    }
    if (claimed.groups.kind === "absent") {
      // Access tokens often carry none. What the person was in at a sign-in that is recent still counts; otherwise nothing does.
      if (known === null) return ok(await record(endpoints, claimed, [], statedAt));
      return ok(isKnownFresh ? known : { ...known, groups: [], groupsAt: statedAt });
    }
    if (known?.groupsAt != null && known.groupsAt >= statedAt) return ok(known);
    // An access token without an address must not take away the one that is known.
    const email = claimed.email ?? known?.email ?? null;
    return ok(await record(endpoints, { ...claimed, email }, claimed.groups.groups, statedAt));
  }

  /** What the ID token does not hold, many providers tell at their userinfo address (Core 1.0, 5.3). */
  async function completeClaims(
    { configuration }: ProviderEndpoints,
    idToken: VerifiedJwt,
    accessToken: string,
  ): Promise<Claims> {
    const read = readClaims(idToken, { ...settings, domains: null });
    const isComplete = read.ok && read.value.email !== null && read.value.groups.kind !== "absent";
    if (isComplete || configuration.serverMetadata().userinfo_endpoint === undefined) return idToken;
    const more: Record<string, unknown> = await fetchUserInfo(configuration, accessToken, idToken.sub);
    // That an address was verified is said of the address beside it, not of another one.
    if (idToken["email"] !== undefined && more["email"] !== idToken["email"])
      more[settings.emailVerifiedClaim] = undefined;
    return { ...more, ...idToken };
  }

  async function finish(secret: string, search: string): Promise<Result<ProviderSignInResult, string>> {
    const at = now();
    const endpoints = await discover(at);
    const { configuration, issuer, keys } = endpoints;
    const { state, nonce, codeVerifier } = deriveLogin(secret);
    const tokens = await authorizationCodeGrant(configuration, new URL(redirectUri + search), {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: codeVerifier,
      idTokenExpected: true,
    });
    const idToken = tokens.id_token ?? "";
    const { clientId } = settings;
    const own = { keys, issuer, audiences: [clientId], clientId, clients: null, now: at };
    const verified = await verifyJwt(idToken, own);
    if (!verified.ok) return err(`The identity provider's answer cannot be trusted. ${verified.error.message}`);
    const claims = await completeClaims(endpoints, verified.value, tokens.access_token);
    const read = readClaims(claims, settings);
    if (!read.ok) return read;
    const groups = await groupsOf(read.value, tokens.access_token);
    if (groups === null) return err(TOO_MANY_GROUPS);
    const principal = await record(endpoints, { ...read.value, kind: "person" }, groups, at);
    const { sid } = verified.value;
    return ok({
      principal,
      authenticatedAt: authenticatedAt(verified.value, at),
      idToken,
      providerSession: typeof sid === "string" && sid !== "" ? sid.slice(0, MAX_SESSION) : null,
    });
  }

  async function groupsOf({ groups }: ClaimedPerson, accessToken: string): Promise<readonly string[] | null> {
    if (groups.kind === "stated") return groups.groups;
    if (groups.kind === "absent") return [];
    return settings.overage === null ? null : fetchOverage(settings.overage, accessToken);
  }

  function authenticatedAt({ auth_time: stated }: VerifiedJwt, at: Date): Date | null {
    if (typeof stated !== "number") return settings.authTime === "assumed" ? at : null;
    return new Date(Math.min(stated * 1_000, at.getTime()));
  }

  return {
    people: settings,
    name: settings.name,
    signInUrl,

    prepare: async () => void (await discover(now())),

    async authenticateJwt(jwt, at) {
      const key = hashToken(jwt).toString("base64");
      const found = cache.get(key);
      if (found !== undefined && at.getTime() >= found.at && at.getTime() - found.at < CACHE_MS) {
        if (!found.result.ok || found.result.value.expiresAt > at) return found.result;
      }
      cache.delete(key);
      const result = await checkJwt(jwt, at);
      // What is refused is not kept: the provider may just have rotated its keys.
      if (result.ok) {
        const [oldest] = cache.keys();
        if (cache.size >= CACHE_ENTRIES && oldest !== undefined) cache.delete(oldest);
        cache.set(key, { result, at: at.getTime() });
      }
      return result;
    },

    async startSignIn(secret, { isFresh: mustProve }) {
      const { configuration } = await discover(now());
      const { state, nonce, codeVerifier } = deriveLogin(secret);
      return buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: settings.scopes.join(" "),
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: "S256",
        max_age: String(ANY_AGE_SECONDS),
        ...(mustProve ? { prompt: "login" } : {}),
      });
    },

    async finishSignIn(secret, search) {
      try {
        return await finish(secret, search);
      } catch (error) {
        return err(explainSignInFailure(error, settings));
      }
    },

    async readLogout(token) {
      const at = now();
      const { keys, issuer } = await discover(at);
      return verifyLogoutToken(token, { keys, issuer, clientId: settings.clientId, now: at });
    },

    async findEndSession(idToken) {
      try {
        const { configuration } = await discover(now());
        const { end_session_endpoint: action } = configuration.serverMetadata();
        if (action === undefined || !URL.canParse(action)) return null;
        const fields = { id_token_hint: idToken, client_id: settings.clientId, post_logout_redirect_uri: signInUrl };
        return { action, fields };
      } catch {
        // Signed out here is signed out here.
        return null;
      }
    },
  };
}

const refuse = (reason: AuthenticationFailure["reason"], message: string): Result<never, AuthenticationFailure> =>
  err({ reason, message });

const TOO_MANY_GROUPS =
  "You are in more groups than fit into the identity provider's token, and the gateway is not told where to ask for them: its operator has to set identity.oidc.overage.";
