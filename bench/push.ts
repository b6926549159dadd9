/**
 * What a push through the gateway costs beside the same push without it: same client repository, same commits, same upstream
 * (`git http-backend`), in the same run. Each round has twin repositories upstream, one for each way, so that neither finds
 * objects that the other one brought; who goes first alternates.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { startGitUpstream, type GitUpstreamFixture } from "../fixtures/git-upstream.ts";
import { fastImport } from "./fast-import.ts";
import { startBenchGateway, type BenchGateway } from "./gateway.ts";
import { residentBytes, watchMemory } from "./memory.ts";
import { formatMs, renderMachine, renderTable, type Row } from "./report.ts";
import { subjects, type PushStep, type Subject } from "./repositories.ts";

export interface PushBenchOptions {
  readonly rounds: number;
  /** Only subjects whose name contains this. */
  readonly only: string;
  /** Ends everything; what was started is stopped and removed all the same. */
  readonly signal: AbortSignal;
  /** The variable that finds git and node. */
  readonly searchPath: string;
  readonly print: (text: string) => void;
  readonly progress: (text: string) => void;
}

const UPSTREAM = { username: "gateway", password: "upstream-password" };
/** What a gateway that has just started still does by itself is over by then. */
const SETTLE_MS = 2_000;
/** What is done after the answer (the cache, attribution) counts as memory, and must not slow the next push that is timed. */
const AFTERWARDS_MS = 500;
const PUSH_TIMEOUT_MS = 10 * 60_000;

const run = promisify(execFile);

interface Bench {
  readonly options: PushBenchOptions;
  readonly env: NodeJS.ProcessEnv;
  readonly upstream: GitUpstreamFixture;
  readonly gateway: BenchGateway;
  /** The client's repository. */
  readonly client: string;
}

/** @throws Error when a push does not arrive: a benchmark of failures would look fast */
export async function benchPushes(options: PushBenchOptions): Promise<void> {
  const chosen = subjects.filter(({ name }) => name.includes(options.only));
  if (chosen.length === 0) throw new Error(`no subject is named like that; there are: ${names(subjects)}`);
  const rows: Row[] = [];
  for (const subject of chosen) rows.push(...(await inDirectory((root) => benchSubject(options, subject, root))));
  options.print(`${renderTable(rows)}\nMedians of ${options.rounds} rounds on ${renderMachine()}.\n`);
}

const names = (list: readonly Subject[]): string => list.map(({ name }) => `“${name}”`).join(", ");

