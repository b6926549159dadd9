/** Where a signed-in client goes from here: the endpoints of `/copilot_internal/user` and `/copilot_internal/v2/token`. */
import type { CopilotConnection } from "../../model/connection.ts";
import type { Principal } from "../../model/principal.ts";
import { isNamed } from "../../model/who.ts";
import { loginOf, numberOf } from "./person.ts";
import type { GithubDependencies } from "./context.ts";

export type Standing =
  | { readonly kind: "may"; readonly connection: CopilotConnection }
  /** Nobody is steered anywhere: the configuration names no connection. */
  | { readonly kind: "nowhere" }
  | { readonly kind: "not_allowed"; readonly connection: CopilotConnection };

export function standingOf({ github, connections }: GithubDependencies, principal: Principal): Standing {
  const connection = github.connection === null ? undefined : connections.get(github.connection);
  if (connection?.kind !== "copilot") return { kind: "nowhere" };
  return isNamed(principal, connection.allow) ? { kind: "may", connection } : { kind: "not_allowed", connection };
}

/**
 * Telemetry has the gateway's root, whatever the client makes of it: some take `telemetry` relative to the address, which without a
 * slash at its end drops the last segment.
 */
export function endpointsOf(publicUrl: string, { name }: CopilotConnection) {
  const api = `${publicUrl}/copilot/${name}`;
  return { api, proxy: api, telemetry: publicUrl, "origin-tracker": publicUrl };
}

/**
 * `/copilot_internal/user`. `restricted_telemetry` off: on, the Copilot CLI sends prompts and tool output past the record, without
 * saying whose they are.
 */
export const copilotUserOf = (principal: Principal, publicUrl: string, connection: CopilotConnection) => ({
  login: loginOf(principal),
  access_type_sku: "copilot_enterprise_seat",
  analytics_tracking_id: String(numberOf(principal)),
  assigned_date: null,
  can_signup_for_limited: false,
  can_upgrade_plan: false,
  chat_enabled: true,
  cli_enabled: true,
  is_mcp_enabled: true,
  copilotignore_enabled: false,
  copilot_plan: "enterprise",
  organization_login_list: [],
  organization_list: [],
  restricted_telemetry: false,
  endpoints: endpointsOf(publicUrl, connection),
});

/** `/copilot_internal/v2/token`, around the token itself. */
export const copilotTokenAnswer = (
  token: { readonly text: string; readonly expiresAt: Date; readonly refreshInS: number },
  principal: Principal,
  publicUrl: string,
  connection: CopilotConnection,
) => ({
  token: token.text,
  expires_at: Math.floor(token.expiresAt.getTime() / 1_000),
  refresh_in: token.refreshInS,
  endpoints: endpointsOf(publicUrl, connection),
  sku: "copilot_enterprise_seat",
  individual: false,
  chat_enabled: true,
  xcode: true,
  xcode_chat: true,
  prompt_8k: true,
  annotations_enabled: false,
  codesearch: false,
  code_quote_enabled: false,
  copilotignore_enabled: false,
  nes_enabled: true,
  public_suggestions: "enabled",
  snippy_load_test_enabled: false,
  telemetry: "disabled",
  tracking_id: String(numberOf(principal)),
  vsc_electron_fetcher_v2: false,
  organization_list: [],
  limited_user_quotas: null,
  limited_user_reset_date: null,
});
