/**
 * The groups of a person who is in more than fit into a token, asked of Microsoft Graph or what answers like it: pages of
 * `{"value":[{"id",…}],"@odata.nextLink"}`. The address is the configured one: what a token's `_claim_sources` names is not asked,
 * since that is an address (graph.windows.net) that Microsoft has shut down, and a place to send somebody's access token to.
 */
import { GatewayError } from "../../errors.ts";
import type { OidcSettings } from "../provider-settings.ts";
import { asGroups } from "./claims.ts";

const MAX_PAGES = 50;
const TIMEOUT_MS = 15_000;

/** @throws GatewayError `upstream_unreachable`, `upstream_unauthorized`, `upstream_misbehaved` */
export async function fetchOverage(
  { url, property }: NonNullable<OidcSettings["overage"]>,
  accessToken: string,
): Promise<readonly string[]> {
  const groups: string[] = [];
  let next: string | null = url;
  for (let page = 0; next !== null; page += 1) {
    if (page === MAX_PAGES) throw misbehaved(`answers with more than ${MAX_PAGES} pages`);
    const body = await fetchPage(next, accessToken);
    if (!Array.isArray(body.value)) throw misbehaved("answers without a list (value)");
    groups.push(...body.value.flatMap((item: unknown) => asGroups(nameOf(item, property))));
    next = body.next === null ? null : sameOrigin(body.next, url);
  }
  return [...new Set(groups)];
}

const nameOf = (item: unknown, property: string): unknown =>
  typeof item === "object" && item !== null ? (item as Record<string, unknown>)[property] : undefined;

async function fetchPage(
  url: string,
  accessToken: string,
): Promise<{ readonly value: unknown; readonly next: string | null }> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(url, {
      headers: { authorization: `Bearer ${accessToken}`, accept: "application/json" },
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    body = response.ok ? await response.json() : await response.body?.cancel();
  } catch (cause) {
    throw new GatewayError("upstream_unreachable", `${WHERE} does not answer: try again in a moment`, { cause });
  }
  if (response.status === 401 || response.status === 403) {
    throw new GatewayError(
      "upstream_unauthorized",
      `${WHERE} refuses to say which groups you are in (${response.status}): the gateway's operator has to ask for its scope (identity.oidc.scopes)`,
    );
  }
  if (!response.ok) throw misbehaved(`answers ${response.status}`);
  if (typeof body !== "object" || body === null) throw misbehaved("answers with something else than an object");
  const { value, "@odata.nextLink": next } = body as Record<string, unknown>;
  return { value, next: typeof next === "string" ? next : null };
}

/** The person's access token goes along. */
function sameOrigin(next: string, url: string): string {
  if (URL.canParse(next) && new URL(next).origin === new URL(url).origin) return next;
  throw misbehaved("leads to another host");
}

const WHERE = "the place that knows people's groups (identity.oidc.overage)";

const misbehaved = (what: string): GatewayError => new GatewayError("upstream_misbehaved", `${WHERE} ${what}`);
