/** Signing in at the identity provider: the way there, and the way back. */
import { createHash } from "node:crypto";
import { Hono, type Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { GatewayError } from "../../errors.ts";
import { deriveLogin, mintLoginSecret } from "../../identity/oidc/login-secret.ts";
import { CLOCK_TOLERANCE_SECONDS } from "../../identity/oidc/jwt.ts";
import { CALLBACK_PATH, type OidcProvider } from "../../identity/oidc/provider.ts";
import type { Logger } from "../../model/log.ts";
import { countAttempt } from "../../store/attempts.ts";
import type { Database } from "../../store/database.ts";
import { insertEvent } from "../../store/events.ts";
import { deleteProviderWebSessions } from "../../store/web-sessions.ts";
import { describeError } from "../error-response.ts";
import { readForm } from "../form.ts";
import { sendPage, type Shell } from "../pages/layout.tsx";
import { localPath, type SignIn } from "../sign-in.ts";
import { ProviderSignInPage } from "./pages.tsx";

export interface ProviderRoutesOptions {
  readonly db: Database;
  readonly provider: OidcProvider;
  readonly signIn: SignIn;
  /** Without a slash at the end. */
  readonly publicUrl: string;
  readonly log: Logger;
  readonly now: () => Date;
}

const LOGIN_SECONDS = 15 * 60;
/** More than somebody has open at once; each is a cookie in every request until it ends. */
const MAX_LOGINS = 5;

const NOT_BEGUN =
  "This sign-in was not begun in this browser, or too long ago; or the browser keeps no cookies. Please sign in again.";

/**
 * Where a browser goes on after the sign-in, in the same cookie as the attempt's secret: of several tabs each comes back to its own
 * page. The cookie's name has the beginning of `state`, which the provider sends back.
 */
export function createProviderRoutes(options: ProviderRoutesOptions): Hono {
  const { db, provider, signIn, log, now } = options;
  const isSecure = options.publicUrl.startsWith("https:");
  const prefix = `${isSecure ? "__Host-" : ""}sallyport-login-`;
  const cookie = { path: "/", httpOnly: true, sameSite: "Lax", secure: isSecure } as const;
  const nameOf = (state: string): string => prefix + state.slice(0, 8);
  const routes = new Hono();

  const sendProblem = (c: Context, problem: string, status: 403 | 503, target = "/"): Promise<Response> => {
    const shell: Shell = { viewer: null, signOutToken: "", path: c.req.path, now: now() };
    return sendPage(
      c,
      <ProviderSignInPage shell={shell} name={provider.name} target={target} problem={problem} />,
      status,
    );
  };

  /** The provider, or the gateway's configuration for it, is broken: that is for the log as well. */
  const sendBroken = (c: Context, error: unknown, target: string): Promise<Response> => {
    if (!(error instanceof GatewayError)) throw error;
    log.error({ error }, "somebody could not sign in");
    const { message } = describeError(error);
    const text = `Nobody can sign in now: ${message}. Gateway tokens go on working.`;
    return sendProblem(c, text, 503, target);
  };

  routes.get("/sign-in/provider", async (c) => {
    const target = localPath(c.req.query("return"));
    const secret = mintLoginSecret();
    let url: URL;
    try {
      url = await provider.startSignIn(secret, { isFresh: c.req.query("fresh") === "1" });
    } catch (error) {
      return sendBroken(c, error, target);
    }
    const before = Object.keys(getCookie(c)).filter((name) => name.startsWith(prefix));
    if (before.length >= MAX_LOGINS) for (const name of before) deleteCookie(c, name, cookie);
    const value = `${secret}.${Buffer.from(target).toString("base64url")}`;
    setCookie(c, nameOf(deriveLogin(secret).state), value, { ...cookie, maxAge: LOGIN_SECONDS });
    c.header("cache-control", "no-store");
    c.header("referrer-policy", "no-referrer");
    return c.redirect(url.href, 303);
  });

  routes.get(CALLBACK_PATH, async (c) => {
    const url = new URL(c.req.url);
    const name = nameOf(url.searchParams.get("state") ?? "");
    const [secret = "", encoded = ""] = (getCookie(c, name) ?? "").split(".");
    // One attempt, whatever comes of it: the same answer sent once more finds nothing.
    deleteCookie(c, name, cookie);
    if (!/^[\w-]{43}$/.test(secret)) return sendProblem(c, NOT_BEGUN, 403);
    const target = localPath(Buffer.from(encoded, "base64url").toString("utf8"));
    try {
      const done = await provider.finishSignIn(secret, url.search);
      if (!done.ok) return await sendProblem(c, done.error, 403, target);
      const { principal, authenticatedAt, idToken, providerSession } = done.value;
      await signIn.signInAs(c, { principalId: principal.id, authenticatedAt, idToken, providerSession });
      await insertEvent(db, {
        kind: "person.signed_in",
        principalId: principal.id,
        repository: null,
        subject: null,
        data: { authenticated_at: authenticatedAt?.toISOString() ?? null },
      });
    } catch (error) {
      return sendBroken(c, error, target);
    }
    c.header("cache-control", "no-store");
    c.header("referrer-policy", "no-referrer");
    return c.redirect(target, 303);
  });

  // From the provider's own server, without a cookie: what it says is signed, and counts once (OpenID Connect Back-Channel Logout 1.0, 2.5 to 2.8).
  routes.post(LOGOUT_PATH, async (c) => {
    c.header("cache-control", "no-store");
    const refuse = (why: string, status: 400 | 503 = 400) =>
      c.json({ error: status === 400 ? "invalid_request" : "temporarily_unavailable", error_description: why }, status);
    const { logout_token: token } = await readForm(c);
    if (typeof token !== "string") return refuse("logout_token is missing");
    let ended: Awaited<ReturnType<OidcProvider["readLogout"]>>;
    try {
      ended = await provider.readLogout(token);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      log.error({ error }, "a sign-out at the identity provider could not be checked");
      return refuse("the provider's keys cannot be fetched now", 503);
    }
    if (!ended.ok) return refuse(ended.error);
    const { value } = ended;
    const key = createHash("sha256").update(`${value.issuer} ${value.tokenId}`).digest("base64url");
    const remembered = value.expiresAt.getTime() - now().getTime() + CLOCK_TOLERANCE_SECONDS * 1_000;
    await db.transaction(async (tx) => {
      const { count } = await countAttempt(tx, `logout ${key}`, remembered, now());
      // Told again, for instance because our answer was lost: what it was to end has ended.
      if (count > 1) return;
      const sessions = await deleteProviderWebSessions(tx, value);
      if (sessions === 0) return;
      const data = { sessions, by: "identity provider" };
      await insertEvent(tx, {
        kind: "person.signed_out",
        principalId: null,
        repository: null,
        subject: value.subject,
        data,
      });
    });
    return c.body(null, 200);
  });

  return routes;
}

/** Registered at the provider as `backchannel_logout_uri`. */
const LOGOUT_PATH = "/sign-in/back-channel-logout";
