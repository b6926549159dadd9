/**
 * What a benchmark is played on: a client's repository, an upstream (`git http-backend`), and a gateway before it. Twin repositories
 * upstream, one for each way, so that neither finds objects that the other one brought.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { startGitUpstream, type GitUpstreamFixture } from "../fixtures/git-upstream.ts";
import type { BenchOptions, MemoryUse, Way } from "./benchmark.ts";
import { fastImport, type FastImport } from "./fast-import.ts";
import { startBenchGateway, type BenchGateway, type CopilotTarget } from "./gateway.ts";
import { residentBytes, watchMemory } from "./memory.ts";

export interface Setting {
  readonly options: BenchOptions;
  readonly env: NodeJS.ProcessEnv;
  /** For files of the benchmark's own. */
  readonly directory: string;
  readonly upstream: GitUpstreamFixture;
  readonly gateway: BenchGateway;
  /** The client's repository. */
  readonly client: string;
  /** Resident bytes of the gateway before its first request; 0 where they cannot be known. */
  readonly idle: number;
}

export interface SettingOptions {
  /** Told while it is made. */
  readonly name: string;
  /** Fills the client's repository. */
  readonly make: (stream: FastImport) => Promise<void>;
  readonly copilot?: CopilotTarget;
  /** For the gateway alone. */
  readonly env?: NodeJS.ProcessEnv;
}

const UPSTREAM = { username: "gateway", password: "upstream-password" };
/** What a gateway that has just started still does by itself is over by then. */
const SETTLE_MS = 2_000;
/** What a gateway does after its answer (the cache, attribution) counts as its memory, and must not slow what is timed next. */
const AFTERWARDS_MS = 500;

const run = promisify(execFile);

/** Everything is in one temporary directory, and gone afterwards. */
export async function withSetting<T>(
  options: BenchOptions,
  { name, make, copilot, env: ofGateway }: SettingOptions,
  work: (setting: Setting) => Promise<T>,
): Promise<T> {
  const { signal, progress, searchPath } = options;
  const root = await mkdtemp(path.join(tmpdir(), "sallyport-bench-"));
  const stops: (() => Promise<unknown>)[] = [() => rm(root, { recursive: true, force: true, maxRetries: 5 })];
  try {
    const env = sealedEnvironment(searchPath, root);
    const client = path.join(root, "client.git");
    progress(`${name}: making a repository`);
    await run("git", ["init", "-q", "--bare", client], { env, signal });
    await fastImport(client, env, signal, make);

    const served = path.join(root, "upstream");
    await mkdir(served);
    const upstream = await startGitUpstream({ root: served, ...UPSTREAM });
    stops.unshift(() => upstream.stop());
    const gateway = await startBenchGateway({
      directory: path.join(root, "gateway"),
      upstream: { url: upstream.url, ...UPSTREAM },
      ...(copilot === undefined ? {} : { copilot }),
      env: { ...env, ...ofGateway },
      signal,
    });
    stops.unshift(() => gateway.stop());
    await sleep(SETTLE_MS, undefined, { signal });
    const idle = residentBytes(gateway.pid);
    return await work({ options, env, directory: root, upstream, gateway, client, idle });
  } finally {
    for (const stop of stops) await stop();
  }
}

/** Nothing of the machine's or the person's own configuration reaches git. */
const sealedEnvironment = (searchPath: string, home: string): NodeJS.ProcessEnv => ({
  PATH: searchPath,
  HOME: home,
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
});

/** The same repository by either way. */
export function addressOf({ upstream, gateway }: Setting, way: Way, name: string) {
  const base = way === "through" ? gateway.url : upstream.url;
  const [user, password] = way === "through" ? ["bench", gateway.token] : [UPSTREAM.username, UPSTREAM.password];
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  return { url: `${base}${name}.git`, authorization };
}

/** The environment in which git has what it needs to reach that address. */
export const gitEnvironment = (
  { env }: Setting,
  { url, authorization }: ReturnType<typeof addressOf>,
): NodeJS.ProcessEnv => ({
  ...env,
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: `http.${url}.extraHeader`,
  GIT_CONFIG_VALUE_0: `Authorization: ${authorization}`,
});

/**
 * Makes every object of the client a file of its own, as `git add` and `git commit` do: git then packs what it pushes, which is much
 * of what a push takes. @returns what makes them packed again, as `git gc` leaves them: git sends what it has
 */
export async function loosenObjects({ client, env, directory, options }: Setting): Promise<() => Promise<void>> {
  const [objects, aside] = [path.join(client, "objects"), path.join(directory, "packs")];
  await rename(path.join(objects, "pack"), aside);
  for (const name of await readdir(aside)) {
    if (!name.endsWith(".pack")) continue;
    const unpacking = spawn("git", ["-c", "core.fsync=none", "unpack-objects", "-q"], {
      cwd: client,
      env,
      signal: options.signal,
      stdio: ["pipe", "ignore", "inherit"],
    });
    const ended = once(unpacking, "close");
    await pipeline(createReadStream(path.join(aside, name)), unpacking.stdin);
    await ended;
    if (unpacking.exitCode !== 0) throw new Error(`git unpack-objects ended with ${unpacking.exitCode}`);
  }
  return async () => {
    await rename(aside, path.join(objects, "pack"));
    await run("git", ["prune-packed", "-q"], { cwd: client, env, signal: options.signal });
  };
}

/** A new repository upstream. @param branch a branch of the client's that it has as `main`; null: it is empty */
export async function makeTwin(
  { upstream, client, env, options }: Setting,
  name: string,
  branch: string | null,
): Promise<void> {
  // A collection of garbage in the background would be measured with whatever runs next.
  const directory = await upstream.createRepository(name, { config: { "gc.auto": "0", "receive.autogc": "false" } });
  if (branch === null) return;
  const refspec = `refs/heads/${branch}:refs/heads/main`;
  await run("git", ["push", "-q", directory, refspec], { cwd: client, env, signal: options.signal });
}

export const removeTwin = ({ upstream }: Setting, name: string): Promise<void> =>
  rm(upstream.directoryOf(name), { recursive: true, force: true, maxRetries: 5 });

/** @returns the object id of a branch of the client's */
export async function clientTip({ client, env }: Setting, branch: string): Promise<string> {
  const { stdout } = await run("git", ["rev-parse", "--verify", `refs/heads/${branch}`], { cwd: client, env });
  return stdout.trim();
}

/** The highest that the memory of a gateway and its git children got, while `watch` ran something by way of it. */
export interface MemoryPeak {
  /** Watches where the gateway is in use, and gives it time to end what it does after its answer. */
  watch<T>(way: Way, work: () => Promise<T>): Promise<T>;
  use(): MemoryUse;
}

export function createMemoryPeak({ gateway, idle, options }: Setting): MemoryPeak {
  let own = 0;
  let git = 0;
  return {
    watch: async (way, work) => {
      if (way === "direct") return work();
      const memory = watchMemory(gateway.pid);
      try {
        const result = await work();
        await sleep(AFTERWARDS_MS, undefined, { signal: options.signal });
        return result;
      } finally {
        const peaks = memory.stop();
        own = Math.max(own, peaks.own);
        git = Math.max(git, peaks.git);
      }
    },
    use: () => ({
      gatewayAboveIdle: idle === 0 ? null : Math.max(0, own - idle),
      gitChildren: idle === 0 ? null : git,
    }),
  };
}
