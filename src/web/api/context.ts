/** What every route of the API is given, and how it answers. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Result } from "../../errors.ts";
import type { Decider } from "../../flows/approval/decider.ts";
import type { Principal } from "../../model/principal.ts";
import type { Database } from "../../store/database.ts";
import type { Page } from "../../store/exchange-filters.ts";
import type { ReadAccess } from "../read-access.ts";
import { encodeCursor, parseListQuery, type ListKind, type ListQuery } from "./list-query.ts";

/** Decides on an approval; see `flows/approval.ts`. */
export type Decide = (request: {
  readonly approvalId: string;
  readonly decider: Decider;
  readonly decision: "approve" | "deny";
  readonly reason: string;
}) => Promise<Result<void, { readonly kind: "not_found" | "forbidden" | "not_pending"; readonly message: string }>>;

export interface RecordDependencies {
  readonly db: Database;
  /** Without a slash at the end. */
  readonly publicUrl: string;
  readonly access: ReadAccess;
}

/** `principal` is set for every route behind the sign-in. */
export interface ApiEnv {
  readonly Variables: { readonly principal: Principal };
}

/** What the API itself refuses; what breaks goes through `error-response.ts`. */
export type ApiErrorCode = "request_malformed" | "unauthenticated" | "forbidden" | "not_found" | "conflict";

const STATUS: Record<ApiErrorCode, ContentfulStatusCode> = {
  request_malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
};

/** `{"error":{"code","message"}}` */
export const jsonError = (c: Context, code: ApiErrorCode, message: string): Response =>
  c.json({ error: { code, message } }, STATUS[code]);

export const notFound = (c: Context, what: string): Response => jsonError(c, "not_found", `there is no such ${what}`);

/** Answers a list: parses the query, asks `list`, and wraps the page. */
export async function answerList<Item>(
  c: Context,
  kind: ListKind,
  list: (query: ListQuery) => Promise<Page<Item>>,
  toJson: (item: Item) => object | null,
): Promise<Response> {
  const query = parseListQuery(kind, new URL(c.req.url).searchParams);
  if (!query.ok) return jsonError(c, "request_malformed", query.error.message);
  const page = await list(query.value);
  return c.json({
    // What this person may not read is left out; a page can therefore be shorter than its limit.
    items: page.items.map(toJson).filter((item) => item !== null),
    next: page.next === null ? null : encodeCursor(kind, page.next),
  });
}

export const iso = (at: Date | null): string | null => at?.toISOString() ?? null;
