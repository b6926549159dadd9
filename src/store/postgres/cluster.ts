/**
 * A PostgreSQL server of our own: made by `initdb`, started and stopped as a process. Its home directory holds `data/` (what
 * PostgreSQL knows as PGDATA) and `password`. It is reached over TCP on 127.0.0.1 alone: a Unix socket's path may be no longer
 * than some hundred bytes, and a clone may be anywhere.
 */
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { GatewayError } from "../../errors.ts";
import type { PostgresBinaries } from "./binaries.ts";
import { inheritOwner } from "./inherit-owner.ts";
import { readPostmasterPid } from "./postmaster-pid.ts";
import { processIdentity } from "./process-identity.ts";
import { chooseRunAs, commandLine, postgresEnvironment } from "./run-as.ts";

/** The superuser of our clusters, and the database that the gateway uses. */
const CLUSTER_USER = "sallyport";

const run = promisify(execFile);
const START_TIMEOUT_MS = 60_000;

export const dataOf = (home: string): string => join(home, "data");

/**
 * Makes a new cluster; its password is random and lies in `<home>/password`, readable by the owner alone.
 * @param home does not exist yet; its parent does
 * @throws GatewayError `database_unavailable`
 */
export async function createCluster(binaries: PostgresBinaries, home: string): Promise<void> {
  await mkdir(home, { mode: 0o700 });
  await inheritOwner(home);
  const passwordFile = join(home, "password");
  await writeFile(passwordFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
  await inheritOwner(passwordFile);
  const runAs = await chooseRunAs(binaries, home);
  const env = postgresEnvironment(binaries);
  const major = await postgresMajor(binaries);
  // From 17 on PostgreSQL brings its own C.UTF-8: lower() and ILIKE know all letters, and no system upgrade changes the order.
  const locale =
    major >= 17 ? ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"] : ["--locale=C.UTF-8"];
  const [command, args] = commandLine(runAs, binaries.initdb, [
    `--pgdata=${dataOf(home)}`,
    `--username=${CLUSTER_USER}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    ...locale,
    "--wal-segsize=4",
  ]);
  try {
    await run(command, args, { env, cwd: home });
  } catch (cause) {
    throw new GatewayError(
      "database_unavailable",
      `The embedded PostgreSQL could not be initialised in ${home}. Check that the disk has space and that the directory ` +
        "belongs to the user who runs Sallyport.",
      { cause },
    );
  }
}

/** The major version of the binaries, e.g. 18. */
export async function postgresMajor(binaries: PostgresBinaries): Promise<number> {
  const { stdout } = await run(binaries.postgres, ["--version"], { env: postgresEnvironment(binaries) });
  return Number(/(\d+)/.exec(stdout)?.[1] ?? 0);
}

/** @returns the password of a cluster's superuser */
const readPassword = (home: string): Promise<string> => readFile(join(home, "password"), "utf8");

export interface StartOptions {
  readonly binaries: PostgresBinaries;
  readonly home: string;
  /** Used if it is free; otherwise any other. */
  readonly preferredPort?: number | null;
  /** PostgreSQL's own settings, over ours. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** A session of its own: Ctrl-C in the terminal does not reach the server, and it outlives who started it. */
  readonly detached: boolean;
}

/** For a few local processes: small memory, everything durable, no statement or value in the log. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  shared_buffers: "32MB",
  max_connections: "100",
  max_wal_size: "256MB",
  min_wal_size: "32MB",
  timezone: "UTC",
  log_timezone: "UTC",
  log_min_messages: "warning",
  log_checkpoints: "off",
  log_min_error_statement: "panic",
  log_error_verbosity: "terse",
};

/**
 * Starts a server and waits until it answers.
 * @throws GatewayError `database_unavailable` when it ends before that
 */
export async function startServer(options: StartOptions): Promise<{ readonly pid: number; readonly port: number }> {
  const { binaries, home } = options;
  const data = dataOf(home);
  const runAs = await chooseRunAs(binaries, home);
  const port = await findFreePort(options.preferredPort ?? null);
  const settings = Object.entries({ ...SETTINGS, ...options.settings });
  const [command, args] = commandLine(runAs, binaries.postgres, [
    `-D${data}`,
    `-p${port}`,
    ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ]);
  const log = await open(options.logFile, "a", 0o600);
  await inheritOwner(options.logFile);
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", log.fd],
    env: postgresEnvironment(binaries),
    cwd: home,
    detached: options.detached,
  });
  await log.close();
  const end: { reason: string | null } = { reason: null };
  child.once("error", (error) => (end.reason = error.message));
  child.once("exit", (code, signal) => (end.reason = `exit ${code ?? signal}`));
  child.unref();
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (end.reason === null && Date.now() < deadline) {
    const running = await readPostmasterPid(data);
    if (running !== null && running.pid === child.pid && running.status === "ready") return { pid: running.pid, port };
    await sleep(10);
  }
  throw new GatewayError(
    "database_unavailable",
    `The embedded PostgreSQL in ${home} did not start. Its log, ${options.logFile}, says why.`,
    { cause: new Error(end.reason ?? `not ready after ${START_TIMEOUT_MS} ms`) },
  );
}

/** Ends a server ("fast": open transactions are rolled back) and waits until it has gone. */
export async function stopServer(pid: number, timeoutMs = 30_000): Promise<void> {
  signal(pid, "SIGINT");
  const deadline = Date.now() + timeoutMs;
  while ((await processIdentity(pid)) !== null) {
    if (Date.now() > deadline) throw new GatewayError("internal", `PostgreSQL (process ${pid}) does not stop.`);
    await sleep(10);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Another process may take the port before PostgreSQL does; whoever starts a server tries again then. */
async function findFreePort(preferred: number | null): Promise<number> {
  const listen = (port: number) =>
    new Promise<number>((resolve, reject) => {
      const server = createServer();
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => {
        const address = server.address();
        server.close(() => resolve(typeof address === "object" && address !== null ? address.port : port));
      });
    });
  return preferred === null ? listen(0) : listen(preferred).catch(() => listen(0));
}

/** The superuser's URL of a running cluster. */
export async function clusterUrl(home: string, port: number, database = "postgres"): Promise<string> {
  return `postgres://${CLUSTER_USER}:${await readPassword(home)}@127.0.0.1:${port}/${database}`;
}
