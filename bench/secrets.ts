/**
 * `npm run bench:secrets`: how fast secrets are looked for, each speed beside another of the same run, and how many are found where there are
 * none. The corpus is what some of npm's most used packages bring, some 700 packages in all, or the directory that is given; nothing is written
 * but a temporary directory. Texts made to keep it busy are for `npm run bench:hostile`.
 *
 * Usage: npm run bench:secrets -- [DIRECTORY] [--rounds N] [--megabytes N] [--without-secretlint] [--only speed|threads|findings]
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { pathToFileURL } from "node:url";
import { parseArgs, promisify } from "node:util";
import { createScanPool } from "../src/flows/scanning/scan-in-workers.ts";
import { createDetector } from "../src/secrets/detector.ts";
import type { Rule } from "../src/secrets/rule.ts";
import { builtinRules } from "./builtin-rules.ts";
import { KeywordAutomaton } from "./keyword-automaton.ts";

/** With what they depend on, the corpus. */
const POPULAR = (
  "express@5.3.0 webpack@5.112.2 jest@30.5.2 eslint@10.15.0 react-dom@19.3.1 lodash@4.18.1 axios@1.21.1 " +
  "rxjs@7.8.2 moment@2.31.0 prettier@3.10.1 mocha@12.0.3 vite@8.3.8 @babel/preset-env@7.29.14 " +
  "mongoose@9.12.1 socket.io@4.8.4 graphql@16.15.0 sequelize@6.37.8 nodemailer@10.6.0 passport@0.7.0 " +
  "jsonwebtoken@9.0.3 stripe@23.1.0 winston@3.19.0 @aws-sdk/client-s3@3.1169.0 date-fns@2.30.0 three@0.187.0"
).split(" ");

const MEGABYTE = 1e6;
const KEY = new Uint8Array(32).fill(7);
const SOURCES = new Set([".js", ".mjs", ".cjs", ".ts", ".mts", ".md", ".json"]);
const LARGEST_FILE = 2 * MEGABYTE;

interface CorpusText {
  readonly path: string;
  readonly text: string;
}

interface Corpus {
  readonly texts: readonly CorpusText[];
  readonly megabytes: number;
}

