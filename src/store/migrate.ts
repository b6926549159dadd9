import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import { GatewayError } from "../errors.ts";
import { checkDatabase, describeDatabase, openDatabase, type DatabaseHandle } from "./database.ts";

/** Any number that nobody else uses for an advisory lock in this database ("sally" in ASCII). */
const MIGRATION_LOCK = 0x73616c6c79;

/**
 * Brings the schema up to date: all of it or nothing, and once when several gateways start together. The lock ends with the
 * transaction, so it holds behind a connection pooler too.
 * @throws GatewayError `database_unavailable` when the server is away, too old, or refuses a migration
 */
export async function migrateDatabase(handle: DatabaseHandle): Promise<void> {
  await checkDatabase(handle);
  try {
    await handle.sql.begin(async (lock) => {
      await lock`select pg_advisory_xact_lock(${MIGRATION_LOCK})`;
      // The migrator opens its own transaction, so it has a connection to itself while this one holds the lock.
      const own = openDatabase(handle.url, { max: 1 });
      try {
        await migrate(own.db, { migrationsFolder: join(packageRoot(), "drizzle") });
      } finally {
        await own.close();
      }
    });
  } catch (cause) {
    throw new GatewayError(
      "database_unavailable",
      `The database at ${describeDatabase(handle.url)} could not be brought up to date; nothing was changed. Its user needs ` +
        "the right to create tables and schemas there.",
      { cause },
    );
  }
}

/** The directory that holds `drizzle/`: two levels up from the source, three from what is built into `dist/`. */
function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "drizzle", "meta", "_journal.json"))) {
    const parent = dirname(directory);
    if (parent === directory)
      throw new GatewayError("internal", "The directory drizzle/ is missing from this installation.");
    directory = parent;
  }
  return directory;
}
