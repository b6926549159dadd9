/**
 * Loaded into a gateway (`NODE_OPTIONS=--import=…`): at each SIGUSR2 collects garbage, all of it, and writes what is left to the file that
 * `HEAP_MONITOR_FILE` names, as a line of JSON.
 */
import { appendFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";

/** Bytes. */
export interface HeapUse {
  /** Objects that something still refers to. */
  readonly heap: number;
  /** Buffers. */
  readonly external: number;
}

const file = process.env["HEAP_MONITOR_FILE"];
if (isMainThread && file !== undefined && process.argv.includes("serve")) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  process.on("SIGUSR2", () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    appendFileSync(file, `${JSON.stringify({ heap: heapUsed, external })}\n`);
  });
}
