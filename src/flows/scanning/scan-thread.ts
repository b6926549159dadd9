/** The body of a thread that looks texts through for secrets; see scan-in-workers.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { createDetector } from "../../secrets/detector.ts";
import { createScanner } from "../../secrets/scanner.ts";
import type { ScanRequest, ScanThreadData } from "./scan-in-workers.ts";

const port = parentPort;
if (port === null) throw new Error("this is the body of a worker thread");
const { rules, key } = workerData as ScanThreadData;
const scanner = createScanner(createDetector(rules), key);

port.on("message", ({ texts }: ScanRequest) => {
  try {
    port.postMessage({ answer: texts.map(({ text, path }) => scanner.find(text, path)) });
  } catch (error) {
    // Its message may quote the text.
    port.postMessage({ error: error instanceof Error ? error.name : "unknown" });
  }
});

port.postMessage({ ready: true });
