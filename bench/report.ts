/** What was measured, as Markdown for the README. */
import { execFileSync } from "node:child_process";
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from "node:os";

export interface Row {
  readonly what: string;
  /** Milliseconds. */
  readonly direct: readonly number[];
  readonly through: readonly number[];
  /** Bytes; null where they cannot be known. */
  readonly gatewayAboveIdle: number | null;
  readonly gitChildren: number | null;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = sorted.length >> 1;
  const upper = sorted[at] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[at - 1] ?? Number.NaN) + upper) / 2;
}

export const formatMs = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);

const formatMiB = (bytes: number | null): string => (bytes === null ? "–" : `${Math.round(bytes / 1024 / 1024)} MiB`);

export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map(({ what, direct, through, gatewayAboveIdle, gitChildren }) => {
    const [without, with_] = [median(direct), median(through)];
    const added = `${with_ < without ? "−" : "+"}${formatMs(Math.abs(with_ - without))}`;
    const ratio = `${(with_ / without).toFixed(2)}×`;
    const memory = [formatMiB(gatewayAboveIdle), formatMiB(gitChildren)];
    return [what, formatMs(without), formatMs(with_), ratio, added, ...memory];
  });
  const head = [
    "push",
    "direct",
    "through Sallyport",
    "ratio",
    "added",
    "gateway memory above idle",
    "its git children, peak",
  ];
  const table = [head, head.map((_, column) => (column === 0 ? "---" : "--:")), ...cells];
  return table.map((row) => `| ${row.join(" | ")} |\n`).join("");
}

/** What the numbers depend on. The load tells whether the machine had other work. */
export function renderMachine(): string {
  const git = execFileSync("git", ["--version"], { encoding: "utf8" }).trim();
  const gib = Math.round(totalmem() / 1024 ** 3);
  const load = loadavg()[0]?.toFixed(1) ?? "?";
  const cpu = cpus()[0]?.model.trim() ?? "unknown processor";
  return `${availableParallelism()} cores (${cpu}), ${gib} GiB, ${platform()} ${arch()}, Node ${process.versions.node}, ${git}, load at the end ${load}`;
}
