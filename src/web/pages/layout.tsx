/** The frame of every page. */
import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { escapeUnprintable } from "../../model/printable.ts";
import type { Viewer } from "../sign-in.ts";
import { ICON_FILE, STYLES, type Asset } from "./assets.ts";
import { Who } from "./parts.tsx";

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
  ["/tokens", "Tokens"],
] as const;

const Mark = () => (
  <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">
    <path d="M3 21V10a9 9 0 0 1 18 0v11" />
    <path d="M8 21V11a4 4 0 0 1 8 0v10M12 7v14" />
  </svg>
);

/** A script of ours, by the hash that the page's policy lets run. */
export interface PageScript {
  readonly file: Asset;
  /** `sha256-…` */
  readonly hash: string;
}

export const Layout = (props: { title: string; shell: Shell; script?: PageScript | null; children?: Child }) => {
  const { title, shell, children } = props;
  const script = props.script ?? null;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{title} · Sallyport</title>
        <link rel="icon" href={ICON_FILE.path} type="image/svg+xml" />
        <link rel="stylesheet" href={STYLES.path} />
        {script !== null && <script src={script.file.path} integrity={script.hash} defer />}
      </head>
      <body>
        <a class="skip" href="#main">
          To the content
        </a>
        <header class="bar">
          <div>
            <a class="brand" href="/">
              <Mark />
              Sallyport
            </a>
            {shell.viewer !== null && (
              <>
                <nav aria-label="Main">
                  {NAVIGATION.map(([href, name]) => (
                    <a href={href} aria-current={shell.path.startsWith(href) ? "page" : undefined}>
                      {name}
                    </a>
                  ))}
                </nav>
                <form class="who" method="post" action="/sign-out">
                  <input type="hidden" name="form" value={shell.signOutToken} />
                  <span class="email">
                    <Who name={shell.viewer.principal.email} kind={shell.viewer.principal.kind} />
                  </span>
                  <button class="plain" type="submit">
                    Sign out
                  </button>
                </form>
              </>
            )}
          </div>
        </header>
        <main id="main">{children}</main>
      </body>
    </html>
  );
};

/**
 * The policy for every page: our own stylesheet and icon, forms to ourselves, nobody's frame, and no script but the one text whose hash
 * is given. A policy by hash, not by place: whatever else this gateway may ever answer with, no page of it runs that.
 */
const policy = (scriptHash: string | null): string =>
  [
    "default-src 'none'",
    "style-src 'self'",
    "img-src 'self'",
    ...(scriptHash === null ? [] : [`script-src '${scriptHash}'`]),
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join("; ");

const PAGE_HEADERS = {
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
  scriptHash: string | null = null,
): Promise<Response> {
  const html = escapeUnprintable(await page.toString());
  return c.html(`<!doctype html>${html}`, status, {
    ...PAGE_HEADERS,
    "content-security-policy": policy(scriptHash),
  });
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
