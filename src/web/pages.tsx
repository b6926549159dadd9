/**
 * The people's side: pages rendered here, whole without any script in the browser. A link carries no authority: every page but the
 * sign-in asks who is there, and an address that somebody was sent comes back after it.
 */
import { Hono, type Context, type HonoRequest } from "hono";
import { bodyLimit } from "hono/body-limit";
import { isNamed } from "../model/who.ts";
import { listApprovals } from "../store/approval-queries.ts";
import { listPushes } from "../store/push-queries.ts";
import { countActivity } from "../store/session-views.ts";
import { isDatabaseAway } from "../store/database.ts";
import type { EndSession } from "../identity/oidc/provider.ts";
import { isGatewayToken } from "../identity/tokens.ts";
import { ProviderSignInPage, SignedOutPage } from "./auth/pages.tsx";
import { createProviderRoutes } from "./auth/provider-routes.tsx";
import { createTokenPages } from "./auth/token-routes.tsx";
import { ASSETS } from "./pages/assets.ts";
import { createApprovalPages, FORGED } from "./pages/approval-routes.tsx";
import { ConnectPage } from "./pages/connect-page.tsx";
import {
  sendMissing,
  shellFor,
  shellOf,
  type PagesContext,
  type PagesDependencies,
  type PagesEnv,
} from "./pages/context.tsx";
import { allowFormTo, sendPage, type Shell } from "./pages/layout.tsx";
import { MessagePage, OverviewPage, SignInPage } from "./pages/overview.tsx";
import { createSessionPages, describeSessions } from "./pages/session-routes.tsx";
import { createRecordPages } from "./pages/record-routes.tsx";
import { isPushReadable } from "./pushes.ts";
import { mayReadPush } from "./read-access.ts";
import { listReadableSessions } from "./sessions.ts";
import { readForm } from "./form.ts";
import { createSignIn, localPath } from "./sign-in.ts";

export type { PagesDependencies };

const MAX_BODY = 64 * 1024;

const PAGES: ReadonlySet<string> = new Set(["", "approvals", "commits", "connect", "pushes", "sessions", "tokens"]);

const firstSegment = (path: string): string => path.split("/")[1] ?? "";

/** `/u/<token>/…`, which leads to git and to models only; and addresses that are mistyped so, or have one in their query. */
const holdsToken = ({ path, url }: HonoRequest): boolean =>
  firstSegment(path).toLowerCase() === "u" ||
  path.split("/").some(isGatewayToken) ||
  [...new URL(url).searchParams.values()].some(isGatewayToken);

const nothingHere = (publicUrl: string): string =>
  `There is nothing at this address. Git remotes begin with ${publicUrl}/git/<connection>/,
Copilot clients' base URLs with ${publicUrl}/copilot/<connection>, the API with ${publicUrl}/api/v1/.
`;

