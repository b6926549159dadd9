/**
 * A browser's session, and the guard of every form. Where an identity provider is configured, people sign in there (see `auth/`);
 * otherwise with a gateway token.
 *
 * The cookie holds 256 random bits, the database their SHA-256. Each form carries an HMAC of its own address under the cookie's
 * value: another site's page cannot know it, no gateway has to remember it, and the token of one form is no good for another.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { err, ok, type Result } from "../errors.ts";
import { principalOf, type Authenticated, type Identity } from "../identity/identity.ts";
import { standingGroups, type PeopleProvider } from "../identity/standing.ts";
import { hashToken, mintSessionValue } from "../identity/tokens.ts";
import type { Audience, Principal } from "../model/principal.ts";
import { seal, unseal } from "../identity/seal.ts";
import type { Database } from "../store/database.ts";
import { deleteWebSession, findLiveWebSession, insertWebSession, type NewWebSession } from "../store/web-sessions.ts";
import { createRateLimit, keyOfAddress } from "./auth/rate-limit.ts";

export interface SignInDependencies {
  readonly db: Database;
  readonly identity: Pick<Identity, "authenticate">;
  /** Without a slash at the end. */
  readonly publicUrl: string;
  readonly now: () => Date;
  /** Whom it knows people by; null: there is none, and a gateway token signs in. */
  readonly people: PeopleProvider;
  /** The network address of a request; `null` when unknown. */
  readonly clientAddress: (c: Context) => string | null;
}

/** Who looks at a page. */
export interface Viewer {
  readonly principal: Principal;
  /** When this session began. */
  readonly signedInAt: Date;
  /**
   * How it did: at the identity provider, which only a person can do, and which says when they last proved there who they are (null:
   * it does not say); or with a gateway token, which software may hold as well, and whose limits then are the person's.
   */
  readonly by:
    | { readonly kind: "provider"; readonly authenticatedAt: Date | null }
    | {
        readonly kind: "token";
        readonly id: string;
        readonly audiences: readonly Audience[];
        readonly expiresAt: Date | null;
      };
}

export interface SignIn {
  /** Null when nobody is signed in. */
  findViewer(c: Context): Promise<Viewer | null>;
  /** The hidden value of the form that posts to `action`; sets the cookie that it belongs to, where there is none yet. */
  formToken(c: Context, action: string): string;
  /** Whether this POST comes from our own form, in this browser. */
  isOwnForm(c: Context, token: unknown): boolean;
  /** With a gateway token. @returns or why not, for the person to read */
  signIn(c: Context, token: string): Promise<Result<void, string>>;
  /** After the provider has said who it is. Always a new session, and the one before it in this browser ends. */
  signInAs(c: Context, person: ProviderSignIn): Promise<void>;
  /** @returns the ID token that the provider's own sign-out asks for; null where there is none */
  signOut(c: Context): Promise<string | null>;
}

/** What a browser has brought back from the identity provider. */
export interface ProviderSignIn {
  readonly principalId: string;
  /** When the person proved to it who they are; null where it does not say. */
  readonly authenticatedAt: Date | null;
  readonly idToken: string;
  /** The session at the provider; null where it names none. */
  readonly providerSession: string | null;
}

const SESSION_MS = 12 * 60 * 60_000;
/** Guessing 256 bits is hopeless anyway; this only keeps guessers from using up the gateway. */
const ATTEMPTS = 20;
const WINDOW_MS = 60_000;

/**
 * Where to go after the sign-in: only a path of this gateway. `//evil.example` and `/\evil.example` are other hosts to a browser.
 * @returns `/` for everything else
 */
export function localPath(target: unknown): string {
  const base = "http://gateway.invalid";
  if (typeof target !== "string" || !/^\/(?![/\\])[!-~]*$/.test(target) || target.length > 2_000) return "/";
  try {
    const url = new URL(target, base);
    // Once more on the result: `/.//evil.example` becomes `//evil.example` only when its dots are resolved.
    return url.origin === base && !url.pathname.startsWith("//") ? url.pathname + url.search : "/";
  } catch {
    return "/";
  }
}

const isEqual = (given: string, expected: string): boolean => {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
};

