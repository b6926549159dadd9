/** Mutated pushes through quarantine, git and inspection, each held against what real git makes of the same bytes. */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startGitUpstream, type GitUpstreamFixture } from "../../fixtures/git-upstream.ts";
import { GatewayError } from "../../src/errors.ts";
import { createGit } from "../../src/git/process.ts";
import { createRepositoryCache } from "../../src/git/repository-cache.ts";
import { makeCorpus, type Corpus, type CorpusOptions } from "./corpus.ts";
import { readAllObjects } from "./git-run.ts";
import { judge } from "./judge.ts";
import { countHeld } from "./leaks.ts";
import { makePush, type MutatedPush } from "./make-push.ts";
import { cutRandomly } from "./mutate-bytes.ts";
import { deliverToGit } from "./oracle.ts";
import { randomFor, type Random } from "./random.ts";
import { readMutatedPush, type PushReading, type Stage } from "./read-push.ts";

export interface PushFuzzOptions extends CorpusOptions {
  readonly seed: number;
  readonly count: number;
  /** Only this one, e.g. to look at it again. */
  readonly only?: number;
  readonly at?: number;
  readonly concurrency?: number;
  /** Stop beginning new ones after this long. */
  readonly forMs?: number;
  readonly progress?: (text: string) => void;
}

export interface PushFuzzResult {
  readonly inputs: number;
  /** How many got at least so far. */
  readonly reached: Readonly<Record<Stage, number>>;
  /** Accepted by our reading. */
  readonly accepted: number;
  /** Of those: taken by real git, all refs or some. */
  readonly taken: number;
  /** Accepted by us and refused by git altogether, by git's reason: no bypass, but a push that promises too much. */
  readonly tooMuch: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
}

const HANG_MS = 60_000;
const LOW_LIMITS = [
  { objects: 3 },
  { packBytes: 300 },
  { objectBytes: 500 },
  { commitBytes: 200 },
  { commits: 1 },
  { additionBytes: 200 },
  { inflatedBytes: 1000 },
  { inflationRatio: 1, inflatedFreeBytes: 100 },
];

