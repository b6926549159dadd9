/**
 * One PostgreSQL server for each vitest project, with a migrated database to copy from:
 *
 * - `embedded`: the binaries that the product brings;
 * - `postgres`: a server that this machine has installed; without one, the embedded binaries run as a server by themselves.
 */
import { access, cp, mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { spawn } from "node:child_process";
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestProject } from "vitest/node";
import { readBuiltRules, writeBuiltRules } from "../../src/config/built-secret-rules.ts";
import { readBuiltinFiles } from "../../src/config/secret-rules.ts";
import { openDatabase } from "../../src/store/database.ts";
import { migrateDatabase } from "../../src/store/migrate.ts";
import { findEmbeddedBinaries, type PostgresBinaries } from "../../src/store/postgres/binaries.ts";
import { clusterUrl, createCluster, startServer, stopServer } from "../../src/store/postgres/cluster.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser's URL of the server; its database is not the template. */
    readonly databaseAdminUrl: string;
    /** A stopped, migrated cluster to copy for tests in true embedded mode; null in the project `postgres`. */
    readonly preparedCluster: string | null;
  }
}

/** Tests' data need not survive a crash. */
const FAST = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  max_connections: "400",
  autovacuum: "off",
};

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const ruleFiles = await readBuiltinFiles();
  // Once here, or every test that looks for secrets would read them anew.
  if ((await readBuiltRules(ruleFiles)) === null) await writeBuiltRules(ruleFiles);
  const kind = project.config.env["SALLYPORT_TEST_DATABASE"];
  const directory = await mkdtemp(join(await chooseRoom(), "sallyport-test-"));
  const embedded = () => findEmbeddedBinaries(join(directory, "lib"));
  const installed = kind === "server" ? await findInstalledBinaries() : null;
  const binaries = installed ?? (await embedded());
  if (kind === "server") {
    const note =
      installed === null ? "none is installed; the embedded binaries, as a server by themselves" : installed.postgres;
    project.vitest.logger.log(`Project ${project.name}: PostgreSQL server: ${note}`);
  }

  const home = join(directory, "postgres");
  const start = () =>
    startServer({ binaries, home, settings: FAST, logFile: join(directory, "postgres.log"), detached: false });
  await createCluster(binaries, home);
  let server = await start();
  const template = openDatabase(await clusterUrl(home, server.port));
  try {
    await migrateDatabase(template);
  } catch (error) {
    await stopServer(server.pid);
    throw error;
  } finally {
    await template.close();
  }
  let prepared: string | null = null;
  if (kind !== "server") {
    await stopServer(server.pid);
    prepared = join(directory, "prepared");
    await cp(home, prepared, { recursive: true, mode: constants.COPYFILE_FICLONE });
    server = await start();
  }
  await makeSignInQuick(await clusterUrl(home, server.port));
  const janitor = cleanUpAfter(server.pid, directory);
  project.provide("databaseAdminUrl", await clusterUrl(home, server.port, "template1"));
  project.provide("preparedCluster", prepared);

  return async () => {
    await stopServer(server.pid);
    await rm(directory, { recursive: true, force: true });
    janitor.kill();
  };
}

/**
 * To derive a key from the password takes both ends of a connection longer than all else of signing in, and tests open thousands of
 * them. Its rounds make a weak password dear to guess; this one is 24 random bytes.
 */
async function makeSignInQuick(url: string): Promise<void> {
  const { username, password } = new URL(url);
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, 1, 32, "sha256");
  const hmac = (text: string): Buffer => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(hmac("Client Key")).digest("base64");
  const verifier = `SCRAM-SHA-256$1:${salt.toString("base64")}$${stored}:${hmac("Server Key").toString("base64")}`;
  const database = openDatabase(url, { max: 1 });
  try {
    await database.sql.unsafe(`alter role ${username} password '${verifier}'`);
  } finally {
    await database.close();
  }
}

/** Stops the server and removes its files also if this process gets no chance to: the pipe ends with it, however it ends. */
function cleanUpAfter(server: number, directory: string) {
  const script = 'cat; kill -INT "$1"; while kill -0 "$1"; do sleep 0.1; done; rm -rf "$2"';
  const janitor = spawn("sh", ["-c", script, "sh", String(server), directory], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  janitor.unref();
  return janitor;
}

/** A new database is some 400 files: in memory where there is plenty, since a busy disk takes 20 times as long. */
async function chooseRoom(): Promise<string> {
  const memory = "/dev/shm";
  const free = await statfs(memory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  );
  const writable = await access(memory, constants.W_OK).then(
    () => true,
    () => false,
  );
  return writable && free > 4 * 2 ** 30 ? memory : tmpdir();
}

/** The newest server in the places where Debian and others put it, or the one in PATH. */
async function findInstalledBinaries(): Promise<PostgresBinaries | null> {
  const versions = await readdir("/usr/lib/postgresql").catch(() => []);
  const directories = [
    ...versions.sort((a, b) => Number(b) - Number(a)).map((version) => `/usr/lib/postgresql/${version}/bin`),
    ...(process.env["PATH"] ?? "").split(delimiter).filter((directory) => directory !== ""),
  ];
  for (const directory of directories) {
    const [initdb, postgres] = [join(directory, "initdb"), join(directory, "postgres")];
    const runnable = await Promise.all([initdb, postgres].map((path) => access(path, constants.X_OK))).then(
      () => true,
      () => false,
    );
    if (runnable) return { initdb, postgres, libraryPath: [] };
  }
  return null;
}
