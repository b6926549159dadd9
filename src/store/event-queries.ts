/** Reading the audit events. */
import { and, desc, eq, gte, like, lt, or } from "drizzle-orm";
import type { Queryable } from "./database.ts";
import { containsText, type Page } from "./exchange-filters.ts";
import { isUser, toPage, type PageRequest, type RecordFilter } from "./record-filter.ts";
import { events, principals } from "./schema.ts";

export type EventRecord = typeof events.$inferSelect & {
  /** E-mail address; null for what the gateway did by itself. */
  readonly user: string | null;
  readonly userKind: "person" | "service" | null;
};

/**
 * Newest first. `status` is the event's kind; `ref` and `sha` are looked for in its subject and data.
 * @param ownerId only this person's; null: everyone's
 */
export async function listEventRecords(
  db: Queryable,
  filter: RecordFilter,
  page: PageRequest,
  ownerId: string | null,
): Promise<Page<EventRecord>> {
  const { user, since, until, connection, repository, ref, sha, status, q } = filter;
  const rows = await db
    .select({ event: events, user: principals.email, userKind: principals.kind })
    .from(events)
    .leftJoin(principals, eq(principals.id, events.principalId))
    .where(
      and(
        ownerId === null ? undefined : eq(events.principalId, ownerId),
        user === undefined ? undefined : isUser(user),
        since === undefined ? undefined : gte(events.at, since),
        until === undefined ? undefined : lt(events.at, until),
        connection === undefined ? undefined : like(events.repository, `${connection.replace(/[\\%_]/g, "\\$&")}/%`),
        repository === undefined ? undefined : eq(events.repository, repository),
        ref === undefined ? undefined : or(eq(events.subject, ref), containsText(events.data, ref)),
        sha === undefined ? undefined : or(containsText(events.subject, sha), containsText(events.data, sha)),
        status === undefined ? undefined : eq(events.kind, status),
        q === undefined
          ? undefined
          : or(containsText(events.kind, q), containsText(events.subject, q), containsText(events.data, q)),
        page.after === null ? undefined : lt(events.seq, Number(page.after)),
      ),
    )
    .orderBy(desc(events.seq))
    .limit(page.limit + 1);
  return toPage(
    rows.map((row) => ({ ...row.event, user: row.user, userKind: row.userKind })),
    page.limit,
    (row) => String(row.seq),
  );
}
