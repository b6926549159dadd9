import type { LoadedConfig } from "../config.ts";
import type { DatabaseHandle } from "../store/database.ts";
import { openStore } from "../store/open.ts";
import type { CommandIo, ExitCode } from "./command.ts";
import { loadConfigOrTell } from "./load-config.ts";

/**
 * Does some work on the database that the configuration names, also while a gateway runs on it.
 * @param command as the database's own list of connections shows it
 * @returns 1 after telling every mistake of the configuration
 */
export async function withStore(
  command: string,
  config: readonly string[] | undefined,
  io: CommandIo,
  work: (handle: DatabaseHandle, config: LoadedConfig) => Promise<ExitCode>,
): Promise<ExitCode> {
  const loaded = await loadConfigOrTell(config ?? [], io, io.stderr);
  if (loaded === null) return 1;
  const handle = await openStore({
    databaseUrl: loaded.databaseUrl,
    dataDir: loaded.dataDir,
    max: 1,
    applicationName: command,
  });
  try {
    return await work(handle, loaded);
  } finally {
    await handle.close();
  }
}
