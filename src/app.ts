/** Every route and middleware on one page. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Hono } from "hono";
import type { Logger } from "./model/log.ts";
import { createApiRoutes, type ApiDependencies } from "./web/api.ts";
import { isCopilotTarget } from "./web/copilot.ts";
import { errorResponse } from "./web/error-response.ts";
import { createGitRoutes, type GitRoutesOptions } from "./web/git.ts";
import { createGithubRoutes, type GithubDependencies } from "./web/github.ts";
import { createHealthRoutes, type HealthDependencies } from "./web/health.ts";
import { answerNatively, endSlowBody, rawTarget, type NodeEnv } from "./web/node-adapter.ts";
import { createPagesRoutes, type PagesDependencies } from "./web/pages.tsx";

export interface AppDependencies {
  readonly git: GitRoutesOptions;
  readonly copilot: (request: IncomingMessage, response: ServerResponse, target: string) => Promise<void>;
  readonly github: GithubDependencies;
  readonly api: ApiDependencies;
  readonly pages: PagesDependencies;
  readonly health: HealthDependencies;
  readonly log: Logger;
  /** How long a form, or anything else that is no byte stream, may take to come. */
  readonly bodyMs?: number;
}

/** 64 KiB are all that any of them takes. */
const BODY_MS = 60_000;

export function createApp(deps: AppDependencies): Hono<NodeEnv> {
  const app = new Hono<NodeEnv>();
  /** Telemetry at the root is a connection's, where it says whose it is: clients drop the address's last segment for it. */
  const copilotTarget = (target: string, authorization: string | undefined): string | null => {
    if (isCopilotTarget(target)) return target;
    const { connection } = deps.github.github;
    const isSigned = target === "/telemetry" && authorization !== undefined && connection !== null;
    return isSigned ? `/copilot/${connection}/telemetry` : null;
  };

  // Byte streams, by the raw target: what a request is about is taken from its path as it came, never from a header.
  app.route("/", createGitRoutes(deps.git)); //                 /git/…      /u/<token>/git/…
  app.use("*", async (c, next) => {
    //                                                          /copilot/…  /u/<token>/copilot/…
    const target = rawTarget(c);
    const own = target === undefined ? null : copilotTarget(target, c.req.header("authorization"));
    if (own === null) return next();
    return answerNatively(
      c,
      ({ incoming, outgoing }) => deps.copilot(incoming, outgoing, own),
      (error) => deps.log.error({ error }, "a Copilot request failed"),
    );
  });

  app.use("*", (c, next) => {
    const { incoming } = c.env;
    endSlowBody(incoming, deps.bodyMs ?? BODY_MS);
    return next();
  });
  app.route("/", createGithubRoutes(deps.github)); //           /login/…  /user  /api/v3/…  /copilot_internal/…  /telemetry

  // Machines and people.
  app.route("/", createHealthRoutes(deps.health)); //           /healthz  /readyz  /metrics
  app.route("/api/v1", createApiRoutes(deps.api)); //           /api/v1/…
  app.route("/", createPagesRoutes(deps.pages)); //             /  /approvals  /pushes  /sessions  /commits  /connect

  app.onError((error) => {
    deps.log.error({ error }, "a request failed");
    return errorResponse(error);
  });
  return app;
}
