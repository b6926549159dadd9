/**
 * `npm run bench:streams`: what the gateway adds to many token streams at once, with recording and masking on, against going to the upstream
 * directly and against what else could stand there: a bare `node:http` pipe that records nothing, a plain Hono + `fetch` proxy, and nginx
 * where it is installed. Everything in one run, in rounds that interleave the ways. Loopback only.
 *
 * Beside each way stands what it takes of the processor for a chunk, and how many of the machine's cores were busy meanwhile, the upstream's
 * and the clients' share included: where all are, what is measured is how long things wait for one.
 *
 * Usage: npm run bench:streams -- [--streams N] [--chunk-ms N] [--seconds N] [--warm-up SECONDS] [--rounds N]
 *   [--ways NAME,…] [--idle N] [--sustained SECONDS] [--json FILE]
 */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startBenchGateway, type BenchGateway } from "./gateway.ts";
import { residentBytes } from "./memory.ts";
import { coresBusy, machineTime, processorTime } from "./processor-time.ts";
import { percentile, renderMachine } from "./report.ts";
import { measure, sustain } from "./streams-sustained.ts";

const WAYS = ["direct", "Sallyport", "bare node:http pipe", "nginx", "Hono + fetch"] as const;
type Way = (typeof WAYS)[number];
/** By their first words, as they are asked for. */
const isAsked = (way: Way, asked: string): boolean =>
  asked.split(",").some((name) => name !== "" && way.toLowerCase().includes(name.trim().toLowerCase()));

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "200" },
    "chunk-ms": { type: "string", default: "20" },
    seconds: { type: "string", default: "10" },
    "warm-up": { type: "string", default: "10" },
    rounds: { type: "string", default: "7" },
    ways: { type: "string", default: "direct,sallyport,pipe,nginx,hono" },
    idle: { type: "string", default: "1000" },
    sustained: { type: "string", default: "300" },
    json: { type: "string" },
  },
});
const streams = Number(values.streams);
const chunkMs = Number(values["chunk-ms"]);
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const idleStreams = Number(values.idle);
const sustained = Number(values.sustained);

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const stops: (() => Promise<unknown> | void)[] = [];
const BEARER = "bench-bearer";

/** A process of its own: what one side costs must not be told as the other's delay. */
async function startPart(file: string, args: readonly string[]): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(here(file), args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  stops.push(() => {
    child.kill("SIGKILL");
  });
  const [message] = (await once(child, "message")) as [{ url: string }];
  return { child, url: message.url };
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

async function startNginx(directory: string, upstream: string): Promise<{ url: string; pid: number } | null> {
  const program = (await isThere("/usr/sbin/nginx")) ? "/usr/sbin/nginx" : null;
  if (program === null) return null;
  const root = path.join(directory, "nginx");
  await mkdir(root, { recursive: true });
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const config = path.join(root, "nginx.conf");
  await writeFile(
    config,
    `daemon off; worker_processes 1; pid ${root}/pid; error_log ${root}/error.log;
events { worker_connections 8192; }
http {
  access_log off; client_body_temp_path ${root}/body; proxy_temp_path ${root}/proxy; fastcgi_temp_path ${root}/f; uwsgi_temp_path ${root}/u; scgi_temp_path ${root}/s;
  upstream model { server ${new URL(upstream).host}; keepalive 256; }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } }
}
`,
  );
  const child = spawn(program, ["-c", config, "-p", root, "-e", `${root}/error.log`], { stdio: "ignore" });
  stops.push(() => {
    child.kill("SIGTERM");
  });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 100; tries += 1) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return { url, pid: child.pid ?? 0 };
    if (child.exitCode !== null) return null;
    await sleep(50);
  }
  return null;
}

interface Collected {
  readonly chunkMs: number[];
  readonly firstByteMs: number[];
  /** Of each round, so that they can be held against another way's in the same round. */
  readonly rounds: {
    readonly p50: number;
    readonly p99: number;
    readonly first: number;
    /** Microseconds of the processor for a chunk: of the process between, and of the database below it. */
    readonly own: number;
    readonly below: number;
    readonly cores: number;
  }[];
}

const ms = (value: number): string => value.toFixed(2);
const median = (list: readonly number[]): number => percentile(list, 0.5);

