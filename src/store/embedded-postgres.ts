/**
 * The database that comes with Sallyport: a PostgreSQL server of its own below the data directory, shared by every process that
 * opens it (the gateway, the command line). Whoever comes first starts it, whoever leaves last stops it. Below `dataDir`:
 *
 *     postgres/          the cluster: data/ and password (see postgres/cluster.ts)
 *     postgres.users/    one file for each open handle
 *     postgres.lock/     held while somebody enters or leaves
 *     postgres.log       the server's own words, at most twice 4 MB with postgres.log.1
 *
 * `kill -9` of a process leaves the server running, and the next one to come finds it. Two machines (or two containers) cannot
 * share one data directory.
 */
import {
  copyFile,
  mkdir,
  open,
  readFile,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../errors.ts";
import { openDatabase, type DatabaseHandle } from "./database.ts";
import { findEmbeddedBinaries, type PostgresBinaries } from "./postgres/binaries.ts";
import { clusterUrl, createCluster, dataOf, postgresMajor, startServer, stopServer } from "./postgres/cluster.ts";
import { withProcessLock } from "./postgres/process-lock.ts";
import { readPostmasterPid, type PostmasterPid } from "./postgres/postmaster-pid.ts";
import { processCommand, processIdentity } from "./postgres/process-identity.ts";
import { enter, leave } from "./postgres/users.ts";

export interface EmbeddedOptions {
  /** Made if it is not there, readable by its owner alone. */
  readonly dataDir: string;
  readonly max?: number;
  readonly applicationName?: string;
}

/** As {@link DatabaseHandle}; `close` also stops the server if nobody else uses it. */
export interface EmbeddedHandle extends DatabaseHandle {
  /** The server's process id, for the operator. */
  readonly pid: number;
}

/** Longer than a first start on a slow disk; whoever waits for the lock waits for one. */
const LOCK_TIMEOUT_MS = 120_000;
const SETTLE_TIMEOUT_MS = 60_000;
const START_ATTEMPTS = 5;
const WATCH_MS = 2_000;
const LOG_BYTES = 4 * 1024 * 1024;

interface Place {
  readonly dataDir: string;
  readonly home: string;
  readonly users: string;
  readonly logFile: string;
  readonly binaries: PostgresBinaries;
  readonly locked: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * Opens the embedded database; the schema is the caller's (`migrateDatabase`).
 * @throws GatewayError `database_unavailable`, `storage_failed`
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedHandle> {
  try {
    return await openPlace(await findPlace(options.dataDir), options);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (cause instanceof GatewayError || code === undefined) throw cause;
    throw new GatewayError(
      "storage_failed",
      `The data directory ${options.dataDir} cannot be used (${code}). It has to belong to the user who runs Sallyport, on a ` +
        "disk with space; SALLYPORT_DATA names another one.",
      { cause },
    );
  }
}

async function findPlace(directory: string): Promise<Place> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const dataDir = await realpath(directory);
  return {
    dataDir,
    home: join(dataDir, "postgres"),
    users: join(dataDir, "postgres.users"),
    logFile: join(dataDir, "postgres.log"),
    binaries: await findEmbeddedBinaries(join(dataDir, "postgres.lib")),
    locked: (work) => withProcessLock(join(dataDir, "postgres.lock"), LOCK_TIMEOUT_MS, work),
  };
}

async function openPlace(place: Place, options: EmbeddedOptions): Promise<EmbeddedHandle> {
  const { server, entry } = await place.locked(async () => {
    await createIfMissing(place);
    return { server: await ensureServer(place, null), entry: await enter(place.users) };
  });
  const handle = openDatabase(await clusterUrl(place.home, server.port), options);
  const watch = watchServer(place, server);
  let closing: Promise<void> | null = null;
  const close = () =>
    (closing ??= (async () => {
      await watch.stop();
      await handle.close();
      await place.locked(async () => {
        if (await leave(place.users, entry)) return;
        const running = await readPostmasterPid(dataOf(place.home));
        if (running !== null && (await isOurs(place, running))) await stopServer(running.pid);
      });
    })());
  return { ...handle, pid: server.pid, close };
}

/** A cluster is made under another name and renamed when it is whole: what a crash leaves behind is made again. */
async function createIfMissing({ home, dataDir, binaries }: Place): Promise<void> {
  if (await stat(home).catch(() => null)) return;
  for (const name of await readdir(dataDir))
    if (name.startsWith("postgres.new")) await rm(join(dataDir, name), { recursive: true, force: true });
  await createCluster(binaries, `${home}.new`);
  await rename(`${home}.new`, home);
  const directory = await open(dataDir, "r");
  await directory.sync();
  await directory.close();
}

/** The running server, or one started now. Called under the lock. */
async function ensureServer(place: Place, knownPort: number | null): Promise<{ pid: number; port: number }> {
  const data = dataOf(place.home);
  const deadline = Date.now() + SETTLE_TIMEOUT_MS;
  let preferredPort = knownPort;
  for (let attempt = 1; ;) {
    const running = await readPostmasterPid(data);
    if (running !== null && (await isOurs(place, running))) {
      const { pid, port, status } = running;
      if (status === "ready" && port !== null && (await answers(place, port))) return { pid, port };
      if (Date.now() > deadline) throw stuck(place, pid);
      await sleep(25);
      continue;
    }
    preferredPort ??= running?.port ?? null;
    if (running !== null) await disownPid(data, running);
    await checkVersion(place);
    await boundLog(place.logFile);
    try {
      return await startServer({ ...place, preferredPort, detached: true });
    } catch (error) {
      // The port was taken in between, or what a killed server left (its children, its shared memory) is still going away.
      attempt += 1;
      if (attempt > START_ATTEMPTS) throw error;
      await sleep(200 * attempt);
    }
  }
}

/** Whether the process that `postmaster.pid` names is a PostgreSQL on our data, and not a stranger who got its id since. */
async function isOurs({ home }: Place, { pid }: PostmasterPid): Promise<boolean> {
  if ((await processIdentity(pid)) === null) return false;
  return (await processCommand(pid))?.includes(`-D${dataOf(home)}`) ?? false;
}

/** Another server may have taken the port of ours: it has to know our password, and prove it (SCRAM), and serve our data. */
async function answers({ home }: Place, port: number): Promise<boolean> {
  const probe = openDatabase(await clusterUrl(home, port), { max: 1, applicationName: "sallyport-probe" });
  try {
    const [row] = await probe.sql<{ data: string }[]>`select current_setting('data_directory') as data`;
    return row?.data === dataOf(home);
  } catch {
    return false;
  } finally {
    await probe.close();
  }
}

/**
 * After a power loss the id in `postmaster.pid` may be anybody's, and PostgreSQL would refuse to start because "another
 * postmaster" is running. An id beyond all possible ones takes its place; the file itself stays, because PostgreSQL learns from
 * it which shared memory to look at before it trusts that nobody else is on the data.
 */
async function disownPid(data: string, { pid }: PostmasterPid): Promise<void> {
  if ((await processIdentity(pid)) === null) return;
  const path = join(data, "postmaster.pid");
  const [, ...rest] = (await readFile(path, "utf8")).split("\n");
  await writeFile(path, ["2147483646", ...rest].join("\n"));
}

async function checkVersion({ home, binaries }: Place): Promise<void> {
  const made = Number(await readFile(join(dataOf(home), "PG_VERSION"), "utf8"));
  const major = await postgresMajor(binaries);
  if (made === major) return;
  throw new GatewayError(
    "database_unavailable",
    `The embedded database in ${home} was made by PostgreSQL ${made}; this Sallyport brings ${major}. Start the Sallyport ` +
      "that made it, dump the database with pg_dump, move the directory away and restore into a new one.",
  );
}

const stuck = ({ logFile }: Place, pid: number): GatewayError =>
  new GatewayError(
    "database_unavailable",
    `The embedded PostgreSQL (process ${pid}) runs but does not answer. Its log, ${logFile}, says why; end the process and try again.`,
  );

/** Starts the server again, on the same port, when it has gone (the kernel's out-of-memory killer likes databases). */
function watchServer(place: Place, server: { readonly pid: number; readonly port: number }) {
  let { pid } = server;
  let checking: Promise<void> = Promise.resolve();
  let stopped = false;
  const check = async () => {
    await boundLog(place.logFile);
    if ((await processIdentity(pid)) !== null || stopped) return;
    await place.locked(async () => {
      ({ pid } = await ensureServer(place, server.port));
    });
  };
  const timer = setInterval(() => {
    // Until it succeeds queries fail, which is told to whoever asks: pushes are refused, readiness says no.
    checking = checking.then(check).catch(() => {});
  }, WATCH_MS);
  timer.unref();
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      await checking;
    },
  };
}

/** The server appends, so what it writes after this goes to the beginning of the emptied file. */
async function boundLog(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size < LOG_BYTES) return;
  await copyFile(path, `${path}.1`);
  await truncate(path);
}
