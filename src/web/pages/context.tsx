/** What the routes of all pages share. */
import type { Context } from "hono";
import type { SignInRule } from "../../flows/approval/decider.ts";
import type { Identity } from "../../identity/identity.ts";
import type { OidcProvider } from "../../identity/oidc/provider.ts";
import type { Connection } from "../../model/connection.ts";
import type { Logger } from "../../model/log.ts";
import type { Page } from "../../store/exchange-filters.ts";
import type { Decide, RecordDependencies } from "../api/context.ts";
import { encodeCursor, parseListQuery, type ListKind, type ListQuery } from "../api/list-query.ts";
import type { SignIn, Viewer } from "../sign-in.ts";
import { sendPage, type Shell } from "./layout.tsx";
import type { ListProps } from "./list-page.tsx";
import { MessagePage } from "./overview.tsx";
import type { Proxies } from "../forwarded.ts";
import type { FilterField } from "./filters.tsx";

export interface PagesDependencies extends RecordDependencies {
  readonly identity: Pick<Identity, "authenticate">;
  /** Null: there is none, and people sign in with a gateway token. */
  readonly provider: OidcProvider | null;
  readonly clientAddress: Proxies["clientAddress"];
  readonly decide: Decide;
  /** What the provider's people need to decide; null where there is no provider. */
  readonly signIns: SignInRule | null;
  /** By name; for the page that says how to connect. */
  readonly connections: ReadonlyMap<string, Connection>;
  /** The one that clients are sent to which sign in at the gateway; null: none. */
  readonly steeredTo: string | null;
  /** Takes secrets out of a text. */
  readonly mask: (text: string) => string;
  readonly log: Logger;
  readonly now: () => Date;
}

export interface PagesEnv {
  readonly Variables: { readonly viewer: Viewer };
}

export interface PagesContext {
  readonly deps: PagesDependencies;
  readonly signIn: SignIn;
}

export const shellFor = ({ deps, signIn }: PagesContext, c: Context, viewer: Viewer | null): Shell => ({
  viewer,
  signOutToken: viewer === null ? "" : signIn.formToken(c, "/sign-out"),
  path: c.req.path,
  now: deps.now(),
});

export const shellOf = (pages: PagesContext, c: Context<PagesEnv>): Shell => shellFor(pages, c, c.var.viewer);

/** Also for what is there but not this person's to read. */
export const sendMissing = (pages: PagesContext, c: Context<PagesEnv>, what: string): Promise<Response> => {
  const text = `There is no such ${what}, or it is not yours to read.`;
  return sendPage(c, <MessagePage shell={shellOf(pages, c)} title="Not found" text={text} />, 404);
};

export const PLACE_FIELDS: readonly FilterField[] = [
  { name: "user", label: "Who" },
  { name: "repository", label: "Repository" },
  { name: "ref", label: "Branch or tag" },
  { name: "q", label: "Text" },
];
export const statusField = (kind: ListKind): FilterField => ({
  name: "status",
  label: "Status",
  options: kind.statuses ?? [],
});

/** Reads the filters of a list page, as the API does; empty fields of the form count as absent. */
export async function listProps<Item>(
  pages: PagesContext,
  c: Context<PagesEnv>,
  kind: ListKind,
  fields: readonly FilterField[],
  list: (query: ListQuery) => Promise<Page<Item>>,
): Promise<ListProps<Item>> {
  const given = [...new URL(c.req.url).searchParams].filter(([, value]) => value.trim() !== "");
  const query = new URLSearchParams(given);
  const parsed = parseListQuery(kind, query);
  query.delete("cursor");
  const base = { shell: shellOf(pages, c), query, fields };
  if (!parsed.ok) return { ...base, items: [], next: null, problem: parsed.error.message };
  const page = await list(parsed.value);
  const next = page.next === null ? null : encodeCursor(kind, page.next);
  return { ...base, items: page.items, next, problem: null };
}
