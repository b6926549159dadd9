import { sql } from "drizzle-orm";
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
