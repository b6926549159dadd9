/**
 * Loaded into a gateway (`NODE_OPTIONS=--import=…`): at each SIGUSR2 writes how long its event loop has been kept since the one
 * before, as a line of JSON to the file that `LOOP_MONITOR_FILE` names.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { createHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

/** Milliseconds. */
export interface LoopDelays {
  /** By the clock; one of them is the measurement's own. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The processor time of the loop's thread between two looks, 99 of 100: what a machine with nothing else to do would show. Null where it cannot be known. */
  readonly busyP99: number | null;
  readonly busyMax: number | null;
}

/** Nanoseconds that the main thread has run (proc(5), schedstat). */
function threadTime(): number | null {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "latin1").split(" ", 1)[0]);
  } catch {
    return null;
  }
}

const file = process.env["LOOP_MONITOR_FILE"];
if (isMainThread && file !== undefined && process.argv.includes("serve")) {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const busy = createHistogram();
  let before = threadTime();
  setInterval(() => {
    const now = threadTime();
    if (now !== null && before !== null) busy.record(Math.max(1, now - before));
    before = now;
  }, 1).unref();
  process.on("SIGUSR2", () => {
    const [p50, p99, max, busyP99, busyMax] = [
      delays.percentile(50),
      delays.percentile(99),
      delays.max,
      before === null ? null : busy.percentile(99),
      before === null ? null : busy.max,
    ].map((ns) => (ns === null ? null : ns / 1e6));
    appendFileSync(file, `${JSON.stringify({ p50, p99, max, busyP99, busyMax })}\n`);
    delays.reset();
    busy.reset();
  });
}
