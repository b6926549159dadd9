/** The record of fetches: who read what of which repository. */
import { and, arrayOverlaps, desc, eq, gte, lt, or, sql } from "drizzle-orm";
import type { FetchStatus } from "../model/fetch.ts";
import type { Database, Queryable } from "./database.ts";
import { containsText, type Page } from "./exchange-filters.ts";
import { isUser, toPage, type PageRequest, type RecordFilter } from "./record-filter.ts";
import { fetches, principals } from "./schema.ts";

/** Texts are masked. */
export type NewFetch = typeof fetches.$inferInsert;

export type FetchRecord = typeof fetches.$inferSelect & {
  /** E-mail address. */
  readonly user: string;
  readonly userKind: "person" | "service";
};

/** Rows of one statement: PostgreSQL takes 65,535 parameters at most. */
export const FETCH_BATCH = 500;

/** @param rows at most {@link FETCH_BATCH} */
export async function insertFetches(db: Queryable, rows: readonly NewFetch[]): Promise<void> {
  if (rows.length > 0) await db.insert(fetches).values([...rows]);
}

/**
 * Newest first. `ref` is a name that the asked-for ids had, `sha` an id that was asked for.
 * @param ownerId only this person's; null: everyone's
 */
export async function listFetches(
  db: Queryable,
  filter: RecordFilter,
  page: PageRequest,
  ownerId: string | null,
): Promise<Page<FetchRecord>> {
  const { user, since, until, connection, repository, ref, sha, status, q } = filter;
  const rows = await db
    .select({ fetch: fetches, user: principals.email, userKind: principals.kind })
    .from(fetches)
    .innerJoin(principals, eq(principals.id, fetches.principalId))
    .where(
      and(
        ownerId === null ? undefined : eq(fetches.principalId, ownerId),
        user === undefined ? undefined : isUser(user),
        since === undefined ? undefined : gte(fetches.startedAt, since),
        until === undefined ? undefined : lt(fetches.startedAt, until),
        connection === undefined ? undefined : eq(fetches.connection, connection),
        repository === undefined ? undefined : eq(fetches.repository, repository),
        ref === undefined ? undefined : arrayOverlaps(fetches.refs, [ref, `refs/heads/${ref}`, `refs/tags/${ref}`]),
        sha === undefined
          ? undefined
          : sql`exists (select from unnest(${fetches.wants}) as want where starts_with(want, ${sha}))`,
        status === undefined ? undefined : eq(fetches.status, status as FetchStatus),
        q === undefined
          ? undefined
          : or(
              containsText(fetches.repository, q),
              containsText(fetches.userAgent, q),
              containsText(fetches.refs, q),
              containsText(fetches.options, q),
            ),
        page.after === null ? undefined : lt(fetches.id, page.after),
      ),
    )
    .orderBy(desc(fetches.id))
    .limit(page.limit + 1);
  return toPage(
    rows.map((row) => ({ ...row.fetch, user: row.user, userKind: row.userKind })),
    page.limit,
    (row) => row.id,
  );
}

/** Removes a batch of fetches that began before a time. @returns how many; call again while it is {@link FETCH_BATCH} */
export async function deleteOldFetches(db: Database, before: Date): Promise<number> {
  const gone = await db.execute<{ id: string }>(sql`
    delete from fetches where id in (
      select id from fetches where started_at < ${before.toISOString()} order by started_at limit ${FETCH_BATCH}
    ) returning id`);
  return gone.length;
}