/** Mount it at `/`, last. */
export function createPagesRoutes(deps: PagesDependencies): Hono<PagesEnv> {
  const { db, access, now, publicUrl } = deps;
  const signIn = createSignIn({ ...deps, people: deps.provider?.people ?? null });
  const pages: PagesContext = { deps, signIn };
  const routes = new Hono<PagesEnv>();

  const { provider } = deps;

  const sendSignIn = (c: Context, target: string, problem: string | null): Promise<Response> => {
    const shared = { shell: shellFor(pages, c, null), target, problem };
    const page =
      provider === null ? (
        <SignInPage {...shared} token={signIn.formToken(c, "/sign-in")} />
      ) : (
        <ProviderSignInPage {...shared} name={provider.name} />
      );
    return sendPage(c, page, problem === null ? 200 : 403);
  };

  const sendSignedOut = async (c: Context, name: string, end: EndSession): Promise<Response> => {
    const page = await sendPage(c, <SignedOutPage shell={shellFor(pages, c, null)} name={name} end={end} />);
    allowFormTo(page, end.action);
    return page;
  };

  routes.onError((error, c) => {
    deps.log.error({ path: c.req.path, error }, "a page could not be shown");
    const isAway = isDatabaseAway(error);
    const text = isAway
      ? "The gateway cannot reach its database now. Nothing is lost: try again in a moment."
      : "The gateway failed to show this; its log says why.";
    const shell: Shell = { viewer: null, signOutToken: "", path: c.req.path, now: now() };
    return sendPage(c, <MessagePage shell={shell} title="Something is broken" text={text} />, isAway ? 503 : 500);
  });

  for (const { path, type, body } of ASSETS) {
    routes.get(path, (c) =>
      c.body(body, 200, {
        "content-type": type,
        "cache-control": "public, max-age=31536000, immutable",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
      }),
    );
  }

  routes.use(bodyLimit({ maxSize: MAX_BODY, onError: (c) => c.text("This form is too large.", 413) }));

  // Signing in and out
  if (provider !== null) routes.route("/", createProviderRoutes({ ...deps, provider, signIn }));

  routes.post("/sign-in", async (c) => {
    const form = await readForm(c);
    const target = localPath(form["return"]);
    // A token may be software's: it opens no page where people can prove who they are.
    if (provider !== null) return sendSignIn(c, target, `People sign in with ${provider.name}, not with a token.`);
    if (!signIn.isOwnForm(c, form["form"])) return sendSignIn(c, target, FORGED);
    const done = await signIn.signIn(c, typeof form["token"] === "string" ? form["token"] : "");
    return done.ok ? c.redirect(target, 303) : sendSignIn(c, target, done.error);
  });

  routes.post("/sign-out", async (c) => {
    const form = await readForm(c);
    const idToken = signIn.isOwnForm(c, form["form"]) ? await signIn.signOut(c) : null;
    const end = provider === null || idToken === null ? null : await provider.findEndSession(idToken);
    if (provider !== null && end !== null) return sendSignedOut(c, provider.name, end);
    return c.redirect("/", 303);
  });

  const sendNothing = (c: Context): Response =>
    c.text(nothingHere(publicUrl), 404, { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });

  // Everything below is for who is signed in.
  routes.use(async (c, next) => {
    // Led on to the sign-in and back, the token would stand in more addresses, and in histories.
    if (holdsToken(c.req)) return sendNothing(c);
    const viewer = await signIn.findViewer(c);
    if (viewer !== null) {
      c.set("viewer", viewer);
      return next();
    }
    // A client with a wrong base URL, or git without /git/ in its remote, makes nothing of a sign-in page.
    if (!PAGES.has(firstSegment(c.req.path)) && !(c.req.header("accept") ?? "").includes("text/html"))
      return sendNothing(c);
    const url = new URL(c.req.url);
    const target = localPath(c.req.method === "POST" ? url.pathname : url.pathname + url.search);
    if (c.req.path === "/") return sendSignIn(c, localPath(url.searchParams.get("return")), null);
    return c.redirect(`/?return=${encodeURIComponent(target)}`, 303);
  });

  routes.get("/", async (c) => {
    const principal = c.var.viewer.principal;
    const first = { limit: 10, after: null };
    const since = new Date(now().getTime() - 24 * 60 * 60_000);
    const isAuditor = access.isAuditor(principal);
    const [approvals, pushes, sessions, activity] = await Promise.all([
      listApprovals(db, { status: "pending" }, { ...first, limit: 50 }),
      listPushes(db, {}, first),
      listReadableSessions(db, access, principal, { filter: {}, ...first }),
      countActivity(db, since, isAuditor ? null : principal.id),
    ]);
    return sendPage(
      c,
      <OverviewPage
        shell={shellOf(pages, c)}
        pending={approvals.items.filter(
          (approval) => approval.expiresAt > now() && mayReadPush(access, principal, approval),
        )}
        pushes={pushes.items.filter((push) => isPushReadable(access, principal, push))}
        sessions={await describeSessions(pages, principal, sessions.items)}
        activity={activity}
        isAuditor={isAuditor}
        since={since.toISOString()}
      />,
    );
  });

  routes.route("/", createApprovalPages(pages));
  routes.route("/", createTokenPages(pages));
  routes.route("/", createRecordPages(pages));
  routes.route("/", createSessionPages(pages));

  routes.get("/connect", (c) => {
    const connections = [...deps.connections.values()].filter(({ allow }) => isNamed(c.var.viewer.principal, allow));
    const { steeredTo } = deps;
    return sendPage(
      c,
      <ConnectPage
        shell={shellOf(pages, c)}
        hasProvider={provider !== null}
        {...{ publicUrl, connections, steeredTo }}
      />,
    );
  });

  routes.all("*", (c) => sendMissing(pages, c, "page"));
  return routes;
}
