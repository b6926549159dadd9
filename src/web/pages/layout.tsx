/** The frame of every page. */
import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { escapeUnprintable } from "../../model/printable.ts";
import type { Viewer } from "../sign-in.ts";
import { STYLESHEET_PATH } from "./stylesheet.ts";

/** What every page knows about its request. */
export interface Shell {
  readonly viewer: Viewer | null;
  readonly signOutToken: string;
  /** The request's path, for the navigation. */
  readonly path: string;
  readonly now: Date;
}

const NAVIGATION = [
  ["/approvals", "Approvals"],
  ["/pushes", "Pushes"],
  ["/sessions", "Sessions"],
  ["/connect", "Connect"],
] as const;

const Mark = () => (
  <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">
    <path d="M3 21V10a9 9 0 0 1 18 0v11" />
    <path d="M8 21V11a4 4 0 0 1 8 0v10M12 7v14" />
  </svg>
);

export const Layout = ({ title, shell, children }: { title: string; shell: Shell; children?: Child }) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>{title} · Sallyport</title>
      <link rel="stylesheet" href={STYLESHEET_PATH} />
    </head>
    <body>
      <header class="bar">
        <div>
          <a class="brand" href="/">
            <Mark />
            Sallyport
          </a>
          {shell.viewer !== null && (
            <>
              <nav>
                {NAVIGATION.map(([href, name]) => (
                  <a href={href} aria-current={shell.path.startsWith(href) ? "page" : undefined}>
                    {name}
                  </a>
                ))}
              </nav>
              <form class="who" method="post" action="/sign-out">
                <input type="hidden" name="form" value={shell.signOutToken} />
                <span>{shell.viewer.principal.email}</span>
                <button class="plain" type="submit">
                  Sign out
                </button>
              </form>
            </>
          )}
        </div>
      </header>
      <main>{children}</main>
    </body>
  </html>
);

/** The policy for every page: no script at all, our own stylesheet, forms to ourselves, nobody's frame. */
const PAGE_HEADERS = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  // Not `no-referrer`: browsers would then send `Origin: null` with our own forms.
  "referrer-policy": "same-origin",
  "cache-control": "no-store",
} as const;

/**
 * Sends a page. JSX has escaped HTML's own characters; what could still deceive (terminal control bytes, bidirectional marks that
 * reorder code before an approver's eyes) is made visible here, once for everything that is shown.
 */
export async function sendPage(
  c: Context,
  page: { toString(): string | Promise<string> },
  status: ContentfulStatusCode = 200,
): Promise<Response> {
  const html = escapeUnprintable(await page.toString());
  return c.html(`<!doctype html>${html}`, status, PAGE_HEADERS);
}

/** Lets this page alone post a form to another site as well: an address that the configuration or the provider's metadata gives. */
export function allowFormTo(page: Response, action: string): void {
  const policy = page.headers.get("content-security-policy") ?? "";
  // Its origin: a path in the policy would be compared after redirects, and is no more of a limit.
  page.headers.set(
    "content-security-policy",
    policy.replace("form-action 'self'", `form-action 'self' ${new URL(action).origin}`),
  );
}
