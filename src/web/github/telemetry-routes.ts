/**
 * `/telemetry` at the root, where it comes without saying whose it is: GET fetches the settings of experiments, POST brings reports,
 * which are read to their end and dropped. Nothing that they carry is kept or goes anywhere, and no client tries again.
 */
import { Hono, type Context } from "hono";
import { acceptedReports, NO_EXPERIMENTS } from "../../copilot/endpoints/telemetry.ts";
import { sendJsonText } from "./answers.ts";

export function createTelemetryRoutes(): Hono {
  const routes = new Hono();
  routes.get("/telemetry", (c: Context) => sendJsonText(c, NO_EXPERIMENTS));
  routes.post("/telemetry", async (c: Context) => {
    for await (const chunk of c.req.raw.body ?? []) void chunk;
    return sendJsonText(c, acceptedReports(0));
  });
  return routes;
}
