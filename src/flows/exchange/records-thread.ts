/** The body of the thread that keeps the records of exchanges; see records-in-thread.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { openDiskSpool } from "../../blobs/disk-spool.ts";
import { findToolUses } from "../../copilot/tools/find-tool-uses.ts";
import { createDetector } from "../../secrets/detector.ts";
import { createScanner } from "../../secrets/scanner.ts";
import { isDatabaseAway, openDatabase } from "../../store/database.ts";
import { serveThread } from "../../workers/thread-service.ts";
import { createScanPool } from "../scanning/scan-in-workers.ts";
import { createRecords, type Records } from "./records.ts";
import type { RecordsThreadData } from "./records-in-thread.ts";
import { createSuggestionIndex } from "./suggestion-index.ts";

if (parentPort === null) throw new Error("this is the body of a worker thread");
const { rules, key, databaseUrl, gateway, spool: place, limits, scanMs } = workerData as RecordsThreadData;

serveThread<Records>(parentPort, async (log) => {
  const spool = await openDiskSpool(place.directory, place.maxBytes);
  const store = openDatabase(databaseUrl, { applicationName: "sallyport-records" });
  const scanner = createScanner(createDetector(rules), key);
  // One long message must not keep the beginnings of all others waiting either.
  const scanPool = createScanPool({ rules, key, threads: 1, budgetMs: scanMs });
  const records = createRecords({
    db: store.db,
    mask: (text) => scanner.mask(text),
    maskElsewhere: (messages) => scanPool.maskMessages(messages),
    recordKey: key,
    gateway,
    spool,
    findToolUses,
    indexRows: createSuggestionIndex(key),
    limits,
    log,
    now: () => new Date(),
  });
  return {
    methods: records,
    close: async () => {
      await spool.close();
      await scanPool.close();
      await store.close();
    },
    describe: (error) =>
      isDatabaseAway(error)
        ? { code: "database_unavailable", message: "The database does not answer." }
        : {
            code: "internal",
            message: `Keeping the record failed: ${error instanceof Error ? error.name : "unknown"}`,
          },
  };
});
