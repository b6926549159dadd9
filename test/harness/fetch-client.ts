/**
 * Programs of others, unmodified, that tests drive as people do. Their licence lets everybody install and run them and keeps them
 * out of the dependencies: a test that needs one fetches it with npm, once.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { access, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const CLIENT_CACHE = fileURLToPath(new URL("../../node_modules/.cache/sallyport/", import.meta.url));

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * A file of the package, which is fetched where it is not there yet: beside its final place, and moved there whole, so that of two test
 * processes that fetch at once one wins and both find a complete copy.
 * @param name of the directory in the cache
 * @param file within the package's own directory
 * @throws where npm cannot fetch it, with npm's own words
 */
export async function fetchClient(name: string, pkg: string, version: string, file: string): Promise<string> {
  const installed = join(CLIENT_CACHE, `${name}-${version}`);
  const wanted = join(installed, "node_modules", pkg, file);
  if (await exists(wanted)) return wanted;
  const staging = join(CLIENT_CACHE, `.${name}-${randomUUID()}`);
  await mkdir(staging, { recursive: true });
  try {
    const flags = [
      "--ignore-scripts",
      "--no-save",
      "--no-audit",
      "--no-fund",
      "--no-package-lock",
      "--prefix",
      staging,
    ];
    const npm = await runClient("npm", ["install", ...flags, `${pkg}@${version}`], { cwd: staging, env: process.env });
    if (npm.code !== 0) throw new Error(`npm could not fetch ${pkg}:\n${npm.stderr}`);
    await rename(staging, installed).catch(async (error: unknown) => {
      if (!(await exists(wanted))) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return wanted;
}

export interface ClientRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const LONGEST_MS = 150_000;

/** @param onText told of everything that it writes, as it does. @param signal ends it: its exit code is null then */
export async function runClient(
  command: string,
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly env: NodeJS.ProcessEnv;
    readonly onText?: (text: string) => void;
    readonly signal?: AbortSignal;
  },
): Promise<ClientRun> {
  const { onText, signal, ...how } = options;
  // A group of its own: when its time is up, whatever it started ends with it.
  const child = spawn(command, args, { ...how, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const kill = (): boolean => process.kill(-(child.pid ?? 0), "SIGKILL");
  const stop = setTimeout(kill, LONGEST_MS);
  signal?.addEventListener("abort", kill, { once: true });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    onText?.(text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    onText?.(text);
  });
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return { code, stdout, stderr };
  } finally {
    clearTimeout(stop);
    signal?.removeEventListener("abort", kill);
  }
}
