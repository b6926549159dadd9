/** What was measured, as Markdown for the README and as numbers for machines. */
import { execFileSync } from "node:child_process";
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from "node:os";
import type { Comparison, MemoryUse, Results, StreamDelays, Transfer } from "./benchmark.ts";

/** @param share 0.5: the median; 0.99: only one in a hundred is higher */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const lower = sorted[Math.floor(at)] ?? Number.NaN;
  const upper = sorted[Math.ceil(at)] ?? Number.NaN;
  return lower + (upper - lower) * (at - Math.floor(at));
}

const median = (values: readonly number[]): number => percentile(values, 0.5);

const MIB = 1024 * 1024;

export const formatMs = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);

const formatSigned = (ms: number): string => `${ms < 0 ? "−" : "+"}${formatMs(Math.abs(ms))}`;
const formatMiB = (bytes: number | null): string => (bytes === null ? "–" : `${Math.round(bytes / MIB)} MiB`);
const formatRatio = (ratio: number): string => `${ratio.toFixed(2)}×`;
const formatSpeed = (speed: number): string => `${Math.round(speed / MIB)} MiB/s`;

const MEMORY = ["gateway memory above idle", "its git children, peak"];
const memoryCells = ({ gatewayAboveIdle, gitChildren }: MemoryUse): string[] => [
  formatMiB(gatewayAboveIdle),
  formatMiB(gitChildren),
];

function comparisonCells({ what, direct, through, wanted, ...memory }: Comparison): string[] {
  const [without, with_] = [median(direct), median(through)];
  const limit =
    wanted === null ? "" : "ratio" in wanted ? `≤ ${formatRatio(wanted.ratio)}` : `≤ ${formatSigned(wanted.addedMs)}`;
  const times = [formatMs(without), formatMs(with_), formatRatio(with_ / without), formatSigned(with_ - without)];
  return [what, ...times, limit, ...memoryCells(memory)];
}

function transferCells({ what, direct, through, ...memory }: Transfer): string[] {
  const [without, with_] = [median(direct), median(through)];
  return [
    what,
    formatSpeed(without),
    formatSpeed(with_),
    formatRatio(with_ / without),
    "≥ 0.90×",
    ...memoryCells(memory),
  ];
}

function streamCells({ what, delays }: StreamDelays): string[] {
  const times = [0.5, 0.99, 1].map((share) => `${percentile(delays, share).toFixed(1)} ms`);
  return [what, ...times, String(delays.length)];
}

function renderTable(head: readonly string[], cells: readonly (readonly string[])[]): string {
  if (cells.length === 0) return "";
  const table = [head, head.map((_, column) => (column === 0 ? "---" : "--:")), ...cells];
  return `${table.map((row) => `| ${row.join(" | ")} |\n`).join("")}\n`;
}

export function renderResults({ comparisons, transfers, streams }: Results): string {
  const pushHead = ["push", "direct", "through Sallyport", "ratio", "added", "wanted", ...MEMORY];
  const fetchHead = ["fetch", "direct", "through Sallyport", "ratio", "wanted", ...MEMORY];
  const streamHead = ["a chunk of a Copilot stream takes", "p50", "p99", "longest", "chunks"];
  return (
    renderTable(pushHead, comparisons.map(comparisonCells)) +
    renderTable(fetchHead, transfers.map(transferCells)) +
    renderTable(streamHead, streams.map(streamCells))
  );
}

/** What the numbers depend on. The load tells whether the machine had other work. */
export function renderMachine(): string {
  const git = execFileSync("git", ["--version"], { encoding: "utf8" }).trim();
  const gib = Math.round(totalmem() / 1024 ** 3);
  const load = loadavg()[0]?.toFixed(1) ?? "?";
  const cpu = cpus()[0]?.model.trim() ?? "unknown processor";
  return `${availableParallelism()} cores (${cpu}), ${gib} GiB, ${platform()} ${arch()}, Node ${process.versions.node}, ${git}, load at the end ${load}`;
}

/** Every single measurement: milliseconds, bytes in a second, bytes. */
export const renderJson = (results: Results, rounds: number): string =>
  `${JSON.stringify({ machine: renderMachine(), rounds, ...results }, null, 1)}\n`;
