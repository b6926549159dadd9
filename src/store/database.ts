import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { GatewayError } from "../errors.ts";
import * as schema from "./schema.ts";

/** With the driver underneath, for statements that are prepared once and cost one round trip. */
export type Database = PostgresJsDatabase<typeof schema> & { readonly $client: postgres.Sql };
export type Transaction = Parameters<Parameters<Database["transaction"]>[0]>[0];
/** What the functions of this room take: they work inside a transaction and outside of one. */
export type Queryable = Database | Transaction;

export interface DatabaseHandle {
  readonly db: Database;
  /** The driver underneath. */
  readonly sql: postgres.Sql;
  /** For connections outside of the pool. Holds the password: never show it. */
  readonly url: string;
  close(): Promise<void>;
}

/** The oldest PostgreSQL that is supported, as `server_version_num` says it. */
const OLDEST_SERVER = 150_000;

/**
 * Opens a pool on a real PostgreSQL (15 or later). Nothing is contacted before the first query, or {@link checkDatabase}.
 * @param url `postgres://user:password@host:port/database`
 */
export function openDatabase(
  url: string,
  options: { readonly max?: number; readonly applicationName?: string } = {},
): DatabaseHandle {
  const sql = postgres(url, {
    max: options.max ?? 10,
    onnotice: () => {},
    connect_timeout: 10,
    connection: { application_name: options.applicationName ?? "sallyport" },
  });
  return { db: drizzle(sql, { schema }), sql, url, close: () => sql.end({ timeout: 5 }) };
}

/**
 * Whether the server answers and is new enough.
 * @throws GatewayError `database_unavailable`
 */
export async function checkDatabase(handle: DatabaseHandle): Promise<void> {
  let version: number;
  try {
    const [row] = await handle.sql<{ version: string }[]>`select current_setting('server_version_num') as version`;
    version = Number(row?.version);
  } catch (cause) {
    throw new GatewayError(
      "database_unavailable",
      `The database at ${describeDatabase(handle.url)} does not answer: ${reason(cause)}. Check DATABASE_URL and that the ` +
        "server is running.",
      { cause },
    );
  }
  if (version >= OLDEST_SERVER) return;
  throw new GatewayError(
    "database_unavailable",
    `The database at ${describeDatabase(handle.url)} is PostgreSQL ${Math.floor(version / 10_000)}; Sallyport needs 15 or ` +
      "later. Upgrade the server, or leave DATABASE_URL unset to use the embedded one.",
  );
}

/** Host, port and database of a URL: what may be shown of it. */
export function describeDatabase(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  return parsed === null ? "(not a URL)" : `${parsed.host}${parsed.pathname}`;
}

const reason = (cause: unknown): string => {
  const codes = (cause as { code?: unknown; routine?: unknown }) ?? {};
  // The driver's own texts hold no credential: codes of the operating system, or PostgreSQL's SQLSTATE and its message.
  return typeof codes.code === "string"
    ? `${codes.code} ${cause instanceof Error ? cause.message : ""}`.trim()
    : String(cause);
};

/** SQLSTATE classes and driver codes that mean "the database is away", not "the query is wrong". */
const AWAY = /^(08|53|57P|58)|^(CONNECT|CONNECTION_|ECONN|EPIPE|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|EAI_)/;

/** Whether a failed query failed because the database is away: worth another try later, and told as such to clients. */
export function isDatabaseAway(error: unknown): boolean {
  // Somebody has said already what it is: an upstream that refuses the connection has the same code in its cause.
  if (error instanceof GatewayError) return error.code === "database_unavailable";
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as Error & { code?: unknown };
    if (typeof code === "string" && AWAY.test(code)) return true;
  }
  return false;
}

/** The unique index or constraint that a row was against (SQLSTATE 23505); null for any other failure. */
export function violatedUnique(error: unknown): string | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code, constraint_name: name } = cause as Error & { code?: unknown; constraint_name?: unknown };
    if (code === "23505" && typeof name === "string") return name;
  }
  return null;
}
