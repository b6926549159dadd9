/** Minutes of many streams at once: whether anything grows meanwhile. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { BenchGateway } from "./gateway.ts";
import type { HeapUse } from "./heap-monitor.ts";
import { residentBytes } from "./memory.ts";
import { percentile } from "./report.ts";
import type { ClientCommand, ClientEvent, Measured } from "./streams-client.ts";

export async function measure(client: ChildProcess, command: ClientCommand): Promise<Measured> {
  client.send(command);
  const [event] = (await once(client, "message")) as [ClientEvent];
  if (event.kind === "failed") throw new Error(event.message);
  return event;
}

export interface Sustaining {
  readonly client: ChildProcess;
  readonly gateway: BenchGateway;
  readonly target: Pick<ClientCommand, "url" | "authorization">;
  readonly streams: number;
  readonly seconds: number;
  /** Where `heap-monitor.ts` writes. */
  readonly heapFile: string;
}

const SAMPLE_MS = 10_000;

/** @returns a table, by thirds of the time */
export async function sustain({ client, gateway, target, streams, seconds, heapFile }: Sustaining): Promise<string> {
  const samples: number[] = [];
  const waiting: number[] = [];
  const sampling = setInterval(() => void recordsWaiting(gateway).then((count) => waiting.push(count)), 1_000);
  const began = Date.now();
  const running = measure(client, { kind: "sustain", ...target, streams, seconds });
  for (let sampled = 0; sampled * SAMPLE_MS < seconds * 1_000; sampled += 1) {
    await Promise.race([running, sleep(SAMPLE_MS)]);
    samples.push(residentBytes(gateway.pid));
    // What is left of it when all garbage is gone; the pause is one of some hundred milliseconds, and told with the delays.
    if (sampled % 3 === 2) process.kill(gateway.pid, "SIGUSR2");
    const at = Math.round((Date.now() - began) / 1_000);
    if (sampled % 6 === 5) process.stderr.write(`after ${at} s: ${mib(samples.at(-1) ?? 0)} MiB resident\n`);
  }
  const { delays, first, exchanges, refused } = await running.finally(() => clearInterval(sampling));
  await sleep(1_000);
  const left = (await readFile(heapFile, "utf8").catch(() => ""))
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as HeapUse);
  const heaps = (isMain: boolean): readonly number[] =>
    left.filter((use) => use.isMain === isMain).map(({ heap }) => heap);
  const medianMib = (list: readonly number[]): string => mib(percentile(list, 0.5));
  const one = (share: number) => (list: readonly number[]) => percentile(list, share).toFixed(2);
  const rows = [
    row("resident, MiB", samples, medianMib),
    row("heap after all garbage is collected, MiB: the main thread", heaps(true), medianMib),
    row("the same: the thread of the records", heaps(false), medianMib),
    row(
      "buffers then, MiB",
      left.filter(({ isMain }) => isMain).map(({ external }) => external),
      medianMib,
    ),
    row(
      "records that wait to be written, p50 and most",
      waiting,
      (list) => `${percentile(list, 0.5)}, ${Math.max(...list)}`,
    ),
    row("a chunk, p50, ms", delays, one(0.5)),
    row("a chunk, p99, ms", delays, one(0.99)),
    row("first byte, p50, ms", first, one(0.5)),
  ];
  return `
${seconds} s of ${streams} streams: ${exchanges} exchanges recorded (${(exchanges / seconds).toFixed(1)} a second), ${refused} refused because the database did not answer in time. By thirds of the time, no growth wanted:

| | first | middle | last |
| --- | --: | --: | --: |
${rows.join("\n")}
`;
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

function row(what: string, list: readonly number[], cell: (third: readonly number[]) => string): string {
  const thirds = [0, 1, 2].map((third) => list.slice((list.length * third) / 3, (list.length * (third + 1)) / 3));
  return `| ${[what, ...thirds.map(cell)].join(" | ")} |`;
}

/** Beginnings and ends of exchanges that are on their way to the database, or wait for it. */
async function recordsWaiting({ copilotUrl }: BenchGateway): Promise<number> {
  const answer = await fetch(new URL("/metrics", copilotUrl));
  return Number(/^sallyport_records_waiting (\d+)$/m.exec(await answer.text())?.[1] ?? Number.NaN);
}
