/**
 * `/login/oauth/authorize`: a program on the person's own machine signs in through the browser (RFC 6749 section 4.1, RFC 8252),
 * with PKCE (RFC 7636) by S256 alone. What is wrong with the client or with where it wants to be sent is told here; a link that
 * somebody made up sends nobody anywhere.
 */
import { Hono, type Context } from "hono";
import { err, ok, type Result } from "../../errors.ts";
import { hashToken, mintSessionValue } from "../../identity/tokens.ts";
import type { OauthClient } from "../../model/oauth-client.ts";
import { insertAuthorizationCode } from "../../store/authorization-codes.ts";
import { readForm } from "../form.ts";
import { sendPage } from "../pages/layout.tsx";
import type { Viewer } from "../sign-in.ts";
import { field, FORGED, shellFor, toSignIn } from "./browser.ts";
import { AuthorizePage, DonePage } from "./consent-pages.tsx";
import { findClient, unknownClient, type GithubDependencies } from "./context.ts";
import { consentOf, grantableTo } from "./issue.ts";
import { collect, type Parameters } from "./parameters.ts";
import { digestRedirect, formActionOf, parseRedirect, redirectWith } from "./redirect.ts";
import { parseScope } from "./scopes.ts";

/** A browser brings it at once; whoever finds it in a history later comes too late. */
const CODE_MS = 2 * 60_000;
const MAX_STATE = 1_000;

interface Authorization {
  readonly client: OauthClient;
  readonly redirect: URL;
  readonly redirectUri: string;
  readonly scope: string;
  readonly state: string | undefined;
  readonly challenge: string;
}

/** `page`: told here. `redirect`: told to the client (RFC 6749, section 4.1.2.1). */
type Refusal =
  | { readonly at: "page"; readonly message: string }
  | { readonly at: "redirect"; readonly to: string; readonly redirect: URL };

const WHERE =
  "The client wants to be sent to an address that is neither on this machine (http://127.0.0.1, http://localhost) nor listed for it in `github.clients`.";

export function createAuthorizeRoutes(deps: GithubDependencies): Hono {
  const { db, mask, now, signIn } = deps;
  const routes = new Hono();

  function parse(parameters: Parameters): Result<Authorization, Refusal> {
    const page = (message: string) => err({ at: "page" as const, message });
    const id = parameters.get("client_id");
    const client = findClient(deps, id);
    if (client === null) return page(unknownClient(id));
    const redirectUri = parameters.get("redirect_uri");
    const redirect = parseRedirect(redirectUri, client);
    if (redirect === null || redirectUri === undefined) return page(WHERE);
    const state = parameters.get("state");
    const refuse = (error: string, description: string) =>
      err({
        at: "redirect" as const,
        redirect,
        to: redirectWith(redirect, { error, error_description: description, state: state?.slice(0, MAX_STATE) }),
      });
    if ((state ?? "").length > MAX_STATE) return refuse("invalid_request", "The state is too long.");
    const type = parameters.get("response_type");
    if (type !== undefined && type !== "code") return refuse("unsupported_response_type", "Ask for a code.");
    const challenge = parameters.get("code_challenge");
    if (challenge === undefined || parameters.get("code_challenge_method") !== "S256") {
      return refuse("invalid_request", "Send a code_challenge with code_challenge_method=S256.");
    }
    if (!/^[\w-]{43}$/.test(challenge)) return refuse("invalid_request", "The code_challenge is no SHA-256.");
    const scope = parseScope(parameters.get("scope") ?? "").join(" ");
    return ok({ client, redirect, redirectUri, scope, state, challenge });
  }

  const sendMessage = (c: Context, viewer: Viewer | null, text: string) =>
    sendPage(c, <DonePage shell={shellFor(deps, c, viewer)} title="This sign-in cannot go on" text={text} />, 400);
  const refuse = (c: Context, viewer: Viewer | null, refusal: Refusal): Response | Promise<Response> =>
    refusal.at === "page" ? sendMessage(c, viewer, refusal.message) : c.redirect(refusal.to, 303);

  routes.get("/login/oauth/authorize", async (c) => {
    const read = collect([...new URL(c.req.url).searchParams]);
    const parsed = read.ok ? parse(read.value) : err({ at: "page" as const, message: `In this link, ${read.error}.` });
    const viewer = await signIn.findViewer(c);
    // Whoever is not signed in gives no answer to a link either: an open redirect for everybody it would be.
    if (!parsed.ok && parsed.error.at === "page") return refuse(c, viewer, parsed.error);
    if (viewer === null) return toSignIn(c);
    if (!parsed.ok) return refuse(c, viewer, parsed.error);
    const { client, redirect, redirectUri, scope, state, challenge } = parsed.value;
    const audiences = grantableTo(client, scope, viewer);
    if (audiences.length === 0) {
      const to = redirectWith(redirect, { error: "invalid_scope", state });
      return refuse(c, viewer, { at: "redirect", to, redirect });
    }
    const fields = {
      client_id: client.id,
      redirect_uri: redirectUri,
      scope,
      state: state ?? "",
      code_challenge: challenge,
    };
    const token = signIn.formToken(c, "/login/oauth/authorize");
    const shell = shellFor(deps, c, viewer);
    const page = await sendPage(c, <AuthorizePage {...{ shell, token, client, fields, audiences }} />);
    const policy = page.headers.get("content-security-policy") ?? "";
    page.headers.set(
      "content-security-policy",
      policy.replace("form-action 'self'", `form-action 'self' ${formActionOf(redirect)}`),
    );
    return page;
  });

  routes.post("/login/oauth/authorize", async (c) => {
    const viewer = await signIn.findViewer(c);
    if (viewer === null) return sendMessage(c, null, "You are not signed in any more. Begin again in your client.");
    const form = await readForm(c);
    if (!signIn.isOwnForm(c, form["form"])) return sendMessage(c, viewer, FORGED);
    const names = ["client_id", "redirect_uri", "scope", "state", "code_challenge"];
    const given = new Map(names.map((name) => [name, field(form, name) ?? ""]));
    if (given.get("state") === "") given.delete("state");
    given.set("code_challenge_method", "S256");
    const parsed = parse(given);
    if (!parsed.ok) return refuse(c, viewer, parsed.error);
    const { client, redirect, redirectUri, scope, state, challenge } = parsed.value;
    if (field(form, "decision") !== "approve") {
      return c.redirect(redirectWith(redirect, { error: "access_denied", state }), 303);
    }
    const code = mintSessionValue();
    await insertAuthorizationCode(db, {
      ...consentOf(viewer),
      hash: hashToken(code),
      clientId: client.id,
      redirectUri: digestRedirect(redirectUri),
      challenge,
      scope: mask(scope),
      address: deps.proxies.clientAddress(c),
      createdAt: now(),
      expiresAt: new Date(now().getTime() + CODE_MS),
    });
    return c.redirect(redirectWith(redirect, { code, state }), 303);
  });
  return routes;
}
