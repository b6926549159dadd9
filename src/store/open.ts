import { openDatabase, type DatabaseHandle } from "./database.ts";
import { openEmbedded } from "./embedded-postgres.ts";
import { migrateDatabase } from "./migrate.ts";

export interface StoreOptions {
  /** Null: the embedded PostgreSQL in `dataDir`. */
  readonly databaseUrl: string | null;
  readonly dataDir: string;
  readonly max?: number;
  readonly applicationName?: string;
}

/**
 * Opens the database that is configured and brings its schema up to date.
 * @throws GatewayError `database_unavailable`, `storage_failed`
 */
export async function openStore({ databaseUrl, dataDir, ...options }: StoreOptions): Promise<DatabaseHandle> {
  const handle =
    databaseUrl === null ? await openEmbedded({ dataDir, ...options }) : openDatabase(databaseUrl, options);
  try {
    await migrateDatabase(handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return handle;
}
