/**
 * A real identity provider on loopback (`oidc-provider`, which is certified), with accounts as a test chooses them. Its sign-in page
 * asks who one is, with a button for each account; consent is given by itself. It can be away, rotate its keys, and sign what a
 * test makes up.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from "jose";
import { Provider, type Adapter, type AdapterPayload, type Configuration } from "oidc-provider";
import { onTestFinished } from "vitest";

/** What the provider says of an account besides `sub`, which is the account's key. */
export type AccountClaims = Readonly<Record<string, unknown>>;

export interface OidcProviderOptions {
  readonly accounts?: Readonly<Record<string, AccountClaims>>;
  /** Seconds; those of the library where left out. */
  readonly ttl?: Partial<Record<"AccessToken" | "IdToken" | "AuthorizationCode" | "DeviceCode", number>>;
  /** Claims at the userinfo address alone, as the specification has it; otherwise in the ID token too. */
  readonly thinIdTokens?: boolean;
  /** Says when somebody signed in (`auth_time`). Default true; many providers do not. */
  readonly authTime?: boolean;
}

export interface OidcProviderFixture {
  /** Without a slash at the end. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** `identity.oidc` of a gateway's configuration; the secret comes from the environment, as OIDC_SECRET. */
  readonly settings: {
    readonly issuer: string;
    readonly clientId: string;
    readonly clientSecret: { readonly env: string };
  };
  setAccount(sub: string, claims: AccountClaims): void;
  /** Lets a gateway at this address send people here. */
  register(gatewayUrl: string): void;
  /** New keys; what was signed with the old ones is worth nothing from now on. */
  rotateKeys(): Promise<void>;
  /** A JWT signed with the provider's own key; an hour from now on, for our client, unless said otherwise. */
  sign(claims: JWTPayload, header?: { readonly typ?: string; readonly kid?: string }): Promise<string>;
  /** The public key, as anybody can fetch it. */
  publicJwk(): JWK;
  /** How often each path was asked for. */
  readonly asked: ReadonlyMap<string, number>;
  /** Nothing listens any more; `start` opens the same address again. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

const CLIENT_ID = "sallyport";
const CLIENT_SECRET = "provider-client-secret";
/** Every claim that an account may have, so that none is filtered. */
const CLAIMS = [
  ..."email email_verified name preferred_username groups roles hd realm_access resource_access tid oid".split(" "),
  ..."_claim_names _claim_sources hasgroups xms_edov https://example.com/groups".split(" "),
];

/** Ends with the test; call it in a test or let `close` be called. */
export async function startOidcProvider(
  options: OidcProviderOptions = {},
): Promise<OidcProviderFixture & { close(): Promise<void> }> {
  const accounts = new Map(Object.entries(options.accounts ?? {}));
  const store = new Map<string, { readonly payload: AdapterPayload; readonly until: number }>();
  const asked = new Map<string, number>();
  let key = await makeKey();
  let handler: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => response.end();
  let server = createServer((request, response) => handler(request, response));
  server.listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const issuer = `http://localhost:${port}`;
  const redirectUris: string[] = [];

  const setUp = (): void => {
    const provider = new Provider(issuer, configure(options, accounts, key.jwk, store));
    const callback = provider.callback();
    handler = (request, response) => {
      const path = (request.url ?? "/").split("?", 1)[0] ?? "";
      asked.set(path, (asked.get(path) ?? 0) + 1);
      if (!path.startsWith("/interaction/")) return void callback(request, response);
      interact(provider, accounts, request, response).catch((error: unknown) => {
        response.writeHead(500, { "content-type": "text/plain" });
        response.end(String(error));
      });
    };
  };
  setUp();

  const saveClient = (): void => {
    const payload = {
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      redirect_uris: redirectUris.map((url) => `${url}/sign-in/callback`),
      post_logout_redirect_uris: redirectUris.map((url) => `${url}/`),
      backchannel_logout_uri: `${redirectUris[0] ?? issuer}/sign-in/back-channel-logout`,
      backchannel_logout_session_required: true,
      grant_types: ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
    };
    store.set(`Client:${CLIENT_ID}`, { payload, until: Infinity });
  };

  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const start = async (): Promise<void> => {
    server = createServer((request, response) => handler(request, response));
    server.listen(port, "localhost");
    await once(server, "listening");
  };
  const close = async (): Promise<void> => {
    if (server.listening) await stop();
  };
  try {
    onTestFinished(close);
  } catch {
    // In a hook: whoever called closes it.
  }

  return {
    issuer,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    settings: { issuer, clientId: CLIENT_ID, clientSecret: { env: "OIDC_SECRET" } },
    setAccount: (sub, claims) => void accounts.set(sub, claims),
    register: (gatewayUrl) => {
      redirectUris.push(gatewayUrl);
      saveClient();
    },
    rotateKeys: async () => {
      key = await makeKey();
      setUp();
    },
    sign: (claims, header = {}) => {
      const now = Math.floor(Date.now() / 1_000);
      return new SignJWT({ iss: issuer, aud: CLIENT_ID, iat: now, exp: now + 3_600, ...claims })
        .setProtectedHeader({ alg: "RS256", kid: key.jwk.kid ?? "", ...header })
        .sign(key.privateKey);
    },
    publicJwk: () => {
      const { kty, n, e, kid, alg, use } = key.jwk;
      return { kty, n, e, kid, alg, use } as JWK;
    },
    asked,
    stop,
    start,
    close,
  };
}

let keys = 0;

async function makeKey(): Promise<{ readonly privateKey: CryptoKey; readonly jwk: JWK }> {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  keys += 1;
  return { privateKey, jwk: { ...(await exportJWK(privateKey)), kid: `key-${keys}`, alg: "RS256", use: "sig" } };
}

function configure(
  options: OidcProviderOptions,
  accounts: ReadonlyMap<string, AccountClaims>,
  jwk: JWK,
  store: Map<string, { readonly payload: AdapterPayload; readonly until: number }>,
): Configuration {
  return {
    adapter: (model) => createAdapter(model, store),
    jwks: { keys: [jwk] },
    cookies: { keys: ["a key for the tests' cookies"] },
    conformIdTokenClaims: options.thinIdTokens ?? false,
    claims: {
      openid: ["sub", ...CLAIMS],
      email: [],
      profile: [],
      ...(options.authTime === false ? {} : { auth: ["auth_time"] }),
    },
    scopes: ["openid", "email", "profile"],
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      backchannelLogout: { enabled: true },
    },
    // Its own way to ask refuses addresses of this machine, which gateways under test have.
    fetch: (url, { method, headers, body, signal } = {}) =>
      fetch(url, { method, headers, body, signal } as RequestInit),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => {
      const claims = accounts.get(sub);
      return claims === undefined ? undefined : { accountId: sub, claims: () => ({ sub, ...claims }) };
    },
    // Consent is no matter of ours: whoever is signed in has given it.
    loadExistingGrant: async (ctx) => {
      const { client, session } = ctx.oidc;
      const { accountId } = session ?? {};
      if (client === undefined || accountId === undefined) return undefined;
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId });
      grant.addOIDCScope("openid email profile");
      grant.addOIDCClaims(CLAIMS);
      await grant.save();
      return grant;
    },
    ttl: {
      AccessToken: 3_600,
      AuthorizationCode: 60,
      DeviceCode: 600,
      Grant: 86_400,
      IdToken: 3_600,
      Interaction: 3_600,
      Session: 86_400,
      ...options.ttl,
    },
    renderError: (ctx, out) => {
      ctx.type = "text/plain";
      ctx.body = JSON.stringify(out);
    },
  };
}

