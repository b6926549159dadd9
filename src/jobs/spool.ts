import type { Records } from "../flows/exchange/records.ts";
import type { Logger } from "../model/log.ts";
import { createLoop, type Loop } from "./loop.ts";

const EVERY_MS = 5_000;

/** Puts records that waited on the local disk into the database, once it is back. */
export const createSpoolJob = (deps: { readonly records: Pick<Records, "replay">; readonly log: Logger }): Loop =>
  createLoop({ name: "spool", everyMs: EVERY_MS, log: deps.log, run: () => deps.records.replay() });
