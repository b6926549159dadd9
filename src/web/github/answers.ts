/** How GitHub answers its clients: JSON where they ask for it, a form otherwise (OAuth alone), and an id on everything. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { newId } from "../../model/id.ts";

/** Without the id, the language server takes an answer for that of a proxy in between, and refuses it. */
const headers = () => ({
  "x-github-request-id": newId(),
  "cache-control": "no-store",
  pragma: "no-cache",
  "x-content-type-options": "nosniff",
});

export const sendJson = (
  c: Context,
  body: unknown,
  status: ContentfulStatusCode = 200,
  more: Readonly<Record<string, string>> = {},
): Response => sendJsonText(c, JSON.stringify(body), status, more);

export const sendJsonText = (
  c: Context,
  text: string,
  status: ContentfulStatusCode = 200,
  more: Readonly<Record<string, string>> = {},
): Response => c.body(text, status, { "content-type": "application/json", ...headers(), ...more });

/** `{"message":…}`, as GitHub's API says what is wrong. */
export const sendProblem = (
  c: Context,
  status: ContentfulStatusCode,
  message: string,
  more: Readonly<Record<string, unknown>> = {},
): Response =>
  sendJson(
    c,
    { message, status: String(status), ...more },
    status,
    status === 401 ? { "www-authenticate": 'Bearer realm="Sallyport"' } : {},
  );

/** An answer of the OAuth endpoints. */
export function sendOauth(
  c: Context,
  body: Readonly<Record<string, string | number>>,
  status: ContentfulStatusCode = 200,
): Response {
  if (/\bjson\b/i.test(c.req.header("accept") ?? "")) return sendJson(c, body, status);
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body)) form.set(name, String(value));
  return c.body(form.toString(), status, {
    "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    ...headers(),
  });
}

/**
 * GitHub answers 200 where RFC 6749 (section 5.2) has 400, and its clients read the body only then.
 * @param description for people; says what to do
 */
export const sendOauthError = (
  c: Context,
  error: string,
  description: string,
  status: ContentfulStatusCode = 200,
): Response => sendOauth(c, { error, error_description: description }, status);
