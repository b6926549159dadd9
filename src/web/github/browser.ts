/** What a person meets in the browser: the frame of its pages, and the way to the sign-in and back. */
import type { Context } from "hono";
import type { Shell } from "../pages/layout.tsx";
import { localPath, type Viewer } from "../sign-in.ts";
import type { GithubDependencies } from "./context.ts";

export const shellFor = ({ signIn, now }: GithubDependencies, c: Context, viewer: Viewer | null): Shell => ({
  viewer,
  signOutToken: viewer === null ? "" : signIn.formToken(c, "/sign-out"),
  path: c.req.path,
  now: now(),
});

/** Through the sign-in, and back to where this request wanted to go. */
export function toSignIn(c: Context): Response {
  const url = new URL(c.req.url);
  const target = localPath(c.req.method === "GET" ? url.pathname + url.search : url.pathname);
  return c.redirect(`/?return=${encodeURIComponent(target)}`, 303);
}

export const FORGED = "This form is from another page or an earlier visit. Please try again from here.";

/** A field that came once, as text. */
export const field = (form: Readonly<Record<string, unknown>>, name: string): string | undefined => {
  const value = form[name];
  return typeof value === "string" ? value : undefined;
};
