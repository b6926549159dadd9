/** A gateway as people run it: `bin/sallyport.js serve`, a process of its own, on an embedded database in a directory of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export interface BenchGateway {
  readonly pid: number;
  /** The address of the upstream's repositories behind it, with a final slash. */
  readonly url: string;
  /** The address of the Copilot upstream behind it, without a final slash; answers nothing where there is none. */
  readonly copilotUrl: string;
  readonly token: string;
  stop(): Promise<void>;
}

/** A Copilot upstream. */
export interface CopilotTarget {
  readonly url: string;
  readonly bearer: string;
}

export interface BenchGatewayOptions {
  /** Made; the caller removes it. */
  readonly directory: string;
  readonly upstream: { readonly url: string; readonly username: string; readonly password: string };
  readonly copilot?: CopilotTarget;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

// From dist/bench, where the build puts this file.
const PROGRAM = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const START_MS = 120_000;
/** More than the gateway gives its requests to end. */
const STOP_MS = 40_000;

export async function startBenchGateway({
  directory,
  upstream,
  copilot,
  env: given,
  signal,
}: BenchGatewayOptions): Promise<BenchGateway> {
  await mkdir(directory, { recursive: true });
  const config = path.join(directory, "sallyport.yaml");
  const { url, username, password } = upstream;
  await writeFile(
    config,
    `connections:
  code: { kind: git, url: "${url}", credential: { username: ${username}, password: { env: BENCH_PASSWORD } }, allow: ["*"] }
${copilot === undefined ? "" : `  copilot: { kind: copilot, url: "${copilot.url}", credential: { bearer: { env: BENCH_BEARER } }, allow: ["*"] }\n`}pushes:
  - { repositories: ["code/**"], secrets: reject }
`,
  );
  const env = {
    ...given,
    SALLYPORT_DATA: path.join(directory, "data"),
    SALLYPORT_LISTEN: "127.0.0.1:0",
    BENCH_PASSWORD: password,
    ...(copilot === undefined ? {} : { BENCH_BEARER: copilot.bearer }),
  };
  const args = (...words: string[]): string[] => [PROGRAM, ...words, "--config", config];
  // A group of its own: Ctrl-C in a terminal goes to the benchmark, which then stops the gateway in order.
  const gateway = spawn(PROGRAM, ["serve", "--config", config], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const stop = (): Promise<void> => stopProcess(gateway);
  try {
    const address = await addressOf(gateway, signal);
    const token = await outputOf(args("token", "create", "--user", "bench@example.com"), env, signal);
    return {
      pid: gateway.pid ?? 0,
      url: `${address}/git/code/`,
      copilotUrl: `${address}/copilot/copilot`,
      token: token.trim(),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reads the banner. */
async function addressOf(gateway: ChildProcess, signal: AbortSignal): Promise<string> {
  let output = "";
  for (const stream of [gateway.stdout, gateway.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-16_384);
    });
  }
  const deadline = Date.now() + START_MS;
  for (;;) {
    const address = /listens on\s+(\S+)/.exec(output)?.[1];
    if (address !== undefined) return address;
    if (gateway.exitCode !== null || Date.now() > deadline) throw new Error(`the gateway did not start:\n${output}`);
    await sleep(20, undefined, { signal });
  }
}

async function outputOf(args: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string> {
  const child = spawn(process.execPath, args, { env, signal, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`sallyport ${args[1]} ended with ${code}:\n${errors}`);
  return output;
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(timer);
}
