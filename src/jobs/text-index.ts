import type { Logger } from "../model/log.ts";
import type { Database } from "../store/database.ts";
import { hasTextIndex, indexMessages } from "../store/session-text.ts";
import { createLoop, type Loop } from "./loop.ts";

const EVERY_MS = 5_000;
/** Few enough that no transaction of it lasts long. */
const BATCH = 50;

/** Makes what was recorded quick to find by its text, where there is an index for it. */
export const createTextIndexJob = ({ db, log }: { readonly db: Database; readonly log: Logger }): Loop =>
  createLoop({
    name: "text index",
    everyMs: EVERY_MS,
    log,
    run: async () => {
      if (!(await hasTextIndex(db))) return;
      while ((await indexMessages(db, BATCH)) === BATCH);
    },
  });