export function createSignIn(deps: SignInDependencies): SignIn {
  const { db, now } = deps;
  const own = new URL(deps.publicUrl);
  const isSecure = own.protocol === "https:";
  // With the prefix a browser takes the cookie only from this very host, over TLS: no sibling domain can plant one.
  const prefix = isSecure ? "__Host-" : "";
  const SESSION = `${prefix}sallyport`;
  const FORM = `${prefix}sallyport-form`;
  const cookie = { path: "/", httpOnly: true, sameSite: "Lax", secure: isSecure } as const;
  const failed = createRateLimit({ db, name: "failed sign-in", limit: ATTEMPTS, windowMs: WINDOW_MS, now });
  const fresh = new WeakMap<Request, string>();

  const isValue = (value: string | undefined): value is string => value !== undefined && /^[\w-]{43}$/.test(value);
  const sessionOf = (c: Context): string | null => {
    const value = getCookie(c, SESSION);
    return isValue(value) ? value : null;
  };
  const formSecret = (c: Context): string | null => {
    const value = getCookie(c, FORM);
    return sessionOf(c) ?? (isValue(value) ? value : null);
  };
  const macOf = (secret: string, action: string): string =>
    createHmac("sha256", secret).update(`sallyport form ${action}`).digest("base64url");

  /** The browser's own word on where a POST comes from. */
  const isOwnOrigin = (c: Context): boolean => {
    const site = c.req.header("sec-fetch-site");
    if (site !== undefined) return site === "same-origin";
    const origin = c.req.header("origin");
    // Before Fetch Metadata there is Origin; a client without either is no browser, and the form token decides.
    return origin === undefined || origin === own.origin || origin === new URL(c.req.url).origin;
  };

  const openSession = async (
    c: Context,
    session: Omit<NewWebSession, "hash" | "expiresAt" | "idToken">,
    end: Date | null,
    idToken: string | null = null,
  ): Promise<void> => {
    const before = sessionOf(c);
    if (before !== null) await deleteWebSession(db, hashToken(before));
    const value = mintSessionValue();
    const expiresAt = new Date(Math.min(now().getTime() + SESSION_MS, end?.getTime() ?? Infinity));
    const sealed = idToken === null ? null : seal(value, idToken);
    await insertWebSession(db, { ...session, hash: hashToken(value), idToken: sealed, expiresAt });
    // Always a new value: one that somebody planted before the sign-in is worth nothing after it.
    setCookie(c, SESSION, value, { ...cookie, expires: expiresAt });
    deleteCookie(c, FORM, cookie);
  };

  return {
    findViewer: async (c) => {
      const value = sessionOf(c);
      const session = value === null ? null : await findLiveWebSession(db, hashToken(value), now());
      if (session === null) return null;
      const { principal, token, authenticatedAt } = session;
      // A session of before there was a provider, or of one that is no more.
      if ((deps.people === null) !== (token !== null)) return null;
      const groups = standingGroups(principal, session.groups, deps.people, now());
      if (!groups.ok) return null;
      return {
        principal: principalOf(principal, groups.value, ["api"]),
        signedInAt: session.createdAt,
        by: token === null ? { kind: "provider", authenticatedAt } : { kind: "token", ...token },
      };
    },

    formToken: (c, action) => {
      let secret = formSecret(c) ?? fresh.get(c.req.raw);
      if (secret === undefined) {
        secret = randomBytes(32).toString("base64url");
        fresh.set(c.req.raw, secret);
        setCookie(c, FORM, secret, cookie);
      }
      return macOf(secret, action);
    },

    isOwnForm: (c, token) => {
      const secret = formSecret(c);
      return (
        secret !== null && typeof token === "string" && isOwnOrigin(c) && isEqual(token, macOf(secret, c.req.path))
      );
    },

    signIn: async (c, token) => {
      const address = keyOfAddress(deps.clientAddress(c));
      if ((await failed.take(address)) === "refused")
        return err("Too many attempts from your address. Wait a minute, and try again.");
      const known: Result<Authenticated, { readonly message: string }> =
        token.length > 16_384
          ? err({ message: "This is no gateway token." })
          : await deps.identity.authenticate({ token: token.trim(), from: "authorization" }, "api", now());
      if (!known.ok) return err(known.error.message);
      // People behind one proxy do not lock each other out by working.
      await failed.giveBack(address);
      const { principal, tokenId, expiresAt } = known.value;
      await openSession(c, { principalId: principal.id, tokenId, groups: principal.groups }, expiresAt);
      return ok(undefined);
    },

    signInAs: async (c, { principalId, authenticatedAt, idToken, providerSession }) => {
      const session = { principalId, tokenId: null, groups: [], authenticatedAt, providerSession };
      await openSession(c, session, null, idToken);
    },

    signOut: async (c) => {
      const value = sessionOf(c);
      const session = value === null ? null : await findLiveWebSession(db, hashToken(value), now());
      if (value !== null) await deleteWebSession(db, hashToken(value));
      deleteCookie(c, SESSION, cookie);
      return value === null || session === null || session.idToken === null ? null : unseal(value, session.idToken);
    },
  };
}
