import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import * as schema from "./schema.ts";

export type Database = PostgresJsDatabase<typeof schema>;
export type Transaction = Parameters<Parameters<Database["transaction"]>[0]>[0];
/** What the functions of this room take: they work inside a transaction and outside of one. */
export type Queryable = Database | Transaction;

export interface DatabaseHandle {
  readonly db: Database;
  /** The driver underneath, for LISTEN/NOTIFY. */
  readonly sql: postgres.Sql;
  close(): Promise<void>;
}

/**
 * Opens a pool on a real PostgreSQL (15 or later).
 * @param url `postgres://user:password@host:port/database`
 */
export function openDatabase(url: string, options: { readonly max?: number } = {}): DatabaseHandle {
  const sql = postgres(url, { max: options.max ?? 10, onnotice: () => {} });
  return { db: drizzle(sql, { schema }), sql, close: () => sql.end({ timeout: 5 }) };
}
