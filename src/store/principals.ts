import { and, eq, inArray, sql } from "drizzle-orm";
import { newId } from "../model/id.ts";
import type { Queryable } from "./database.ts";
import { principals } from "./schema.ts";

export type PrincipalRow = typeof principals.$inferSelect;

/**
 * Makes a principal known, or brings its e-mail address up to date. A person is issuer + subject; the kind of a principal
 * never changes (a service does not become a person because somebody signs in under its name).
 */
export async function upsertPrincipal(
  db: Queryable,
  principal: Pick<PrincipalRow, "issuer" | "subject" | "email" | "kind">,
): Promise<PrincipalRow> {
  const [row] = await db
    .insert(principals)
    .values({ id: newId(), ...principal })
    .onConflictDoUpdate({
      target: [principals.issuer, principals.subject],
      set: { email: sql`excluded.email` },
    })
    .returning();
  if (row === undefined) throw new Error("an upsert returns its row");
  return row;
}

/** What an identity provider says of a person, at the time when it says so. */
export interface ProviderPerson {
  readonly issuer: string;
  readonly subject: string;
  readonly email: string;
  readonly kind: "person" | "service";
  readonly groups: readonly string[];
  readonly statedAt: Date;
}

/**
 * Makes a provider's person known, or brings them up to date. What was stated earlier never overwrites what was stated later: an
 * old JWT must not bring back a group that somebody has left.
 * @returns the person as they stand now
 */
export async function upsertProviderPerson(db: Queryable, person: ProviderPerson): Promise<PrincipalRow> {
  const { issuer, subject, email, kind, groups, statedAt } = person;
  const [row] = await db
    .insert(principals)
    .values({ id: newId(), issuer, subject, email, kind, groups: [...groups], groupsAt: statedAt })
    .onConflictDoUpdate({
      target: [principals.issuer, principals.subject],
      set: { email: sql`excluded.email`, groups: sql`excluded.groups`, groupsAt: sql`excluded.groups_at` },
      setWhere: sql`${principals.groupsAt} is null or ${principals.groupsAt} <= excluded.groups_at`,
    })
    .returning();
  return row ?? (await mustFind(db, issuer, subject));
}

async function mustFind(db: Queryable, issuer: string, subject: string): Promise<PrincipalRow> {
  const row = await findPrincipal(db, issuer, subject);
  if (row === null) throw new Error("an upsert that changes nothing has found its row");
  return row;
}

export async function findPrincipal(db: Queryable, issuer: string, subject: string): Promise<PrincipalRow | null> {
  const [row] = await db
    .select()
    .from(principals)
    .where(and(eq(principals.issuer, issuer), eq(principals.subject, subject)));
  return row ?? null;
}

export async function findPrincipalById(db: Queryable, id: string): Promise<PrincipalRow | null> {
  const [row] = await db.select().from(principals).where(eq(principals.id, id));
  return row ?? null;
}

export async function findPrincipalsById(db: Queryable, ids: readonly string[]): Promise<readonly PrincipalRow[]> {
  return ids.length === 0
    ? []
    : db
        .select()
        .from(principals)
        .where(inArray(principals.id, [...ids]));
}