/** The sign-in page: GET shows it, POST of one of its buttons ends it. */
async function interact(
  provider: Provider,
  accounts: ReadonlyMap<string, AccountClaims>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { uid } = await provider.interactionDetails(request, response);
  if (request.method === "POST") {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const accountId = new URLSearchParams(body).get("account") ?? "";
    const result =
      accountId === "" ? { error: "access_denied", error_description: "The person said no" } : { login: { accountId } };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  const buttons = [...accounts.keys()].map((sub) => `<button name="account" value="${sub}">${sub}</button>`).join("");
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(
    `<!doctype html><title>Who are you?</title><form method="post" action="/interaction/${uid}">${buttons}` +
      `<button name="account" value="">Nobody</button></form>`,
  );
}

function createAdapter(
  model: string,
  store: Map<string, { readonly payload: AdapterPayload; readonly until: number }>,
): Adapter {
  const find = (id: string): AdapterPayload | undefined => {
    const found = store.get(`${model}:${id}`);
    return found !== undefined && found.until > Date.now() ? found.payload : undefined;
  };
  const findBy = (test: (payload: AdapterPayload) => boolean): AdapterPayload | undefined =>
    [...store].find(([name, { payload }]) => name.startsWith(`${model}:`) && test(payload))?.[1].payload;
  return {
    upsert: async (id, payload, expiresIn) =>
      void store.set(`${model}:${id}`, {
        payload,
        until: typeof expiresIn === "number" ? Date.now() + expiresIn * 1_000 : Infinity,
      }),
    find: async (id) => find(id),
    findByUid: async (uid) => findBy((payload) => payload.uid === uid),
    findByUserCode: async (userCode) => findBy((payload) => payload.userCode === userCode),
    consume: async (id) => {
      const payload = find(id);
      if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1_000);
    },
    destroy: async (id) => void store.delete(`${model}:${id}`),
    revokeByGrantId: async (grantId) => {
      for (const [name, { payload }] of store) if (payload.grantId === grantId) store.delete(name);
    },
  };
}
