/**
 * The provider's metadata and keys (OpenID Connect Discovery 1.0), fetched when first needed and kept. The gateway starts without
 * them: with the provider away people cannot sign in, and everything else goes on.
 */
import {
  allowInsecureRequests,
  ClientError,
  ClientSecretPost,
  clockTolerance,
  discovery,
  None,
  type ClientAuth,
  type Configuration,
} from "openid-client";
import { createRemoteJWKSet, type JWTVerifyGetKey } from "jose";
import { GatewayError } from "../../errors.ts";
import type { OidcSettings } from "../provider-settings.ts";
import { CLOCK_TOLERANCE_SECONDS } from "./jwt.ts";

export interface ProviderEndpoints {
  readonly configuration: Configuration;
  /** As the provider spells it. */
  readonly issuer: string;
  /** Fetched when a token needs a key that is not there, and then not again for the cool-down. */
  readonly keys: JWTVerifyGetKey;
}

export interface DiscoveryOptions {
  /** How soon keys are fetched again for a token that names an unknown one: the provider may have rotated them. */
  readonly keysCooldownMs: number;
  /** How soon a provider that was away is asked again. */
  readonly retryMs: number;
  /** How long metadata is believed. */
  readonly maxAgeMs: number;
  readonly timeoutMs: number;
}

export const DISCOVERY_DEFAULTS: DiscoveryOptions = {
  keysCooldownMs: 15_000,
  retryMs: 3_000,
  maxAgeMs: 60 * 60_000,
  timeoutMs: 10_000,
};

/** @returns the endpoints; rejects with GatewayError `upstream_unreachable`, `upstream_misbehaved` */
export function createDiscovery(
  settings: OidcSettings,
  options: DiscoveryOptions,
): (now: Date) => Promise<ProviderEndpoints> {
  let known: { readonly endpoints: ProviderEndpoints; readonly jwksUri: string; readonly at: number } | null = null;
  let failed: { readonly error: GatewayError; readonly at: number } | null = null;
  let pending: Promise<ProviderEndpoints> | null = null;

  async function ask(at: number): Promise<ProviderEndpoints> {
    try {
      const configuration = await discover(settings, options.timeoutMs);
      const { issuer, jwks_uri: jwksUri } = configuration.serverMetadata();
      // One for all tenants of a cloud (Microsoft's `common`): whoever opens a tenant of their own would be in.
      if (issuer.includes("{"))
        throw misconfigured(settings, "it stands for every organisation; name your own tenant's issuer");
      if (jwksUri === undefined) throw misconfigured(settings, "its metadata names no keys (jwks_uri)");
      // Kept while their address is the same, so that a refresh of the metadata is no way around the cool-down.
      const keys = known?.jwksUri === jwksUri ? known.endpoints.keys : createKeys(settings, jwksUri, options);
      known = { endpoints: { configuration, issuer, keys }, jwksUri, at };
      failed = null;
      return known.endpoints;
    } catch (cause) {
      const error = explain(settings, cause);
      failed = { error, at };
      // What was known an hour ago is better than nobody signing in.
      if (known !== null) return known.endpoints;
      throw error;
    } finally {
      pending = null;
    }
  }

  const within = (at: number | undefined, ms: number, now: number): boolean =>
    at !== undefined && now >= at && now - at < ms;

  return (date) => {
    const now = date.getTime();
    if (known !== null && within(known.at, options.maxAgeMs, now)) return Promise.resolve(known.endpoints);
    if (within(failed?.at, options.retryMs, now)) {
      return known === null ? Promise.reject(failed?.error ?? away(settings, null)) : Promise.resolve(known.endpoints);
    }
    pending ??= ask(now);
    return pending;
  };
}

const isPlain = (issuer: string): boolean => new URL(issuer).protocol === "http:";

async function discover(settings: OidcSettings, timeoutMs: number): Promise<Configuration> {
  const { issuer, clientId } = settings;
  const metadata = { [clockTolerance]: CLOCK_TOLERANCE_SECONDS };
  return discovery(new URL(issuer), clientId, metadata, authenticateClient(settings), {
    timeout: timeoutMs / 1_000,
    // The configuration has http:// on loopback only.
    execute: isPlain(issuer) ? [allowInsecureRequests] : [],
  });
}

/**
 * How the client shows its secret: in the header where the provider takes it there (the specification's default), with only those
 * characters encoded that need it. Some providers do not decode, and their secrets then are right as they are.
 */
function authenticateClient({ clientSecret, clientAuthentication }: OidcSettings): ClientAuth {
  if (clientSecret === null) return None();
  const encode = (text: string): string => encodeURIComponent(text).replaceAll("%20", "+");
  const basic: ClientAuth = (_server, client, _body, headers) => {
    const pair = `${encode(client.client_id)}:${encode(clientSecret)}`;
    headers.set("authorization", `Basic ${Buffer.from(pair).toString("base64")}`);
  };
  const post = ClientSecretPost(clientSecret);
  return (server, client, body, headers) => {
    const supported = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
    const method =
      clientAuthentication ??
      (supported.includes("client_secret_basic") ? "client_secret_basic" : "client_secret_post");
    return (method === "client_secret_basic" ? basic : post)(server, client, body, headers);
  };
}

function createKeys(settings: OidcSettings, jwksUri: string, options: DiscoveryOptions): JWTVerifyGetKey {
  const url = new URL(jwksUri);
  if (url.protocol !== "https:" && !isPlain(settings.issuer))
    throw misconfigured(settings, "its keys are not behind https://");
  return createRemoteJWKSet(url, { cooldownDuration: options.keysCooldownMs, timeoutDuration: options.timeoutMs });
}

function explain(settings: OidcSettings, cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  if (!(cause instanceof ClientError)) return away(settings, cause);
  if (cause.code === "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED") {
    return misconfigured(
      settings,
      "its metadata is another issuer's; identity.oidc.issuer has to be written as there",
      cause,
    );
  }
  // A proxy in front of a provider that is down answers 502 and the like, and not in JSON.
  return away(settings, cause);
}

const away = ({ issuer }: OidcSettings, cause: unknown): GatewayError =>
  new GatewayError(
    "upstream_unreachable",
    `the identity provider at ${issuer} does not answer: try again in a moment`,
    { cause },
  );

const misconfigured = ({ issuer }: OidcSettings, why: string, cause?: unknown): GatewayError =>
  new GatewayError("upstream_misbehaved", `the identity provider at ${issuer} cannot be used: ${why}`, { cause });
