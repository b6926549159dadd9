/** The body of a thread that looks texts through for secrets; see scan-in-workers.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { createDetector } from "../../secrets/detector.ts";
import { createScanner } from "../../secrets/scanner.ts";
import { createMaskTally } from "../exchange/mask-messages.ts";
import type { ScanAnswer, ScanRequest, ScanText, ScanThreadData, ScannedText } from "./scan-in-workers.ts";

const port = parentPort;
if (port === null) throw new Error("this is the body of a worker thread");
const { rules, key } = workerData as ScanThreadData;
const scanner = createScanner(createDetector(rules), key);

function scan({ text, path, isKept = false }: ScanText): ScannedText {
  const secrets = scanner.find(text, path);
  return { secrets, masked: isKept && secrets.length > 0 ? scanner.maskLines(text, path) : null };
}

function answer(request: ScanRequest): ScanAnswer {
  if ("texts" in request) return request.texts.map(scan);
  const tally = createMaskTally((text) => scanner.mask(text));
  return { messages: tally.messages(request.messages), counts: tally.counts };
}

port.on("message", (request: ScanRequest) => {
  try {
    port.postMessage({ answer: answer(request) });
  } catch (error) {
    // Its message may quote the text.
    port.postMessage({ error: error instanceof Error ? error.name : "unknown" });
  }
});

port.postMessage({ ready: true });
