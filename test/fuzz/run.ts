/**
 * `npm run fuzz`: mutated real pushes against the codecs, against quarantine and inspection, and over HTTP against a gateway.
 * Everything is in temporary directories that are gone afterwards. Exit 1 where anything that must hold did not.
 *
 * Usage: npm run fuzz -- [--seed N] [--codec N] [--pushes N] [--http N] [--at FIRST] [--only INPUT] [--jobs N] [--minutes N]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { startGitUpstream } from "../../fixtures/git-upstream.ts";
import { fuzzCodecs } from "./codecs.ts";
import { makeCorpus, type Corpus } from "./corpus.ts";
import { fuzzHttp } from "./http.ts";
import { countHeld } from "./leaks.ts";
import { fuzzPushes } from "./pushes.ts";

const USAGE =
  "Usage: npm run fuzz -- [--seed N] [--codec N] [--pushes N] [--http N] [--at N] [--only INPUT] [--minutes N]\n";

const print = (text: string): void => void process.stdout.write(`${text}\n`);

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: "string" },
        codec: { type: "string", default: "100000" },
        pushes: { type: "string", default: "3000" },
        http: { type: "string", default: "300" },
        at: { type: "string", default: "0" },
        only: { type: "string" },
        minutes: { type: "string", default: "1000" },
        jobs: { type: "string", default: "3" },
      },
    });
    const number = (text: string): number => {
      const value = Number(text);
      if (!Number.isSafeInteger(value) || value < 0) throw new Error(`“${text}” is not a number`);
      return value;
    };
    return {
      seed: number(values.seed ?? String(Date.now() % 1_000_000)),
      codec: number(values.codec),
      pushes: number(values.pushes),
      http: number(values.http),
      at: number(values.at),
      forMs: number(values.minutes) * 60_000,
      concurrency: Math.max(1, number(values.jobs)),
      ...(values.only === undefined ? {} : { only: number(values.only) }),
    };
  } catch {
    return null;
  }
}

async function corpusOnly(seed: number): Promise<Corpus> {
  const root = await mkdtemp(path.join(tmpdir(), "sallyport-fuzz-"));
  try {
    const upstream = await startGitUpstream({ root: path.join(root, "upstream"), recordBodies: true });
    try {
      return await makeCorpus(upstream, root, seed);
    } finally {
      await upstream.stop();
    }
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function runCodecs(options: NonNullable<ReturnType<typeof parseOptions>>): Promise<readonly string[]> {
  const corpus = await corpusOnly(options.seed);
  const before = await countHeld();
  const { seed, codec: count, only } = options;
  const result = await fuzzCodecs(corpus, { seed, count, progress: print, ...(only === undefined ? {} : { only }) });
  const after = await countHeld();
  print(`codecs: ${result.inputs} inputs`);
  for (const [name, { read, refused }] of Object.entries(result.codecs)) {
    print(`  ${name.padEnd(42)} ${String(read).padStart(7)} read ${String(refused).padStart(7)} refused`);
  }
  const leaks = after.files > before.files ? [`${after.files - before.files} file handles more than before`] : [];
  return [...result.violations, ...leaks];
}

async function runPushes(options: NonNullable<ReturnType<typeof parseOptions>>): Promise<readonly string[]> {
  const { pushes: count, ...others } = options;
  const result = await fuzzPushes({ ...others, count, progress: print });
  const share = (part: number): string => `${part} (${Math.round((100 * part) / Math.max(1, result.inputs))} %)`;
  print(`pushes: ${result.inputs} inputs`);
  print(`  head read ${share(result.reached.head)}, pack taken by git ${share(result.reached.pack)}`);
  print(`  objects surveyed ${share(result.reached.objects)}, all read ${share(result.reached.read)}`);
  print(`  accepted ${share(result.accepted)}, of those taken by real git ${result.taken}`);
  print(`  refused: ${JSON.stringify(result.refused)}`);
  print(`  accepted, but refused by real git: ${JSON.stringify(result.tooMuch, null, 2)}`);
  return result.violations;
}

async function runHttp(options: NonNullable<ReturnType<typeof parseOptions>>): Promise<readonly string[]> {
  const { http: count, ...others } = options;
  const result = await fuzzHttp({ ...others, count, progress: print });
  print(`http: ${result.inputs} requests, by ${result.delivered} of them refs moved`);
  print(`  answers: ${JSON.stringify(result.answers)}`);
  return result.violations;
}

const options = parseOptions();
if (options === null) {
  process.stderr.write(USAGE);
  process.exit(2);
}
print(`seed ${options.seed}`);
const violations: string[] = [];
if (options.codec > 0) violations.push(...(await runCodecs(options)));
if (options.pushes > 0) violations.push(...(await runPushes(options)));
if (options.http > 0) violations.push(...(await runHttp(options)));
for (const violation of violations.slice(0, 200)) print(`VIOLATION ${violation}`);
print(`${violations.length} violations`);
if (violations.length > 0) process.exitCode = 1;