async function run(directory: string): Promise<void> {
  const upstream = await startPart("./streams-upstream.js", [String(chunkMs), BEARER]);
  const pipe = await startPart("./streams-proxies.js", ["pipe", upstream.url]);
  const hono = await startPart("./streams-proxies.js", ["hono", upstream.url]);
  const client = (await startPart("./streams-client.js", [])).child;
  const nginx = await startNginx(directory, upstream.url);
  if (nginx === null) process.stderr.write("nginx is not installed here: that way is left out\n");
  const stopping = new AbortController();
  const heapFile = path.join(directory, "heap.jsonl");
  const gateway: BenchGateway = await startBenchGateway({
    directory: path.join(directory, "gateway"),
    upstream: { url: "http://127.0.0.1:9/", username: "none", password: "none" },
    copilot: { url: upstream.url, bearer: BEARER },
    env: {
      PATH: process.env["PATH"],
      HOME: directory,
      NODE_OPTIONS: `--import=${new URL("./heap-monitor.js", import.meta.url).href}`,
      HEAP_MONITOR_FILE: heapFile,
    },
    signal: stopping.signal,
  });
  stops.push(() => gateway.stop());
  await sleep(2_000);

  const targets = new Map<Way, { url: string; authorization: string; pid: number }>();
  for (const [way, url, pid] of [
    ["direct", upstream.url, 0],
    ["bare node:http pipe", pipe.url, pipe.child.pid ?? 0],
    ["nginx", nginx?.url ?? null, nginx?.pid ?? 0],
    ["Hono + fetch", hono.url, hono.child.pid ?? 0],
  ] as const) {
    if (url !== null) targets.set(way, { url, authorization: `Bearer ${BEARER}`, pid });
  }
  const ours = { url: gateway.copilotUrl, authorization: `Bearer ${gateway.token}`, pid: gateway.pid };
  targets.set("Sallyport", ours);
  const ways = WAYS.filter((way) => targets.has(way) && isAsked(way, values.ways));

  const collected = new Map<Way, Collected>(ways.map((way) => [way, { chunkMs: [], firstByteMs: [], rounds: [] }]));
  // One round of each before: compilers, connections, the database's cache.
  for (let round = -1; round < rounds; round += 1) {
    // Another one begins each time: what comes first after a pause is not always the same.
    for (const [at] of ways.entries()) {
      const way = ways[(at + Math.max(0, round)) % ways.length] as Way;
      const { pid, url, authorization } = targets.get(way) ?? ours;
      const warming = round === -1;
      const [machine, before] = [machineTime(), processorTime(pid)];
      const { delays, first } = await measure(client, {
        kind: "run",
        url,
        authorization,
        streams,
        seconds: warming ? Number(values["warm-up"]) : seconds,
      });
      if (warming) continue;
      const now = processorTime(pid);
      const perChunk = (spent: number): number => (pid === 0 ? 0 : (spent / delays.length) * 1_000);
      // nginx itself only looks after the worker that does it all.
      const [own, below] =
        way === "nginx"
          ? [perChunk(now.below - before.below), 0]
          : [perChunk(now.own - before.own), perChunk(now.below - before.below)];
      const cores = coresBusy(machine, machineTime());
      const kept = collected.get(way) as Collected;
      for (const delay of delays) kept.chunkMs.push(delay);
      for (const delay of first) kept.firstByteMs.push(delay);
      const [p50, p99, firstMs] = [percentile(delays, 0.5), percentile(delays, 0.99), percentile(first, 0.5)];
      kept.rounds.push({ p50, p99, first: firstMs, own, below, cores });
      process.stderr.write(
        `round ${round + 1} ${way}: p50 ${ms(p50)} p99 ${ms(p99)} first ${ms(firstMs)} (${delays.length} chunks, ${own.toFixed(0)} + ${below.toFixed(0)} µs of processor each, ${cores.toFixed(2)} cores busy)\n`,
      );
      await sleep(500);
    }
  }
  const of = (way: Way, name: keyof Collected["rounds"][number]): number[] =>
    collected.get(way)?.rounds.map((round) => round[name]) ?? [];
  const lines = ways.map((way) => {
    const added = median(of(way, "p50").map((value, at) => value - (of("direct", "p50")[at] ?? 0)));
    const ratio = median(of(way, "p99").map((value, at) => value / (of("bare node:http pipe", "p99")[at] ?? 1)));
    const first = median(of(way, "first").map((value, at) => value - (of("direct", "first")[at] ?? 0)));
    const cells = [
      ms(median(of(way, "p50"))),
      ms(median(of(way, "p99"))),
      ms(added),
      `${ratio.toFixed(2)}×`,
      ms(median(of(way, "first"))),
      ms(first),
      way === "direct" ? "" : `${median(of(way, "own")).toFixed(0)} µs`,
      median(of(way, "cores")).toFixed(2),
    ];
    return `| ${[way, ...cells].join(" | ")} |`;
  });
  const table = `
${streams} streams, a chunk every ${chunkMs} ms, ${seconds} s a round, medians of ${rounds} rounds; milliseconds from the upstream's write to the client's read.

| way | p50 | p99 | p50 above direct | p99 against the bare pipe | first byte p50 | above direct | processor a chunk | cores busy |
| --- | --: | --: | --: | --: | --: | --: | --: | --: |
${lines.join("\n")}
${ways.includes("Sallyport") ? "| *wanted of Sallyport* | | | *≤ 1.50* | *≤ 1.50×* | | *≤ 5.00* | | |\n" : ""}
`;
  if (rounds > 0) process.stdout.write(table);

  const { pid: _, ...target } = ours;
  const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
  if (idleStreams > 0) {
    const holding = measure(client, { kind: "hold", ...target, streams: idleStreams, seconds: 15 });
    await sleep(12_000);
    const held = mib(residentBytes(gateway.pid));
    await holding;
    process.stdout.write(`${idleStreams} idle-ish streams (a chunk a second): ${held} MiB resident (wanted: ≤ 400)\n`);
  }
  if (sustained > 0) {
    const sustaining = { client, gateway, target, streams, seconds: sustained, heapFile };
    process.stdout.write(await sustain(sustaining));
  }
  process.stdout.write(`On ${renderMachine()}.\n`);
  if (values.json !== undefined) {
    await writeFile(values.json, JSON.stringify(Object.fromEntries(collected), null, 1));
  }
}

const directory = await mkdtemp(path.join(tmpdir(), "sallyport-streams-"));
stops.push(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
const end = async (): Promise<void> => {
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
};
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void end().then(() => process.exit(1)));
try {
  await run(directory);
} finally {
  await end();
}
