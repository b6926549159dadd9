/**
 * The unmodified Copilot CLI, fetched with npm when a test needs it (its licence keeps it out of the dependencies), and run so that
 * nothing leaves the loopback: whatever is not meant for 127.0.0.1 goes to a proxy that refuses and remembers it.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export const COPILOT_CLI_VERSION = "1.0.102";

const CACHE = fileURLToPath(new URL("../../node_modules/.cache/sallyport/", import.meta.url));
const INSTALLED = join(CACHE, `copilot-cli-${COPILOT_CLI_VERSION}`);
/** npm's own launcher of the platform's binary. */
const LAUNCHER = join("node_modules", "@github", "copilot", "npm-loader.js");

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * The launcher's path. Fetched once into `node_modules/.cache`, beside its final place, and moved there whole: of two test processes
 * that fetch at once, one wins and both find a complete copy.
 * @throws where npm cannot fetch it, with npm's own words
 */
async function fetchCopilotCli(): Promise<string> {
  const launcher = join(INSTALLED, LAUNCHER);
  if (await exists(launcher)) return launcher;
  const staging = join(CACHE, `.copilot-cli-${randomUUID()}`);
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
    const npm = await run("npm", ["install", ...flags, `@github/copilot@${COPILOT_CLI_VERSION}`], {
      cwd: staging,
      env: process.env,
    });
    if (npm.code !== 0) throw new Error(`npm could not fetch the Copilot CLI:\n${npm.stderr}`);
    await rename(staging, INSTALLED).catch(async (error: unknown) => {
      if (!(await exists(launcher))) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return launcher;
}

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CopilotCli {
  /** A directory of its own, in which it works. */
  readonly directory: string;
  /** What it wanted to reach outside of the loopback; all of it was refused. */
  readonly refused: readonly string[];
  /** One prompt, without asking anything; `--continue` and the like go into `flags`. */
  prompt(text: string, flags?: readonly string[]): Promise<CliRun>;
}

/**
 * Ready to run against a gateway, with a home of its own; everything is removed when the test ends.
 * @param apiUrl `<gateway>/copilot/<connection>`
 */
export async function startCopilotCli(apiUrl: string, token: string): Promise<CopilotCli> {
  const launcher = await fetchCopilotCli();
  const root = await mkdtemp(join(tmpdir(), "sallyport-copilot-cli-"));
  const directory = join(root, "work");
  await mkdir(directory);
  const refused: string[] = [];
  const proxy = createServer((request, response) => {
    refused.push(request.url ?? "");
    response.writeHead(403).end();
  });
  proxy.on("connect", (request, socket) => {
    refused.push(request.url ?? "");
    // A client that hangs up first is no matter; unheard, its error would end the test run.
    socket.on("error", () => {});
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await rm(root, { recursive: true, force: true });
  });
  const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
    HOME: join(root, "home"),
    COPILOT_HOME: join(root, "home", ".copilot"),
    // It unpacks itself into its cache: kept between runs, beside the package.
    XDG_CACHE_HOME: join(CACHE, `copilot-cli-${COPILOT_CLI_VERSION}-unpacked`),
    XDG_CONFIG_HOME: join(root, "config"),
    XDG_DATA_HOME: join(root, "data"),
    XDG_STATE_HOME: join(root, "state"),
    TMPDIR: root,
    CI: "true",
    COPILOT_AUTO_UPDATE: "false",
    COPILOT_API_URL: apiUrl,
    COPILOT_GITHUB_TOKEN: token,
    HTTP_PROXY: proxyUrl,
    HTTPS_PROXY: proxyUrl,
    NO_PROXY: "127.0.0.1",
    NO_COLOR: "1",
  };
  const quiet = ["--disable-client-telemetry", "--no-auto-update", "--disable-builtin-mcps", "--allow-all-tools"];
  return {
    directory,
    refused,
    prompt: (text, flags = []) =>
      run(process.execPath, [launcher, "-p", text, ...quiet, ...flags], { cwd: directory, env }),
  };
}

async function run(
  command: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<CliRun> {
  // A group of its own: when its time is up, whatever it started ends with it.
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const stop = setTimeout(() => process.kill(-(child.pid ?? 0), "SIGKILL"), 120_000);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return { code, stdout, stderr };
  } finally {
    clearTimeout(stop);
  }
}
