/**
 * `npm run bench`: what the gateway costs, always as a ratio to a named other thing in the same run. Loopback only; everything
 * is in a temporary directory that is gone afterwards, also after Ctrl-C.
 *
 * Usage: npm run bench -- [--rounds N] [--only TEXT] [--big] [--json FILE]
 */
import { setMaxListeners } from "node:events";
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { Benchmark, BenchOptions, Results } from "./benchmark.ts";
import { cloneBenchmark } from "./clone.ts";
import { concurrentBenchmark } from "./concurrent.ts";
import { pushBenchmark } from "./push.ts";
import { renderJson, renderMachine, renderResults } from "./report.ts";
import { subjects } from "./repositories.ts";

const benchmarks: readonly Benchmark[] = [...subjects.map(pushBenchmark), cloneBenchmark, concurrentBenchmark];

const USAGE = `Usage: npm run bench -- [options]
  --rounds N    how often everything is measured, 1 to 50; default 5, a quick look takes 1
  --only TEXT   only what has this in its name: ${benchmarks.map(({ name }) => `“${name}”`).join(", ")}
  --big         also ${benchmarks.flatMap(({ name, isBig }) => (isBig ? [`“${name}”`] : [])).join(", ")}, once; it needs 10 GiB of disk
  --json FILE   every single measurement, for machines
`;

interface RunOptions {
  readonly rounds: number;
  readonly chosen: readonly Benchmark[];
  readonly json: string | null;
}

function parseOptions(): RunOptions | null {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: "string", default: "5" },
        only: { type: "string", default: "" },
        big: { type: "boolean", default: false },
        json: { type: "string" },
      },
    });
    const rounds = Number(values.rounds);
    const chosen = benchmarks.filter(({ name, isBig }) => name.includes(values.only) && (values.big || !isBig));
    if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50 || chosen.length === 0) return null;
    return { rounds, chosen, json: values.json ?? null };
  } catch {
    return null;
  }
}

async function run({ rounds, chosen, json }: RunOptions, shared: Omit<BenchOptions, "rounds">): Promise<void> {
  const all: Partial<Results>[] = [];
  for (const benchmark of chosen) all.push(await benchmark.run({ ...shared, rounds }));
  const results: Results = {
    comparisons: all.flatMap(({ comparisons = [] }) => comparisons),
    transfers: all.flatMap(({ transfers = [] }) => transfers),
    streams: all.flatMap(({ streams = [] }) => streams),
  };
  process.stdout.write(`${renderResults(results)}Medians of ${rounds} rounds on ${renderMachine()}.\n`);
  if (json !== null) await writeFile(json, renderJson(results, rounds));
}

const options = parseOptions();
if (options === null) {
  process.stderr.write(USAGE);
  process.exit(2);
}

const stopping = new AbortController();
// Fifty pushes at once listen to it.
setMaxListeners(0, stopping.signal);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopping.abort());
// Nobody reads on (`| head`): unheard, that would end this process and leave what it has started.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => stopping.abort());

try {
  await run(options, {
    signal: stopping.signal,
    searchPath: process.env["PATH"] ?? "/usr/bin:/bin",
    progress: (text) => process.stderr.write(`${text}\n`),
  });
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(stopping.signal.aborted ? "stopped\n" : `${text}\n`);
  process.exitCode = 1;
}
