/**
 * `node dist/bench/event-loop.js` (after `npm run build`): whether the gateway goes on answering while it reads much. Its event loop is
 * measured in its own process (perf_hooks.monitorEventLoopDelay) while 200 MB of text, and 200 MB with lines of a megabyte, are pushed,
 * and while Copilot requests with large bodies are recorded; beside it, the same loop with nothing to do. Everything is in a
 * temporary directory that is gone afterwards.
 *
 * Usage: node dist/bench/event-loop.js [--rounds N] [--megabytes N] [--only text|lines|secrets|bodies]
 */
import { randomBytes, randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { NewCommit } from "./fast-import.ts";
import { sendGitPush, type SentPush } from "./git-push.ts";
import type { LoopDelays } from "./loop-monitor.ts";
import { renderMachine } from "./report.ts";
import { makeTwin, removeTwin, withSetting, type Setting } from "./setting.ts";
import { startStreams } from "./stream.ts";

const WANTED_MS = 20;
const MEGABYTE = 1e6;
const IDLE_MS = 3_000;
const BEARER = "bench-bearer";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    megabytes: { type: "string", default: "200" },
    only: { type: "string", default: "" },
  },
});
const megabytes = Number(values.megabytes);
const wants = (name: string): boolean => values.only === "" || values.only === name;

const sourceLine = (): string =>
  `  const v${randomBytes(4).toString("hex")} = await compute(${randomInt(100_000)}, "${randomBytes(6).toString("hex")}");`;
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const secretLine = (): string =>
  `  const key = "AKIA${Array.from({ length: 16 }, () => BASE32[randomInt(BASE32.length)]).join("")}";`;

/** Made from a few hundred different lines: random ones take longer to make than to push. */
function text(bytes: number, line: () => string, separator: string): string {
  const lines = Array.from({ length: 500 }, line);
  let made = "";
  while (made.length < bytes) made += lines[randomInt(lines.length)] + separator;
  return `${made}\n`;
}

/** Sizes of source files as they come, with a few large ones among them. */
function* files(name: string, line: () => string, separator: string): Generator<[string, string]> {
  let left = megabytes * MEGABYTE;
  for (let at = 0; left > 0; at++) {
    const bytes = at % 20 === 0 ? 8 * MEGABYTE : at % 5 === 0 ? MEGABYTE : randomInt(2_000, 200_000);
    left -= bytes;
    yield [`${name}/${at}.ts`, text(bytes, line, separator)];
  }
}

const subjects = [
  { branch: "text", what: `${megabytes} MB of source text`, files: () => files("text", sourceLine, "\n") },
  { branch: "lines", what: `${megabytes} MB in lines of megabytes`, files: () => files("lines", sourceLine, " ") },
  {
    branch: "secrets",
    what: `${megabytes} MB with a secret every few lines`,
    files: () => files("secrets", () => (randomInt(10) === 0 ? secretLine() : sourceLine()), "\n"),
  },
].filter(({ branch }) => wants(branch));

class LoopMonitor {
  readonly #pid: number;
  readonly #file: string;
  #read = 0;

  constructor(pid: number, file: string) {
    this.#pid = pid;
    this.#file = file;
  }

