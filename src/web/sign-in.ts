/**
 * A browser's sign-in with a gateway token, and the guard of every form.
 *
 * The cookie holds 256 random bits, the database their SHA-256. Each form carries an HMAC of its own address under the cookie's
 * value: another site's page cannot know it, no gateway has to remember it, and the token of one form is no good for another.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { err, ok, type Result } from "../errors.ts";
import type { Authenticated, Identity } from "../identity/identity.ts";
import { hashToken, mintSessionValue } from "../identity/tokens.ts";
import type { Principal } from "../model/principal.ts";
import type { Database } from "../store/database.ts";
import { deleteWebSession, findLiveWebSession, insertWebSession } from "../store/web-sessions.ts";

export interface SignInDependencies {
  readonly db: Database;
  readonly identity: Pick<Identity, "authenticate">;
  /** Without a slash at the end. */
  readonly publicUrl: string;
  readonly now: () => Date;
  /** The network address of a request; `null` when unknown. Never taken from a header, which anybody can write. */
  readonly clientAddress: (c: Context) => string | null;
}

/** Who looks at a page. */
export interface Viewer {
  readonly principal: Principal;
  /** When they signed in. */
  readonly signedInAt: Date;
}

export interface SignIn {
  /** Null when nobody is signed in. */
  findViewer(c: Context): Promise<Viewer | null>;
  /** The hidden value of the form that posts to `action`; sets the cookie that it belongs to, where there is none yet. */
  formToken(c: Context, action: string): string;
  /** Whether this POST comes from our own form, in this browser. */
  isOwnForm(c: Context, token: unknown): boolean;
  /** @returns or why not, for the person to read */
  signIn(c: Context, token: string): Promise<Result<void, string>>;
  signOut(c: Context): Promise<void>;
}

const SESSION_MS = 12 * 60 * 60_000;
const ATTEMPTS = 20;
const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 10_000;

/**
 * Failed sign-ins by address, in this process alone. Guessing 256 bits is hopeless anyway; this only keeps guessers from using up
 * the database. Successes are never counted, so that people behind one proxy do not lock each other out by working.
 */
function createAttempts(now: () => Date) {
  const failures = new Map<string, { count: number; readonly until: number }>();
  return {
    isBlocked: (address: string): boolean => {
      const entry = failures.get(address);
      return entry !== undefined && entry.until > now().getTime() && entry.count >= ATTEMPTS;
    },
    fail: (address: string): void => {
      const at = now().getTime();
      const entry = failures.get(address);
      if (entry !== undefined && entry.until > at) {
        entry.count += 1;
        return;
      }
      failures.delete(address);
      if (failures.size >= MAX_ADDRESSES) failures.delete(failures.keys().next().value ?? "");
      failures.set(address, { count: 1, until: at + WINDOW_MS });
    },
  };
}

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
  const attempts = createAttempts(now);
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

  return {
    findViewer: async (c) => {
      const value = sessionOf(c);
      const session = value === null ? null : await findLiveWebSession(db, hashToken(value), now());
      if (session === null) return null;
      const { id, issuer, subject, email, kind } = session.principal;
      return {
        principal: { id, issuer, subject, email, kind, groups: session.groups, audiences: ["api"] },
        signedInAt: session.createdAt,
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
      const address = deps.clientAddress(c) ?? "unknown";
      if (attempts.isBlocked(address)) return err("Too many attempts from your address. Wait a minute, and try again.");
      const known: Result<Authenticated, { readonly message: string }> =
        token.length > 16_384
          ? err({ message: "This is no gateway token." })
          : await deps.identity.authenticate({ token: token.trim(), from: "authorization" }, "api", now());
      if (!known.ok) {
        attempts.fail(address);
        return err(known.error.message);
      }
      const { principal, tokenId, expiresAt } = known.value;
      const value = mintSessionValue();
      const end = new Date(Math.min(now().getTime() + SESSION_MS, expiresAt?.getTime() ?? Infinity));
      await insertWebSession(db, {
        hash: hashToken(value),
        principalId: principal.id,
        tokenId,
        groups: principal.groups,
        expiresAt: end,
      });
      // Always a new value: one that somebody planted before the sign-in is worth nothing after it.
      setCookie(c, SESSION, value, { ...cookie, expires: end });
      deleteCookie(c, FORM, cookie);
      return ok(undefined);
    },

    signOut: async (c) => {
      const value = sessionOf(c);
      if (value !== null) await deleteWebSession(db, hashToken(value));
      deleteCookie(c, SESSION, cookie);
    },
  };
}
