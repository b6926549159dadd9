/** What the lists of sessions and exchanges share. */
import { sql, type AnyColumn, type SQL } from "drizzle-orm";
import { isId } from "../model/id.ts";

/** One page of a list, and where the next one begins; null at the end. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/**
 * Whether a text or jsonb column contains a text, without case. In jsonb's text form quotes, back-slashes and line feeds are
 * escaped; so they are in the pattern.
 */
export function containsText(column: AnyColumn, text: string): SQL {
  const needle = column.getSQLType() === "jsonb" ? JSON.stringify(text).slice(1, -1) : text;
  return sql`${column}::text ilike ${`%${needle.replace(/[\\%_]/g, "\\$&")}%`}`;
}

export const encodeCursor = (at: Date, id: string): string =>
  Buffer.from(`${at.toISOString()} ${id}`).toString("base64url");

/** @returns null for what is no cursor: the list then begins at its start */
export function decodeCursor(cursor: string): { readonly at: Date; readonly id: string } | null {
  const [at, id] = Buffer.from(cursor, "base64url").toString("utf8").split(" ");
  const time = new Date(at ?? "");
  return id === undefined || !isId(id) || Number.isNaN(time.getTime()) ? null : { at: time, id };
}