  /** Since it was asked before. */
  async take(): Promise<LoopDelays> {
    process.kill(this.#pid, "SIGUSR2");
    for (;;) {
      const lines = (await readFile(this.#file, "utf8").catch(() => "")).trimEnd().split("\n").filter(Boolean);
      if (lines.length > this.#read) {
        this.#read = lines.length;
        return JSON.parse(lines.at(-1)!) as LoopDelays;
      }
      await sleep(5);
    }
  }
}

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

function tellDelays(what: string, rounds: readonly (LoopDelays & { readonly ms: number })[], wanted: boolean): void {
  const best = rounds.reduce((a, b) => (b.p99 < a.p99 ? b : a));
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const all = rounds.map(({ p99 }) => p99.toFixed(1)).join(", ");
  const verdict = wanted ? ` (wanted < ${WANTED_MS} ms)` : "";
  const [busy, busiest] = [best.busyP99, best.busyMax].map((value) => (value === null ? "?" : ms(value)));
  tell(
    `${what}, in ${(best.ms / 1000).toFixed(1)} s: event loop p50 ${ms(best.p50)}, p99 ${ms(best.p99)}${verdict}, max ${ms(best.max)}; of it the thread's own work p99 ${busy}, max ${busiest}; p99 of all rounds: ${all}`,
  );
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly ms: number }> {
  const began = performance.now();
  const result = await work();
  return { result, ms: performance.now() - began };
}

async function measurePushes(setting: Setting, monitor: LoopMonitor): Promise<void> {
  for (const { branch, what } of subjects) {
    const rounds: (LoopDelays & { readonly ms: number })[] = [];
    let last: SentPush | null = null;
    for (let round = 0; round < Number(values.rounds); round++) {
      const name = `${branch}-${round}`;
      await makeTwin(setting, name, "main");
      await monitor.take();
      const { result, ms } = await timed(() => sendGitPush(setting, { way: "through", name, branch }));
      rounds.push({ ...(await monitor.take()), ms });
      last = result;
      const expected = branch === "secrets" ? 1 : 0;
      if (result.exitCode !== expected)
        throw new Error(`git push of ${branch} ended with ${result.exitCode}:\n${result.stderr}`);
      await removeTwin(setting, name);
    }
    tellDelays(`a push of ${what}${last?.exitCode === 0 ? "" : ", refused"}`, rounds, true);
  }
}

/** Requests as a long agent session has them: a history of tool results, each time a little longer. */
async function measureBodies(setting: Setting, monitor: LoopMonitor): Promise<void> {
  const { gateway, options } = setting;
  for (const kilobytes of [200, 4_000]) {
    const results = Array.from({ length: 20 }, (_, at) => ({
      role: "user",
      content:
        at % 4 === 0
          ? JSON.stringify({ output: text((kilobytes * 1000) / 20, sourceLine, "\n") })
          : text((kilobytes * 1000) / 20, sourceLine, "\n"),
    }));
    const rounds: (LoopDelays & { readonly ms: number })[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      const body = JSON.stringify({
        model: "gpt-4.1",
        messages: [...results, { role: "user", content: `round ${round}` }],
      });
      await monitor.take();
      const { ms } = await timed(async () => {
        for (let request = 0; request < 10; request++) {
          const answer = await fetch(`${gateway.copilotUrl}/chat/completions`, {
            method: "POST",
            headers: { authorization: `Bearer ${gateway.token}`, "content-type": "application/json" },
            body,
            signal: options.signal,
          });
          await answer.text();
        }
      });
      rounds.push({ ...(await monitor.take()), ms });
    }
    tellDelays(`10 Copilot requests of ${kilobytes} kB`, rounds, true);
  }
}

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopping.abort());
const file = path.join(process.env["TMPDIR"] ?? "/tmp", `sallyport-loop-${process.pid}.jsonl`);
const preload = new URL("./loop-monitor.js", import.meta.url).href;
const streams = await startStreams();
try {
  const base: NewCommit = { branch: "main", mark: 1, parents: [], files: new Map([["README.md", "# Bench\n"]]) };
  await withSetting(
    {
      rounds: Number(values.rounds),
      signal: stopping.signal,
      searchPath: process.env["PATH"] ?? "/usr/bin:/bin",
      progress: (text) => process.stderr.write(`${text}\n`),
    },
    {
      name: "event loop",
      make: async (stream) => {
        await stream.commit(base);
        for (const [at, subject] of subjects.entries()) {
          const branch = { branch: subject.branch, mark: at + 2, parents: [1] };
          await stream.commit({ ...branch, files: new Map(subject.files()) });
        }
      },
      copilot: { url: streams.url, bearer: BEARER },
      env: { NODE_OPTIONS: `--import=${preload}`, LOOP_MONITOR_FILE: file },
    },
    async (setting) => {
      const monitor = new LoopMonitor(setting.gateway.pid, file);
      await monitor.take();
      await sleep(IDLE_MS);
      tellDelays("nothing to do", [{ ...(await monitor.take()), ms: IDLE_MS }], false);
      await measurePushes(setting, monitor);
      if (wants("bodies")) await measureBodies(setting, monitor);
    },
  );
  tell(`Best of ${values.rounds} rounds on ${renderMachine()}.`);
} finally {
  await streams.close();
}
