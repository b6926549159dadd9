/** Where a browser sign-in may end. A redirect to anywhere else would hand the code to whoever made the link. */
import { createHash } from "node:crypto";
import type { OauthClient } from "../../model/oauth-client.ts";

/**
 * A program on the person's own machine (RFC 8252, section 7.3): any port, over http, as TLS has no name to vouch for there.
 * `localhost` as well, which Copilot's clients use. Spelt out: the consent page shows the address as it came, and a browser takes `127.1`,
 * `http:/127.0.0.1` and `http://@127.0.0.1` for the same.
 */
const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)(?::\d{1,5})?(?:[/?]|$)/;

/** @returns null where the client may not be sent there */
export function parseRedirect(text: string | undefined, client: OauthClient): URL | null {
  if (text === undefined || text.length > 1_000 || !/^[!-~]+$/.test(text) || /[\\#]/.test(text)) return null;
  if (client.redirects.includes(text)) return new URL(text);
  return LOOPBACK.test(text) && URL.canParse(text) ? new URL(text) : null;
}

/** What is kept of an address until it comes again: enough to know it by. SHA-256, base64url. */
export const digestRedirect = (text: string): string => createHash("sha256").update(text).digest("base64url");

/** The address with an answer in it; what the client's own address holds stays. */
export function redirectWith(redirect: URL, answer: Readonly<Record<string, string | undefined>>): string {
  const url = new URL(redirect);
  for (const [name, value] of Object.entries(answer)) if (value !== undefined) url.searchParams.set(name, value);
  return url.href;
}

/** What a page that posts to us, and is sent on to the client, has to be allowed (CSP `form-action` counts redirects as well). */
export const formActionOf = (redirect: URL): string =>
  redirect.origin === "null" ? redirect.protocol : redirect.origin;
