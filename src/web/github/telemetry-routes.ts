/**
 * `/telemetry` at the root, where it comes without saying whose it is: GET fetches the settings of experiments, POST brings reports. These
 * are read to their end and dropped whatever the configuration says: what nobody answers for is not sent on. That they came is on record,
 * counted by the minute, because anybody can send them. Reports of somebody who signs in take the way of their connection (app.ts).
 */
import { Hono, type Context } from "hono";
import { acceptedReports, NO_EXPERIMENTS } from "../../copilot/endpoints/telemetry.ts";
import { insertEvent } from "../../store/events.ts";
import { sendJsonText } from "./answers.ts";
import type { GithubDependencies } from "./context.ts";

const MINUTE_MS = 60_000;

export function createTelemetryRoutes(deps: Pick<GithubDependencies, "db" | "log" | "now">): Hono {
  let recordedAt = Number.NEGATIVE_INFINITY;
  let requests = 0;
  let bytes = 0;

  /** The first of a minute is recorded at once; what comes within the minute is told by the next. */
  async function record(): Promise<void> {
    const nowMs = deps.now().getTime();
    if (nowMs - recordedAt < MINUTE_MS) return;
    const before = recordedAt;
    recordedAt = nowMs;
    const data = { requests, bytes };
    try {
      await insertEvent(deps.db, {
        kind: "telemetry.dropped",
        principalId: null,
        repository: null,
        subject: null,
        data,
      });
      requests -= data.requests;
      bytes -= data.bytes;
    } catch (error) {
      recordedAt = before;
      deps.log.warn({ error }, "Telemetry that was dropped could not be recorded; it is counted with the next");
    }
  }

  const routes = new Hono();
  routes.get("/telemetry", (c: Context) => sendJsonText(c, NO_EXPERIMENTS));
  routes.post("/telemetry", async (c: Context) => {
    requests += 1;
    for await (const chunk of (c.req.raw.body ?? []) as AsyncIterable<Uint8Array>) bytes += chunk.length;
    await record();
    return sendJsonText(c, acceptedReports(0));
  });
  return routes;
}
