/** The gateway as GitHub's clients see it, without a socket: the sign-in's routes before the pages', with a clock to turn. */
import { createHash, randomBytes } from "node:crypto";
import { Hono } from "hono";
import { createIdentity } from "../../src/identity/identity.ts";
import { DEFAULT_MODEL_POLICY, DEFAULT_WIRE_RULES, type CopilotConnection } from "../../src/model/connection.ts";
import { KNOWN_CLIENTS, type OauthClient } from "../../src/model/oauth-client.ts";
import type { Audience } from "../../src/model/principal.ts";
import { findCopilotTokenByHash } from "../../src/store/oauth-copilot-tokens.ts";
import { findTokenByHash, touchToken } from "../../src/store/tokens.ts";
import { createGithubRoutes } from "../../src/web/github.ts";
import { createPagesRoutes } from "../../src/web/pages.tsx";
import { createProxies } from "../../src/web/forwarded.ts";
import { createSignIn } from "../../src/web/sign-in.ts";
import { testDatabase } from "../harness/database.ts";
import { addPerson, silentLog, type Person } from "./api-fixtures.ts";
import { Browser, pagesDependencies } from "./pages-browser.ts";

export const GATEWAY = "https://gateway.example";
export const CLI = "Ov23ctDVkRmgkPke0Mmm";
export const EDITOR = "Iv1.b507a08c87ecfe98";
export const GIT_CLIENT = "git-credential-oauth";
/** A client of somebody's own, with a redirect that is not on the loopback. */
export const OWN: OauthClient = {
  id: "our-editor",
  name: "Our editor",
  audiences: ["copilot", "git"],
  redirects: ["https://editor.example/callback?from=gateway"],
};
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

export const COPILOT: CopilotConnection = {
  kind: "copilot",
  name: "copilot",
  url: "https://copilot.example/",
  proxyUrl: null,
  credential: { kind: "none" },
  allow: ["eng"],
  rules: DEFAULT_WIRE_RULES,
  policy: DEFAULT_MODEL_POLICY,
};

export type Answer = Readonly<Record<string, string | number | undefined>>;

export async function startGithubHost(options: { readonly connection?: CopilotConnection | null } = {}) {
  const { db } = await testDatabase();
  let at = new Date();
  const now = (): Date => at;
  const connection = options.connection === undefined ? COPILOT : options.connection;
  const connections = new Map(connection === null ? [] : [[connection.name, connection]]);
  const identity = createIdentity({
    findTokenByHash: async (hash) =>
      (await findTokenByHash(db, hash)) ?? (await findCopilotTokenByHash(db, hash, now())),
    touchToken: (id, used) => touchToken(db, id, used),
  });
  const pages = pagesDependencies(db, { publicUrl: GATEWAY, identity, now, connections });
  const proxies = createProxies({ trusted: [], header: "x-forwarded-for" });
  const signIn = createSignIn({
    db,
    identity,
    publicUrl: GATEWAY,
    now,
    people: null,
    clientAddress: proxies.clientAddress,
  });
  const github = {
    connection: connection?.name ?? null,
    clients: new Map([...KNOWN_CLIENTS, OWN].map((client) => [client.id, client])),
    tokenMs: 90 * 86_400_000,
  };
  const app = new Hono();
  app.route(
    "/",
    createGithubRoutes({
      db,
      publicUrl: GATEWAY,
      github,
      connections,
      identity,
      signIn,
      proxies,
      mask: (text) => text,
      log: silentLog,
      now,
    }),
  );
  app.route("/", createPagesRoutes(pages) as unknown as Hono);

  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    Promise.resolve(app.request(`${GATEWAY}${path}`, init));
  const post = async (path: string, fields: Record<string, string>, init: RequestInit = {}): Promise<Answer> => {
    const response = await ask(path, {
      method: "POST",
      headers: { accept: "application/json" },
      body: new URLSearchParams(fields),
      ...init,
    });
    return (await response.json()) as Answer;
  };

  return {
    db,
    /** All of them, as they are mounted. */
    routes: app.routes,
    ask,
    post,
    identity,
    now,
    /** Lets time go by. */
    wait: (seconds: number): void => {
      at = new Date(at.getTime() + seconds * 1_000);
    },
    person: (
      email: string,
      groups: readonly string[] = ["eng"],
      audiences: readonly Audience[] = ["git", "copilot", "api"],
    ) => addPerson(db, email, { groups, audiences }),
    /** Somebody's browser, signed in. */
    browser: async (person: Person): Promise<Browser> => {
      const browser = new Browser(pages, app);
      await browser.signIn(person.token);
      return browser;
    },
    /** A browser in which nobody has signed in. */
    stranger: (): Browser => new Browser(pages, app),
    begin: (clientId = CLI, scope = "read:user,repo"): Promise<Answer> =>
      post("/login/device/code", { client_id: clientId, scope }),
    poll: (deviceCode: unknown, clientId = CLI): Promise<Answer> =>
      post("/login/oauth/access_token", {
        client_id: clientId,
        device_code: String(deviceCode),
        grant_type: DEVICE_GRANT,
      }),
    api: (path: string, token: unknown, headers: Record<string, string> = {}): Promise<Response> =>
      ask(path, { headers: { authorization: `token ${String(token)}`, ...headers } }),
  };
}

export type GithubHost = Awaited<ReturnType<typeof startGithubHost>>;

/** Types the code, and clicks. @returns the page that comes of it */
export async function decide(browser: Browser, userCode: unknown, decision: "approve" | "deny" = "approve") {
  await browser.get("/login/device");
  const consent = await browser.submit("/login/device", { code: String(userCode) });
  const action = /action="(\/login\/device\/[^"]+)"/.exec(consent.html)?.[1];
  if (action === undefined) return consent;
  return browser.submit(action, { decision });
}

/** What a client of the browser flow makes up for itself. */
export function pkce() {
  const verifier = randomBytes(32).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
}

export const authorizePath = (fields: Record<string, string>): string =>
  `/login/oauth/authorize?${new URLSearchParams(fields).toString()}`;

/** Goes through the browser flow. @returns where the client is sent */
export async function authorize(
  browser: Browser,
  fields: Record<string, string>,
  decision: "approve" | "deny" = "approve",
): Promise<URL> {
  await browser.get(authorizePath(fields));
  const done = await browser.submit("/login/oauth/authorize", { decision });
  if (done.location === null) throw new Error(`no redirect came: ${done.html}`);
  return new URL(done.location);
}
