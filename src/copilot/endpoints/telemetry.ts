/**
 * Telemetry. `GET /telemetry` fetches the settings of experiments; `POST /telemetry` (gzip, Application Insights) reports, and with
 * `restricted_telemetry` the reports hold prompts and tool output. Neither goes upstream as it comes.
 */
import type { Endpoint } from "./endpoint.ts";

export const telemetry: Endpoint = {
  format: "telemetry",
  matches: (method, path) => (method === "GET" || method === "POST") && path === "/telemetry",
  access: "telemetry",
  grouping: "none",
};

/** No experiments. An empty object sends the language server into a hot loop: it asks again at once. */
export const NO_EXPERIMENTS = JSON.stringify({
  Features: [],
  Flights: {},
  Configs: [{ Id: "vscode", Parameters: {} }],
  ParameterGroups: [],
  FlightingVersion: 0,
  ImpressionId: "",
  AssignmentContext: "",
});

/** What Application Insights answers: everything was taken, so that nothing is sent again. */
export const acceptedReports = (count: number): string =>
  JSON.stringify({ itemsReceived: count, itemsAccepted: count, appId: null, errors: [] });
