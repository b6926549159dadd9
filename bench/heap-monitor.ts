/**
 * Loaded into a gateway and its threads (`NODE_OPTIONS=--import=…`): at each SIGUSR2 every thread collects garbage, all of it, and writes what is
 * left to the file that `HEAP_MONITOR_FILE` names, as a line of JSON.
 */
import { appendFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { BroadcastChannel, isMainThread } from "node:worker_threads";

/** Bytes. */
export interface HeapUse {
  /** Of the thread that answers clients, or of one beside it. */
  readonly isMain: boolean;
  /** Objects that something still refers to. */
  readonly heap: number;
  /** Buffers. */
  readonly external: number;
}

const file = process.env["HEAP_MONITOR_FILE"];
// Threads have no arguments of the command line, and other commands have no threads.
if (file !== undefined && (!isMainThread || process.argv.includes("serve"))) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const measure = (): void => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    const use: HeapUse = { isMain: isMainThread, heap: heapUsed, external };
    appendFileSync(file, `${JSON.stringify(use)}\n`);
  };
  // Signals reach the main thread alone.
  const threads = new BroadcastChannel("heap-monitor");
  threads.unref();
  if (isMainThread) {
    process.on("SIGUSR2", () => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel between threads has no origin
      threads.postMessage(null);
      measure();
    });
  } else threads.addEventListener("message", measure);
}
