/** The connections of a configuration that is right, with their credentials. */
import type { Connection, ModelPolicy, UpstreamCredential, WireRules } from "../model/connection.ts";
import type { ParsedModelPolicy } from "../policy/schema/models.ts";
import { deepFreeze } from "./deep-freeze.ts";
import type { ParsedConfig } from "./schema.ts";
import type { Secrets } from "./secret-source.ts";

export function buildConnections({ connections }: ParsedConfig, secrets: Secrets): ReadonlyMap<string, Connection> {
  return new Map(
    Object.entries(connections).map(([name, parsed]): [string, Connection] => {
      const credential = buildCredential(name, parsed.credential, secrets);
      const common = { name, url: parsed.url, credential, allow: parsed.allow };
      const connection: Connection =
        parsed.kind === "git"
          ? { ...common, kind: "git", access: parsed.access ?? null, dumb: parsed.dumb }
          : {
              ...common,
              kind: parsed.kind,
              proxyUrl: parsed.proxyUrl ?? null,
              rules: buildWireRules(parsed),
              policy: buildModelPolicy(parsed),
            };
      return [name, deepFreeze(connection)];
    }),
  );
}

type ParsedModelConnection = Exclude<ParsedConfig["connections"][string], { readonly kind: "git" }>;

const buildWireRules = ({
  paths,
  websocket,
  telemetry,
  telemetryUrl,
  mcpTools,
  clientAccount,
}: ParsedModelConnection): WireRules => ({
  paths: paths.map(({ do: action, ...rule }) => ({ ...rule, action })),
  websocket,
  telemetry,
  telemetryUrl: telemetryUrl ?? null,
  mcpTools,
  clientAccount,
});

const buildModelPolicy = ({ models, limits, databaseAway, unreadable }: ParsedModelPolicy): ModelPolicy => ({
  models: models ?? null,
  limits: limits.map(({ people, requestBytes, requestsPerMinute, streams }) => ({
    people,
    requestBytes: requestBytes ?? null,
    requestsPerMinute: requestsPerMinute ?? null,
    streams: streams ?? null,
  })),
  databaseAway,
  unreadable,
});

function buildCredential(
  name: string,
  parsed: ParsedConfig["connections"][string]["credential"],
  secrets: Secrets,
): UpstreamCredential {
  if (parsed === undefined) return { kind: "none" };
  if (parsed === "passthrough") return { kind: "passthrough" };
  if ("bearer" in parsed) return { kind: "bearer", token: secrets.at("connections", name, "credential", "bearer") };
  if ("header" in parsed) {
    return { kind: "header", name: parsed.header, value: secrets.at("connections", name, "credential", "value") };
  }
  return {
    kind: "basic",
    username: parsed.username,
    password: secrets.at("connections", name, "credential", "password"),
  };
}