async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(path.join(tmpdir(), "sallyport-bench-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function benchSubject(options: PushBenchOptions, subject: Subject, root: string): Promise<Row[]> {
  const { signal } = options;
  const env = sealedEnvironment(options.searchPath, root);
  const client = path.join(root, "client.git");
  options.progress(`${subject.name}: making a repository`);
  await run("git", ["init", "-q", "--bare", client], { env, signal });
  await fastImport(client, env, signal, subject.make);

  await mkdir(path.join(root, "upstream"));
  const upstream = await startGitUpstream({ root: path.join(root, "upstream"), ...UPSTREAM });
  try {
    const directory = path.join(root, "gateway");
    const gateway = await startBenchGateway({ directory, upstream: { url: upstream.url, ...UPSTREAM }, env, signal });
    try {
      return await measure({ options, env, upstream, gateway, client }, subject);
    } finally {
      await gateway.stop();
    }
  } finally {
    await upstream.stop();
  }
}

/** Times of one row, and the highest that memory got. */
interface Samples {
  readonly direct: number[];
  readonly through: number[];
  own: number;
  git: number;
}

async function measure(bench: Bench, subject: Subject): Promise<Row[]> {
  const { options, gateway } = bench;
  await sleep(SETTLE_MS, undefined, { signal: options.signal });
  const idle = residentBytes(gateway.pid);
  // Modules and connections that come with the first push of a process are nobody's cost per push.
  const warmUp: PushStep = { row: "", branch: "main" };
  for (const way of WAYS) {
    await makeTwin(bench, `warm-up-${way}`, null);
    await push(bench, way, `warm-up-${way}`, warmUp);
  }
  const rows = new Map<string, Samples>();
  for (let round = 1; round <= options.rounds; round++) {
    for (const way of WAYS) await makeTwin(bench, `round-${round}-${way}`, "main");
    for (const [index, step] of subject.steps.entries()) {
      const samples = rows.get(step.row) ?? { direct: [], through: [], own: 0, git: 0 };
      rows.set(step.row, samples);
      for (const way of (round + index) % 2 === 0 ? WAYS : WAYS.toReversed()) {
        const ms = await measurePush(bench, way, `round-${round}-${way}`, step, samples);
        options.progress(`round ${round} of ${options.rounds}, ${step.row}, ${way}: ${formatMs(ms)}`);
      }
    }
    for (const way of WAYS) await rm(bench.upstream.directoryOf(`round-${round}-${way}`), { recursive: true });
  }
  return [...rows].map(([what, { direct, through, own, git }]) => ({
    what,
    direct,
    through,
    gatewayAboveIdle: idle === 0 ? null : Math.max(0, own - idle),
    gitChildren: idle === 0 ? null : git,
  }));
}

/** @returns milliseconds */
async function measurePush(bench: Bench, way: Way, name: string, step: PushStep, samples: Samples): Promise<number> {
  const memory = way === "through" ? watchMemory(bench.gateway.pid) : null;
  try {
    const ms = await push(bench, way, name, step);
    samples[way].push(ms);
    await sleep(AFTERWARDS_MS, undefined, { signal: bench.options.signal });
    return ms;
  } finally {
    const peaks = memory?.stop();
    samples.own = Math.max(samples.own, peaks?.own ?? 0);
    samples.git = Math.max(samples.git, peaks?.git ?? 0);
  }
}

type Way = "direct" | "through";
const WAYS: readonly Way[] = ["direct", "through"];

/** A new repository upstream. @param branch a branch of the client's that it has as `main`; null: it is empty */
async function makeTwin({ upstream, client, env, options }: Bench, name: string, branch: string | null): Promise<void> {
  // A collection of garbage in the background would be measured with whatever runs next.
  const directory = await upstream.createRepository(name, { config: { "gc.auto": "0", "receive.autogc": "false" } });
  if (branch === null) return;
  const refspec = `refs/heads/${branch}:refs/heads/main`;
  await run("git", ["push", "-q", directory, refspec], { cwd: client, env, signal: options.signal });
}

/** @returns milliseconds, from the start of `git push` to its end */
async function push(bench: Bench, way: Way, name: string, { branch }: PushStep): Promise<number> {
  const { upstream, gateway, client, options } = bench;
  const base = way === "through" ? gateway.url : upstream.url;
  const [user, password] = way === "through" ? ["bench", gateway.token] : [UPSTREAM.username, UPSTREAM.password];
  const basic = Buffer.from(`${user}:${password}`).toString("base64");
  const env = {
    ...bench.env,
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: `http.${base}.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
  };
  const began = performance.now();
  const child = spawn("git", ["push", "-q", `${base}${name}.git`, `refs/heads/${branch}:refs/heads/main`], {
    cwd: client,
    env,
    signal: options.signal,
    timeout: PUSH_TIMEOUT_MS,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  const ms = performance.now() - began;
  const wanted = await run("git", ["rev-parse", `refs/heads/${branch}`], { cwd: client, env });
  const arrived = await upstream.ref(name, "refs/heads/main");
  if (code !== 0 || arrived !== wanted.stdout.trim()) {
    throw new Error(`git push of ${branch} (${way}) ended with ${code}, upstream has ${arrived}:\n${stderr}`);
  }
  return ms;
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