export async function fuzzPushes(options: PushFuzzOptions): Promise<PushFuzzResult> {
  const root = await mkdtemp(path.join(tmpdir(), "sallyport-fuzz-"));
  const upstream = await startGitUpstream({ root: path.join(root, "upstream"), recordBodies: true });
  try {
    await mkdir(path.join(root, "oracle"));
    const corpus = await makeCorpus(upstream, root, options.seed, options);
    options.progress?.(
      `${corpus.pushes.length} real pushes of ${new Set(corpus.pushes.map(({ shape }) => shape)).size} shapes`,
    );
    return await runAll(options, root, upstream, corpus);
  } finally {
    await upstream.stop();
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function runAll(
  options: PushFuzzOptions,
  root: string,
  upstream: GitUpstreamFixture,
  corpus: Corpus,
): Promise<PushFuzzResult> {
  const git = createGit({ environment: { PATH: process.env["PATH"] }, userAgent: "sallyport/fuzz (gateway-internal)" });
  const cacheRoot = path.join(root, "cache");
  const cache = createRepositoryCache({ git, root: cacheRoot, maxBytes: 2 ** 30, fetchTimeoutMs: 30_000 });
  const quarantineRoot = path.join(root, "quarantine");
  const reached: Record<Stage, number> = { head: 0, pack: 0, objects: 0, read: 0 };
  const refused: Record<string, number> = {};
  const tooMuch: Record<string, number> = {};
  const violations: string[] = [];
  /** Told at once: a run of hours may be cut before its end. */
  const violate = (wrong: string): void => {
    violations.push(wrong);
    options.progress?.(`VIOLATION ${wrong}`);
  };
  let inputs = 0;
  let accepted = 0;
  let taken = 0;
  const count = (tally: Record<string, number>, key: string): void => void (tally[key] = (tally[key] ?? 0) + 1);
  const onUnhandled = (error: unknown): void => violate(`unhandled: ${String(error)}`);
  process.on("unhandledRejection", onUnhandled);

  const compare = async (push: MutatedPush, reading: PushReading, random: Random, name: string): Promise<void> => {
    accepted += 1;
    const delivered = await deliverToGit(path.join(root, "oracle"), push.repository, push.body, {
      keepsPack: random.once(2),
    });
    try {
      if (delivered.moved.size > 0) taken += 1;
      else if (reading.head.updates.some(({ ref, newOid }) => push.repository.refs.get(ref) !== newOid)) {
        count(tooMuch, whyNot(delivered.report + delivered.stderr));
      }
      for (const wrong of await judge(push.repository, reading, delivered)) violate(`${name}: ${wrong}`);
    } finally {
      await delivered.remove();
    }
  };

  const one = async (input: number): Promise<void> => {
    const random = randomFor(options.seed, input);
    const push = makePush(corpus, random);
    const name = `--seed ${options.seed} --only ${input} (${push.shape}; ${push.levels.join(", ") || "as it was"})`;
    inputs += 1;
    const limits = random.once(25) ? random.pick(LOW_LIMITS) : {};
    let stage = "begin";
    const reading = readMutatedPush(push.repository, cutRandomly(push.body, random), {
      git,
      cache,
      quarantineRoot,
      upstreamUrl: upstream.url,
      limits,
      onStage: (next) => {
        stage = next;
        reached[next] += 1;
      },
    });
    const outcome = await withinTime(reading).catch((error: unknown) => {
      if (error instanceof GatewayError && error.code !== "internal") {
        count(refused, error.code);
        if (options.only !== undefined) options.progress?.(`refused after ${stage}: ${error.code}: ${error.message}`);
      } else violate(`${name}: after ${stage}: ${describe(error)}`);
      return null;
    });
    if (outcome === "hang") violate(`${name}: no end after ${HANG_MS} ms, in ${stage}`);
    else if (outcome !== null) await compare(push, outcome, random, name);
  };

  // What lives as long as the process (pools of sockets, git's own first fetch) is there before it is counted.
  await one(options.only ?? options.at ?? 0);
  const before = await countHeld();
  const from = options.only ?? options.at ?? 0;
  const until = options.only === undefined ? from + options.count : from + 1;
  const deadline = Date.now() + (options.forMs ?? Number.POSITIVE_INFINITY);
  let next = from + 1;
  let told = Date.now();
  const worker = async (): Promise<void> => {
    while (next < until && Date.now() < deadline) {
      await one(next++);
      // The fixture's record of requests would grow without end.
      upstream.requests.length = 0;
      if (Date.now() - told > 15_000) {
        told = Date.now();
        options.progress?.(`${inputs} pushes, ${accepted} accepted, ${violations.length} violations`);
      }
    }
  };
  await Promise.all(Array.from({ length: options.concurrency ?? 3 }, worker));
  process.off("unhandledRejection", onUnhandled);

  const after = await settled(before.files, upstream);
  if (after.files > before.files) violations.push(`${after.files - before.files} file handles more than before`);
  if (after.children > before.children) violations.push(`${after.children - before.children} child processes left`);
  const left = await readdir(quarantineRoot).catch(() => []);
  if (left.length > 0) violations.push(`${left.length} quarantines left`);
  violations.push(...(await strangersIn(cacheRoot, corpus)));
  return { inputs, reached, accepted, taken, tooMuch, refused, violations };
}

const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return `${error.stack?.split("\n").slice(0, 4).join(" | ") ?? error.message}${cause}`;
};

async function withinTime<T>(work: Promise<T>): Promise<T | "hang"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"hang">((resolve) => {
    timer = setTimeout(() => resolve("hang"), HANG_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Sockets and pipes close a moment after their last byte. */
async function settled(files: number, upstream: GitUpstreamFixture): ReturnType<typeof countHeld> {
  let held = await countHeld();
  for (let i = 0; i < 50 && (held.files > files || upstream.openConnections() > 0); i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    held = await countHeld();
  }
  return held;
}

const whyNot = (report: string): string => {
  const said =
    /(?:ng \S+ [^\n]*|unpack (?!ok)[^\n]*|fatal: [^\n]*|error: [^\n]*)/.exec(report)?.[0] ?? "nothing was said";
  return said
    .replaceAll(/[0-9a-f]{16,}/g, "…")
    .replace(/ng \S+ /, "ng ")
    .replaceAll(/[^ -~…]/g, "?")
    .slice(0, 90);
};

/** What was refused must not come back as an old object: the caches hold what the upstream has, and nothing else. */
async function strangersIn(cacheRoot: string, corpus: Corpus): Promise<string[]> {
  const upstream = new Set(corpus.repositories.flatMap(({ objects }) => [...objects.keys()]));
  const strangers: string[] = [];
  for (const name of await readdir(cacheRoot).catch(() => [])) {
    for (const inner of ["objects.git", "history.git"]) {
      const objects = await readAllObjects(path.join(cacheRoot, name, inner)).catch(() => new Map<string, never>());
      for (const oid of objects.keys())
        if (!upstream.has(oid)) strangers.push(`the cache holds ${oid}, which the upstream never had`);
    }
  }
  return strangers;
}
