/**
 * What Copilot clients ask GitHub's API once they have a token: who they are, whether they may use Copilot, and where it is.
 * Under the public host and under `api.<host>`; `/api/v3` is where GitHub Enterprise Server has the same.
 */
import { Hono, type Context } from "hono";
import { encodeCopilotToken, hashToken, mintToken } from "../../identity/tokens.ts";
import type { AuthenticationFailure } from "../../identity/credentials.ts";
import type { Authenticated } from "../../identity/identity.ts";
import type { Result } from "../../errors.ts";
import { escapeLine } from "../../model/printable.ts";
import type { Audience, Principal } from "../../model/principal.ts";
import { insertCopilotToken } from "../../store/oauth-copilot-tokens.ts";
import { sendJson, sendProblem } from "./answers.ts";
import type { GithubDependencies } from "./context.ts";
import { copilotTokenAnswer, copilotUserOf, standingOf } from "./steering.ts";
import { userOf } from "./person.ts";

/** As long as GitHub's own. */
const COPILOT_TOKEN_MS = 30 * 60_000;
/** How long before its end a client fetches the next one. */
const REFRESH_EARLY_MS = 5 * 60_000;

const PREFIXES = ["", "/api/v3"] as const;

export function createApiRoutes(deps: GithubDependencies): Hono {
  const { db, identity, now, publicUrl } = deps;
  const routes = new Hono();

  const identify = (c: Context, audience: Audience): Promise<Result<Authenticated, AuthenticationFailure>> =>
    identity.identify({ headers: { authorization: c.req.header("authorization") } }, audience, now());

  const sendUnknown = (c: Context, { reason, message }: AuthenticationFailure): Response =>
    reason === "wrong_audience" ? sendProblem(c, 403, message) : sendProblem(c, 401, message);

  /** With a title and a link where the client shows a dialog, so that the person learns whom to ask. */
  function sendNotAllowed(c: Context, principal: Principal, connection: string | null): Response {
    const message =
      connection === null
        ? "This gateway steers nobody to Copilot: whoever runs it has to name a connection in `github.connection`."
        : `${escapeLine(principal.email, 100)} may not use the Copilot connection ${connection}: none of your groups is on its list. Ask whoever runs this gateway.`;
    return sendProblem(c, 403, message, {
      error_details: {
        message,
        title: "No access to Copilot through this gateway",
        url: `${publicUrl}/connect`,
        notification_id: "no_copilot_access",
      },
    });
  }

  async function sendUser(c: Context): Promise<Response> {
    // Whatever the token is for, it says whose it is: a git client asks as well.
    let known = await identify(c, "copilot");
    if (!known.ok && known.error.reason === "wrong_audience") known = await identify(c, "git");
    if (!known.ok) return sendUnknown(c, known.error);
    return sendJson(c, userOf(known.value.principal, publicUrl));
  }

  async function sendCopilotUser(c: Context): Promise<Response> {
    const known = await identify(c, "copilot");
    if (!known.ok) return sendUnknown(c, known.error);
    const { principal } = known.value;
    const standing = standingOf(deps, principal);
    return standing.kind === "may"
      ? sendJson(c, copilotUserOf(principal, publicUrl, standing.connection))
      : sendNotAllowed(c, principal, standing.kind === "nowhere" ? null : standing.connection.name);
  }

  async function sendCopilotToken(c: Context): Promise<Response> {
    const known = await identify(c, "copilot");
    if (!known.ok) return sendUnknown(c, known.error);
    const { principal, tokenId, expiresAt: until } = known.value;
    const standing = standingOf(deps, principal);
    if (standing.kind !== "may") {
      return sendNotAllowed(c, principal, standing.kind === "nowhere" ? null : standing.connection.name);
    }
    if (tokenId === null) {
      return sendProblem(
        c,
        403,
        "Copilot clients sign in at this gateway itself, not with the identity provider's token.",
      );
    }
    const at = now().getTime();
    const expiresAt = new Date(Math.min(at + COPILOT_TOKEN_MS, until?.getTime() ?? Infinity));
    const token = mintToken();
    await insertCopilotToken(db, { hash: hashToken(token), tokenId, createdAt: now(), expiresAt });
    const text = encodeCopilotToken(token, tokenId, expiresAt);
    const refreshInS = Math.max(60, Math.floor((expiresAt.getTime() - at - REFRESH_EARLY_MS) / 1_000));
    return sendJson(c, copilotTokenAnswer({ text, expiresAt, refreshInS }, principal, publicUrl, standing.connection));
  }

  for (const prefix of PREFIXES) {
    routes.get(`${prefix}/user`, sendUser);
    routes.get(`${prefix}/copilot_internal/user`, sendCopilotUser);
    routes.get(`${prefix}/copilot_internal/v2/token`, sendCopilotToken);
    // The client read what `error_details` said to the person.
    routes.post(`${prefix}/copilot_internal/notification`, (c) => sendJson(c, {}));
    // A version that has all that clients ask for: VS Code wants to know it of an enterprise host.
    routes.get(`${prefix}/meta`, (c) =>
      sendJson(c, { verifiable_password_authentication: false, installed_version: "3.17.0" }),
    );
    routes.get(`${prefix}/embeddings/models`, (c) => sendJson(c, { models: [] }));
    // Settings, customisations, exclusions and whatever else comes later: clients take a 404 for "there are none".
    routes.all(`${prefix}/copilot_internal/*`, (c) => sendProblem(c, 404, "Not Found"));
  }
  // What is asked below the root though `COPILOT_API_URL` has a path: a sign-in page would be no answer.
  routes.all("/mcp/*", (c) => sendProblem(c, 404, "Not Found"));
  return routes;
}