async function readCorpus(directory: string, megabytes: number): Promise<Corpus> {
  const files = (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && SOURCES.has(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const sizes = await Promise.all(files.map(async (path) => (await stat(path)).size));
  const all = sizes.reduce((sum, size) => sum + (size > LARGEST_FILE ? 0 : size), 0);
  // Of every package a part.
  const step = Math.max(1, Math.ceil(all / (megabytes * MEGABYTE)));
  const names = files.filter((_, i) => sizes[i]! <= LARGEST_FILE).filter((_, i) => i % step === 0);
  const texts: CorpusText[] = [];
  let bytes = 0;
  for (const path of names) {
    const content = await readFile(path);
    texts.push({ path, text: content.toString("utf8") });
    bytes += content.length;
  }
  return { texts, megabytes: bytes / MEGABYTE };
}

/** Seconds of this process's processors. */
async function cpuSeconds(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

async function wallSeconds(work: () => unknown): Promise<number> {
  const before = performance.now();
  await work();
  return (performance.now() - before) / 1000;
}

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

type Slice = readonly CorpusText[];

/** Of about so many characters each, so that some round of each is not disturbed. */
function slicesOf(texts: Slice, characters: number): Slice[] {
  const slices: CorpusText[][] = [[]];
  let length = 0;
  for (const text of texts) {
    if (length > characters) {
      slices.push([]);
      length = 0;
    }
    slices.at(-1)!.push(text);
    length += text.text.length;
  }
  return slices;
}

/**
 * For each work the seconds that it needs for all slices, of each slice the fastest round: on a busy machine the others measure its other
 * work. The works take turns at every slice.
 */
async function measureSlices<T>(
  rounds: number,
  slices: readonly T[],
  works: readonly ((slice: T) => unknown)[],
  secondsOf = cpuSeconds,
): Promise<number[]> {
  const totals = works.map(() => 0);
  const best = slices.map(() => works.map(() => Infinity));
  for (let round = 0; round < rounds; round++) {
    for (const [place, slice] of slices.entries()) {
      for (const turn of works.keys()) {
        // Whoever comes after another finds the texts in the processor's cache.
        const index = (turn + round) % works.length;
        best[place]![index] = Math.min(best[place]![index]!, await secondsOf(() => works[index]!(slice)));
      }
    }
  }
  for (const own of best) for (const [index, seconds] of own.entries()) totals[index]! += seconds;
  return totals;
}

/**
 * secretlint notes when each rule begins and ends. Whoever reads files lets the event loop turn between them, and then its profiler takes
 * up what was noted, and looks through all that it has ever taken up for each: the more files a process reads, the longer each takes.
 */
interface Lint {
  /** No turn of the event loop, no profiler: the linting alone. */
  readonly alone: LintText;
  /** A turn after each text, and what the profiler has taken up thrown away. */
  readonly cleared: LintText;
  /** A turn after each text. */
  readonly asUsed: LintText;
}

type LintText = (text: string, path: string) => Promise<unknown>;

async function install(directory: string, packages: readonly string[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "package.json"), '{"private":true,"type":"module"}');
  const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--legacy-peer-deps"];
  await promisify(execFile)("npm", ["install", ...options, ...packages], { cwd: directory });
}

/** secretlint 11 with its recommended preset, installed into a temporary directory: it is no part of this project. */
async function installSecretlint(directory: string): Promise<Lint> {
  await install(directory, ["@secretlint/core@11.7.1", "@secretlint/secretlint-rule-preset-recommend@11.7.1"]);
  await writeFile(
    join(directory, "lint.js"),
    `import { lintSource } from "@secretlint/core";
import { secretLintProfiler } from "@secretlint/profiler";
import { creator } from "@secretlint/secretlint-rule-preset-recommend";
const options = { config: { rules: [{ id: "@secretlint/secretlint-rule-preset-recommend", rule: creator, options: {} }] } };
const turn = () => new Promise((resolve) => setImmediate(resolve));
export const alone = (content, filePath) =>
  lintSource({ source: { content, filePath, ext: ".txt", contentType: "text" }, options });
export const asUsed = (content, filePath) => alone(content, filePath).then(turn);
export const cleared = async (content, filePath) => {
  await asUsed(content, filePath);
  secretLintProfiler.entries.length = 0;
  secretLintProfiler.measures.length = 0;
  performance.clearMarks();
  performance.clearMeasures();
};
`,
  );
  return (await import(pathToFileURL(join(directory, "lint.js")).href)) as Lint;
}

/** Files of the corpus that secretlint reads as it is used: of more, it would be measured for hours. */
const LINTED_AS_USED = 400;

async function benchSpeed(rules: readonly Rule[], { texts, megabytes }: Corpus, rounds: number, lint: Lint | null) {
  const detector = createDetector(rules);
  const anchors = new Set(rules.flatMap(({ plan }) => (plan.anchors ?? []).map(({ text }) => text)));
  const automaton = new KeywordAutomaton([...anchors]);
  const slices = slicesOf(texts, MEGABYTE);
  const [whole = NaN, alone = NaN] = await measureSlices(rounds, slices, [
    (slice) => slice.forEach(({ text, path }) => detector.detect(text, path)),
    (slice) => slice.forEach(({ text }) => automaton.count(text)),
  ]);
  tell(`detector, all ${rules.length} rules: ${(megabytes / whole).toFixed(0)} MB/s of processor time`);
  tell(
    `automaton alone, ${anchors.size} anchors: ${(megabytes / alone).toFixed(0)} MB/s; detector ${(alone / whole).toFixed(2)}× (wanted ≥ 0.6×)`,
  );
  if (lint === null) return;
  const linting = (own: LintText) => async (slice: Slice) => {
    for (const { text, path } of slice) await own(text, path);
  };
  // By itself: in turns with it, either would find its tables in the processor's cache no more.
  const [cleared = NaN, lintAlone = NaN] = await measureSlices(rounds, slices, [
    linting(lint.cleared),
    linting(lint.alone),
  ]);
  const compare = (how: string, speed: number): void =>
    tell(
      `secretlint 11, recommended preset, ${how}: ${speed.toFixed(1)} MB/s; detector ${(megabytes / whole / speed).toFixed(1)}×`,
    );
  const few = texts.filter((_, place) => place % Math.ceil(texts.length / LINTED_AS_USED) === 0);
  const seconds = await cpuSeconds(() => linting(lint.asUsed)(few));
  const length = few.reduce((sum, { text }) => sum + text.length, 0);
  compare(`as it is used, ${few.length} files in one process`, length / MEGABYTE / seconds);
  compare("what its profiler has noted thrown away after each file (wanted ≥ 8×)", megabytes / cleared);
  compare("its profiler not run at all", megabytes / lintAlone);
}

/** Characters in one message to a thread. */
const BATCH = 512 * 1024;
/** What is measured at a time: long enough that it matters little if one of two threads is done before the other, short enough to be undisturbed. */
const THREAD_SLICE = 16 * BATCH;

/**
 * One thread beside two, as secrets are looked for in a push: the threads take turns at slices of the corpus, so that both know the same
 * machine, and of each slice the fastest round counts. The whole corpus at a time would hardly have an undisturbed round, and least with
 * two threads, which want both processors of a small machine.
 */
async function benchThreads(rules: readonly Rule[], { texts, megabytes }: Corpus, rounds: number): Promise<void> {
  const batches = slicesOf(texts, BATCH);
  const slices = slicesOf(texts, THREAD_SLICE).map((slice) => slicesOf(slice, BATCH));
  const pools = [1, 2].map((threads) => createScanPool({ rules, key: KEY, threads, budgetMs: 60_000 }));
  const scan = (pool: (typeof pools)[number]) => (slice: readonly Slice[]) =>
    Promise.all(slice.map((batch) => pool.scan(batch)));
  // Each thread is to have met most of what is in the corpus: rules and patterns are made ready when they are first asked for.
  for (const pool of pools) for (let times = 0; times < pool.threads; times++) await scan(pool)(batches);
  const [one = NaN, two = NaN] = await measureSlices(rounds, slices, pools.map(scan), wallSeconds);
  tell(
    `one thread: ${(megabytes / one).toFixed(0)} MB/s of wall time; two: ${(megabytes / two).toFixed(0)} MB/s, ${(one / two).toFixed(2)}× (wanted ≥ 1.7×)`,
  );

  // As a push hands them over: the next batch when one of the last few is done.
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  let left = Math.ceil(200 / megabytes) * batches.length;
  const lane = async (): Promise<void> => {
    for (; left > 0; left--) await pools[1]!.scan(batches[left % batches.length]!);
  };
  await Promise.all([lane(), lane(), lane()]);
  delays.disable();
  tell(
    `event loop while 200 MB are looked through: p99 ${(delays.percentile(99) / 1e6).toFixed(1)} ms (wanted < 20 ms)`,
  );
  for (const pool of pools) await pool.close();
}

function benchFindings(rules: readonly Rule[], { texts, megabytes }: Corpus): void {
  const detector = createDetector(rules);
  const byRule = new Map<string, number>();
  let count = 0;
  for (const { text, path } of texts) {
    for (const { rule, severity } of detector.detect(text, path)) {
      byRule.set(`${rule} (${severity})`, (byRule.get(`${rule} (${severity})`) ?? 0) + 1);
      count++;
    }
  }
  tell(
    `findings: ${count} in ${megabytes.toFixed(0)} MB, ${(count / megabytes).toFixed(3)} for each MB (wanted ≤ 0.05 but for real key files)`,
  );
  for (const [rule, number] of [...byRule].sort((a, b) => b[1] - a[1]))
    tell(`  ${String(number).padStart(4)}  ${rule}`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    megabytes: { type: "string", default: "60" },
    "without-secretlint": { type: "boolean", default: false },
    only: { type: "string", default: "" },
  },
});
const rules = await builtinRules();
const wants = (part: string): boolean => values.only === "" || values.only === part;
const scratch = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
try {
  const popular = join(scratch, "popular");
  if (positionals[0] === undefined) await install(popular, POPULAR);
  const corpus = await readCorpus(positionals[0] ?? join(popular, "node_modules"), Number(values.megabytes));
  tell(`${corpus.texts.length} files, ${corpus.megabytes.toFixed(0)} MB`);
  if (wants("speed")) {
    const lint = values["without-secretlint"] ? null : await installSecretlint(join(scratch, "secretlint"));
    await benchSpeed(rules, corpus, Number(values.rounds), lint);
  }
  if (wants("threads")) await benchThreads(rules, corpus, Number(values.rounds));
  if (wants("findings")) benchFindings(rules, corpus);
} finally {
  await rm(scratch, { recursive: true, force: true });
}
