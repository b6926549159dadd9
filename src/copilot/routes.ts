/**
 * Whether a request goes on, by its method and path alone. Stateless inference does, unless a line of `paths` refuses it; everything else
 * only where a line relays it. Pure.
 */
import { err, ok, type Result } from "../errors.ts";
import type { CopilotConnection, PathRule } from "../model/connection.ts";
import { matchesGlob } from "../model/glob.ts";
import type { Endpoint } from "./endpoints/endpoint.ts";
import { findEndpoint } from "./endpoints/registry.ts";

export interface Route {
  readonly endpoint: Endpoint;
  /** The line of `paths` that relays it; null where none was needed. */
  readonly rule: PathRule | null;
}

/** `refused`: a line says so; `unnamed`: no line says that it may. */
export interface Unrouted {
  readonly reason: "refused" | "unnamed";
  readonly endpoint: Endpoint;
}

export function findRoute(connection: CopilotConnection, method: string, path: string): Result<Route, Unrouted> {
  const endpoint = findEndpoint(method, path);
  const rule = connection.rules.paths.find((line) => matchesRule(line, method, path)) ?? null;
  if (rule?.action === "refuse") return err({ reason: "refused", endpoint });
  if (rule === null && endpoint.access === "named") return err({ reason: "unnamed", endpoint });
  return ok({ endpoint, rule });
}

/**
 * Case counts in what is relayed and not in what is refused: whatever the upstream makes of another spelling, it gets no more than is written.
 */
function matchesRule({ methods, path: pattern, action }: PathRule, method: string, path: string): boolean {
  if (methods.length > 0 && !methods.includes(method)) return false;
  return action === "relay" ? matchesGlob(pattern, path) : matchesGlob(pattern.toLowerCase(), path.toLowerCase());
}

/** Words of an API's own (`sessions`, `v1`); anything else in a path could be an id. */
const WORD = /^(?:(?=.{1,20}$)[a-z]+(?:[_-][a-z]+)*|v\d{1,2})$/;

/**
 * What a path holds besides the words of the rule that relays it: ids, as far as anybody can tell.
 * `/agents/jobs/*` and `/agents/jobs/42/logs` → `42`.
 */
export function idsInPath(path: string, rule: PathRule | null): readonly string[] {
  if (rule === null || rule.ids === "any") return [];
  const own = new Set(rule.path.split("/").filter((segment) => !segment.includes("*")));
  return path
    .split("/")
    .slice(1)
    .filter((segment) => segment !== "" && !own.has(segment) && !WORD.test(segment))
    .map((segment) => decodeURIComponent(segment));
}

/** The first word of a tool that only reads, or the last one, as GitHub's server names them (`get_issue`, `pull_request_read`). */
const READS = /^(?:get|list|search|find|fetch|read|view|describe)(?:_|-|$)|(?:_|-)(?:read|get|list|search)$/;

/** The tools of an MCP call that may not be called on this connection. */
export const refusedTools = (calls: readonly string[], allowed: readonly string[]): readonly string[] =>
  calls.filter((name) => !READS.test(name) && !allowed.some((pattern) => matchesGlob(pattern, name)));
