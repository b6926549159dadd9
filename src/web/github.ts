/**
 * The gateway as a host that GitHub's clients sign in at: OAuth by device code and by browser, the API below it, and where Copilot is.
 * Mount it at `/`, before the pages.
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { isDatabaseAway } from "../store/database.ts";
import { createAccessTokenRoute } from "./github/access-token.ts";
import { sendOauthError, sendProblem } from "./github/answers.ts";
import { createApiRoutes } from "./github/api-routes.ts";
import { createAuthorizeRoutes } from "./github/authorize-routes.tsx";
import type { GithubDependencies } from "./github/context.ts";
import { createDeviceCodeRoute } from "./github/device-code.ts";
import { createDeviceRoutes } from "./github/device-routes.tsx";
import { createHostCheck } from "./github/hosts.ts";
import { createTelemetryRoutes } from "./github/telemetry-routes.ts";

export type { GithubDependencies };

/** An OAuth request or a form. */
const MAX_BODY = 64 * 1024;

export function createGithubRoutes(deps: GithubDependencies): Hono {
  const isApiHost = createHostCheck(deps.publicUrl);
  const routes = new Hono();

  routes.onError((error, c) => {
    const isAway = isDatabaseAway(error);
    deps.log.error({ path: c.req.path, error }, "a sign-in's request failed");
    return sendProblem(
      c,
      isAway ? 503 : 500,
      isAway
        ? "The gateway cannot reach its database now. Try again in a moment."
        : "The gateway failed; its operator finds the reason in its log.",
    );
  });

  routes.route("/", createTelemetryRoutes(deps));
  routes.use(
    "/login/*",
    bodyLimit({
      maxSize: MAX_BODY,
      onError: (c) => sendOauthError(c, "invalid_request", "The request is too large.", 413),
    }),
  );
  routes.route("/", createDeviceCodeRoute(deps));
  routes.route("/", createAccessTokenRoute(deps));
  routes.route("/", createApiRoutes(deps));

  // Pages are under the public host alone: cookies and forms belong to one host.
  routes.use("*", async (c, next) => {
    if (!isApiHost(deps.proxies.requestedHost(c))) return next();
    const { pathname, search } = new URL(c.req.url);
    return c.req.method === "GET" && /^\/login\/(?:device|oauth\/authorize)$/.test(pathname)
      ? c.redirect(deps.publicUrl + pathname + search, 302)
      : sendProblem(c, 404, "Not Found");
  });
  routes.route("/", createDeviceRoutes(deps));
  routes.route("/", createAuthorizeRoutes(deps));
  return routes;
}
