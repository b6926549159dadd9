/**
 * PostgreSQL refuses to run with user id 0. Where the gateway runs as root (a container, a bare machine), there are two ways:
 *
 * 1. a user namespace in which root has another id. Files stay root's on the host, so a data directory below a 0700 directory
 *    of root's works. Containers often forbid it (seccomp), and it ends root's power over directories of *other* users;
 * 2. an operating-system user, with the capability to pass directories that only their owner may enter (capabilities(7)).
 */
import { execFile } from "node:child_process";
import { lchown, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { GatewayError } from "../../errors.ts";
import type { PostgresBinaries } from "./binaries.ts";

/** A command line to put before a program's own, and the user who then has to own the files (null: they stay as they are). */
export interface RunAs {
  readonly prefix: readonly string[];
  readonly owner: { readonly uid: number; readonly gid: number } | null;
}

/** A program and its arguments as they are to be started. */
export function commandLine(runAs: RunAs, program: string, args: readonly string[]): readonly [string, string[]] {
  const [wrapper, ...rest] = runAs.prefix;
  return wrapper === undefined ? [program, [...args]] : [wrapper, [...rest, program, ...args]];
}

const run = promisify(execFile);

const NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"];
/** Where neither a `postgres` nor a `nobody` is in /etc/passwd: the kernel's own "overflow" id. */
const OVERFLOW_ID = 65534;

/** Gateway secrets stay out of PostgreSQL's environment, and what a person has set (PGDATA, LC_ALL) does not change it. */
export const postgresEnvironment = (binaries: PostgresBinaries): Record<string, string> => ({
  PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
  LC_ALL: "C",
  TZ: "UTC",
  ...(binaries.libraryPath.length === 0
    ? {}
    : { [process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH"]: binaries.libraryPath.join(":") }),
});

/**
 * Finds a way to run PostgreSQL on `directory`, by trying each on a harmless command.
 * @param directory exists; the cluster's home (`cluster.ts`), which is given to another user where that is the only way
 * @throws GatewayError `database_unavailable` when nothing works, saying what to do
 */
export async function chooseRunAs(binaries: PostgresBinaries, directory: string): Promise<RunAs> {
  if (process.getuid?.() !== 0) {
    const plain = { prefix: [], owner: null };
    const failure = await tryRunAs(plain, binaries, directory);
    if (failure === null) return plain;
    throw cannotRun(directory, [failure]);
  }
  const failures: string[] = [];
  for (const candidate of await rootCandidates(directory)) {
    const failure = await tryRunAs(candidate, binaries, directory);
    if (failure === null) return candidate;
    failures.push(failure);
  }
  throw cannotRun(directory, failures);
}

const cannotRun = (directory: string, failures: readonly string[]): GatewayError =>
  new GatewayError(
    "database_unavailable",
    `The embedded PostgreSQL cannot run on ${directory}. It never runs as root itself: start Sallyport as another user who ` +
      "owns the directory, or set DATABASE_URL to a PostgreSQL server (15 or later).",
    { cause: new AggregateError(failures.map((failure) => new Error(failure))) },
  );

/** The ways for root, best first. A directory that already belongs to another user keeps its owner. */
async function rootCandidates(directory: string): Promise<readonly RunAs[]> {
  const { uid, gid } = await stat(directory);
  const owner = uid === 0 ? await findUser() : { uid, gid };
  const change = ["setpriv", `--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups"];
  // Containers grant root this one by default. initdb looks for its programs with access(2), which ignores the capabilities
  // of an ordinary user unless the process says that its user id has nothing to do with them (capabilities(7), securebits).
  const pass = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"];
  return [
    ...(uid === 0 ? [{ prefix: NAMESPACE, owner: null }] : []),
    { prefix: [...change, ...pass, "--"], owner },
    { prefix: [...change, "--"], owner },
  ];
}

async function findUser(): Promise<{ uid: number; gid: number }> {
  const lines = (await readFile("/etc/passwd", "utf8").catch(() => "")).split("\n").map((line) => line.split(":"));
  const entry = lines.find(([name]) => name === "postgres") ?? lines.find(([name]) => name === "nobody");
  return { uid: Number(entry?.[2] ?? OVERFLOW_ID), gid: Number(entry?.[3] ?? OVERFLOW_ID) };
}

/** @returns null when it works, otherwise why not. */
async function tryRunAs(candidate: RunAs, binaries: PostgresBinaries, directory: string): Promise<string | null> {
  // What has to work: not being root, reaching and writing the directory, and loading the program with its libraries.
  const script = 'test "$(id -u)" != 0 && cd "$1" && test -w . && "$2" --version && "$3" --version';
  const [command, args] = commandLine(candidate, "/bin/sh", [
    "-c",
    script,
    "sh",
    directory,
    binaries.initdb,
    binaries.postgres,
  ]);
  try {
    if (candidate.owner !== null) await chownTree(directory, candidate.owner);
    await run(command, args, { env: postgresEnvironment(binaries), cwd: "/" });
    return null;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return `${candidate.prefix[0] ?? "directly"}: ${(stderr ?? "").trim() || message}`;
  }
}

async function chownTree(path: string, owner: { readonly uid: number; readonly gid: number }): Promise<void> {
  const { uid } = await stat(path);
  if (uid === owner.uid) return;
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) await chownTree(child, owner);
    else await lchown(child, owner.uid, owner.gid);
  }
  // The directory last: a crash half-way is found again by its owner.
  await lchown(path, owner.uid, owner.gid);
}
