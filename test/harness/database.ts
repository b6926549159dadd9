import { randomBytes } from "node:crypto";
import { constants, cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import postgres from "postgres";
import { inject, onTestFinished } from "vitest";
import { openDatabase, type DatabaseHandle } from "../../src/store/database.ts";
import { dataOf, stopServer } from "../../src/store/postgres/cluster.ts";
import { parsePostmasterPid } from "../../src/store/postgres/postmaster-pid.ts";
import { processCommand } from "../../src/store/postgres/process-identity.ts";

/** What `initdb` makes and global-setup.ts migrates. */
const TEMPLATE = "postgres";

/**
 * A migrated database of the test's own. Called in a test, it is closed and dropped when the test ends; called in a hook,
 * whoever calls it closes it (`close` drops it too, and may be called twice).
 */
export async function testDatabase(): Promise<DatabaseHandle> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  await admin().unsafe(`create database ${name} template ${TEMPLATE} strategy file_copy`);
  const url = new URL(inject("databaseAdminUrl"));
  url.pathname = `/${name}`;
  const handle = openDatabase(url.href, { max: 5 });
  let closing: Promise<void> | null = null;
  const close = () =>
    (closing ??= (async () => {
      await handle.close();
      await admin().unsafe(`drop database if exists ${name} with (force)`);
    })());
  whenTestEnds(close);
  return { ...handle, close };
}

/**
 * A data directory with a migrated embedded database in it, for tests that start a gateway in embedded mode. When the test
 * ends, a server that is still running there is stopped and the directory removed; in a hook, nothing of that happens.
 */
export async function embeddedDataDir(): Promise<string> {
  const prepared = inject("preparedCluster");
  if (prepared === null) throw new Error("embeddedDataDir() is for the project `embedded` only");
  const directory = await mkdtemp(join(dirname(prepared), "data-"));
  whenTestEnds(() => removeDataDir(directory));
  await cp(prepared, join(directory, "postgres"), { recursive: true, mode: constants.COPYFILE_FICLONE });
  return directory;
}

/** Where temporary directories of the embedded database are quick (global-setup.ts chooses); programs may not run from there. */
export const scratchRoom = (): string => dirname(dirname(inject("preparedCluster") ?? join(tmpdir(), "none", "none")));

/** Stops what runs in a data directory and removes it. */
export async function removeDataDir(directory: string): Promise<void> {
  const data = dataOf(join(directory, "postgres"));
  const running = parsePostmasterPid(await readFile(join(data, "postmaster.pid"), "utf8").catch(() => ""));
  // The id may be somebody else's by now: a test may even have written its own.
  if (running !== null && (await processCommand(running.pid))?.includes(data) === true) await stopServer(running.pid);
  await rm(directory, { recursive: true, force: true });
}

let adminConnection: postgres.Sql | null = null;

/** Kept while it is used: to open one takes as long as to make a database. */
const admin = (): postgres.Sql =>
  (adminConnection ??= postgres(inject("databaseAdminUrl"), { max: 1, idle_timeout: 5, onnotice: () => {} }));

function whenTestEnds(work: () => Promise<void>): void {
  try {
    onTestFinished(work);
  } catch {
    // Called outside of a test: vitest knows no end to bind it to.
  }
}
