/**
 * `node dist/bench/secrets.js` (after `npm run build`): how fast secrets are looked for, each speed beside another of the same run. The
 * corpus is this project's own node_modules, or the directory that is given; nothing is written but a temporary directory.
 *
 * Usage: node dist/bench/secrets.js [DIRECTORY] [--rounds N] [--megabytes N] [--without-secretlint] [--only speed|hostile|findings]
 */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { pathToFileURL } from "node:url";
import { parseArgs, promisify } from "node:util";
import { packageRoot } from "../src/config/package-root.ts";
import { readBuiltinRules } from "../src/config/secret-rules.ts";
import { createScanPool, type ScanText } from "../src/flows/scanning/scan-in-workers.ts";
import { AnchorAutomaton } from "../src/secrets/anchor-automaton.ts";
import { createDetector } from "../src/secrets/detector.ts";
import type { Rule } from "../src/secrets/rule.ts";
import { parseRules } from "../src/secrets/rules.ts";

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
  const names = (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && SOURCES.has(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const texts: CorpusText[] = [];
  let bytes = 0;
  for (const path of names) {
    const content = await readFile(path);
    if (content.length > LARGEST_FILE) continue;
    texts.push({ path, text: content.toString("utf8") });
    bytes += content.length;
    if (bytes >= megabytes * MEGABYTE) break;
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

async function wallSeconds(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return (performance.now() - before) / 1000;
}

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

/** The fastest of several rounds, taken in turn: on a busy machine the others measure its other work. */
async function measureBest(rounds: number, works: readonly (() => Promise<number>)[]): Promise<number[]> {
  const best = works.map(() => Infinity);
  for (let round = 0; round < rounds; round++) {
    for (const [index, work] of works.entries()) best[index] = Math.min(best[index]!, await work());
  }
  return best;
}

type Lint = (text: string, path: string) => Promise<unknown>;

/** secretlint 11 with its recommended preset, installed into a temporary directory: it is no part of this project. */
async function installSecretlint(directory: string): Promise<Lint> {
  await writeFile(join(directory, "package.json"), '{"private":true,"type":"module"}');
  const packages = ["@secretlint/core@11", "@secretlint/secretlint-rule-preset-recommend@11"];
  await promisify(execFile)("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...packages], {
    cwd: directory,
  });
  await writeFile(
    join(directory, "lint.js"),
    `import { lintSource } from "@secretlint/core";
import { creator } from "@secretlint/secretlint-rule-preset-recommend";
const options = { config: { rules: [{ id: "@secretlint/secretlint-rule-preset-recommend", rule: creator, options: {} }] } };
export const lint = (content, filePath) =>
  lintSource({ source: { content, filePath, ext: ".txt", contentType: "text" }, options });
`,
  );
  const module = (await import(pathToFileURL(join(directory, "lint.js")).href)) as { readonly lint: Lint };
  return module.lint;
}

async function benchSpeed(rules: readonly Rule[], { texts, megabytes }: Corpus, rounds: number, lint: Lint | null) {
  const detector = createDetector(rules);
  const anchors = new Set(rules.flatMap(({ plan }) => (plan.anchors ?? []).map(({ text }) => text)));
  const automaton = new AnchorAutomaton([...anchors]);
  const runAutomaton = (text: string): void => {
    let at = 0;
    let state = 0;
    while (at < text.length) ({ to: at, state } = automaton.scan(text, at, state));
  };
  const [whole = NaN, alone = NaN, linted] = await measureBest(rounds, [
    () => cpuSeconds(() => texts.forEach(({ text, path }) => detector.detect(text, path))),
    () => cpuSeconds(() => texts.forEach(({ text }) => runAutomaton(text))),
    ...(lint === null
      ? []
      : [
          () =>
            cpuSeconds(async () => {
              for (const { text, path } of texts) await lint(text, path);
            }),
        ]),
  ]);
  tell(`detector, all ${rules.length} rules: ${(megabytes / whole).toFixed(0)} MB/s of processor time`);
  tell(
    `automaton alone, ${anchors.size} anchors: ${(megabytes / alone).toFixed(0)} MB/s; detector ${(alone / whole).toFixed(2)}× (wanted ≥ 0.6×)`,
  );
  if (linted !== undefined) {
    tell(
      `secretlint 11, recommended preset: ${(megabytes / linted).toFixed(0)} MB/s; detector ${(linted / whole).toFixed(1)}× (wanted ≥ 8×)`,
    );
  }
}

/** Characters in one message to a thread. */
const BATCH = 512 * 1024;

function batchesOf(texts: readonly ScanText[]): ScanText[][] {
  const batches: ScanText[][] = [[]];
  let length = 0;
  for (const text of texts) {
    if (length > BATCH) {
      batches.push([]);
      length = 0;
    }
    batches.at(-1)!.push(text);
    length += text.text.length;
  }
  return batches;
}

async function benchThreads(rules: readonly Rule[], { texts, megabytes }: Corpus, rounds: number): Promise<void> {
  const batches = batchesOf(texts);
  const pools = [1, 2].map((threads) => createScanPool({ rules, key: KEY, threads, budgetMs: 60_000 }));
  const scan = (pool: (typeof pools)[number]) => () => Promise.all(batches.map((batch) => pool.scan(batch)));
  for (const pool of pools) await scan(pool)();
  const [one = NaN, two = NaN] = await measureBest(
    rounds,
    pools.map((pool) => () => wallSeconds(scan(pool))),
  );
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

/** Beginnings of the rule's own matches that never get to a match, matches on end, and anchors in a row. */
function* hostileTexts(rule: Rule, anchors: readonly string[]): Generator<string> {
  for (const anchor of anchors.slice(0, 3)) {
    yield* [anchor, `${anchor}-`, `${anchor} = "`, `${anchor}${"aB3+/_-".repeat(40)} `, `${anchor}${anchor}a1`];
    yield `${anchor}${"a1B2".repeat(500)}`;
  }
  for (const text of rule.examples.match.slice(0, 2)) {
    yield* [text.slice(0, Math.ceil(text.length * 0.7)), text.slice(0, -1), `${text.slice(0, -1)}-`, text];
  }
}

/** For 2^20 characters: six megabytes a second. */
const SLOW_SECONDS = 2 ** 20 / (6 * MEGABYTE);

function benchHostile(rules: readonly Rule[]): void {
  const slowest: { readonly speed: number; readonly id: string; readonly part: string }[] = [];
  for (const rule of rules) {
    const detector = createDetector([rule]);
    const anchors = rule.plan.anchors?.map(({ text }) => text) ?? rule.keywords;
    let worst = { speed: Infinity, id: rule.id, part: "" };
    for (const part of hostileTexts(rule, anchors)) {
      const text = part.repeat(Math.ceil(2 ** 20 / part.length)).slice(0, 2 ** 20);
      let seconds = Infinity;
      // Once more where it looks slow: on a busy machine it may have been the machine.
      for (let round = 0; round === 0 || (round < 3 && seconds > SLOW_SECONDS); round++) {
        const before = process.cpuUsage();
        detector.detect(text, rule.examples.path ?? undefined);
        const { user, system } = process.cpuUsage(before);
        seconds = Math.min(seconds, (user + system) / 1e6);
      }
      const speed = 2 ** 20 / MEGABYTE / seconds;
      if (speed < worst.speed) worst = { speed, id: rule.id, part: `${part.slice(0, 12)}…` };
    }
    slowest.push(worst);
  }
  slowest.sort((a, b) => a.speed - b.speed);
  tell(
    `worst megabyte for each rule (wanted ≥ 5 MB/s): ${slowest.filter(({ speed }) => speed < 5).length} of ${rules.length} slower`,
  );
  for (const { speed, id, part } of slowest.slice(0, 12))
    tell(`  ${speed.toFixed(1).padStart(7)} MB/s  ${id}  ${JSON.stringify(part)}`);
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
const rules = (await readBuiltinRules()).flatMap(({ name, text }) => {
  const parsed = parseRules(text);
  if (!parsed.ok) throw new Error(`${name}: ${JSON.stringify(parsed.error[0])}`);
  return parsed.value;
});
const corpus = await readCorpus(positionals[0] ?? join(packageRoot(), "node_modules"), Number(values.megabytes));
const wants = (part: string): boolean => values.only === "" || values.only === part;
tell(`${corpus.texts.length} files, ${corpus.megabytes.toFixed(0)} MB`);
const scratch = await mkdtemp(join(tmpdir(), "sallyport-bench-"));
try {
  if (wants("speed")) {
    const lint = values["without-secretlint"] ? null : await installSecretlint(scratch);
    await benchSpeed(rules, corpus, Number(values.rounds), lint);
    await benchThreads(rules, corpus, Number(values.rounds));
  }
  if (wants("findings")) benchFindings(rules, corpus);
  if (wants("hostile")) benchHostile(rules);
} finally {
  await rm(scratch, { recursive: true, force: true });
}
