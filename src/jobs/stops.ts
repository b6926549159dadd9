import type { StopWatch } from "../flows/stopping.ts";
import type { Logger } from "../model/log.ts";
import { createLoop, type Loop } from "./loop.ts";

/** A stop is felt within five seconds on every gateway: this, and what a query may take. */
const EVERY_MS = 2_000;

/** Looks whom the kill switch was turned on. */
export const createStopsJob = (deps: { readonly watch: StopWatch; readonly log: Logger }): Loop =>
  createLoop({ name: "stops", everyMs: EVERY_MS, log: deps.log, run: () => deps.watch.refresh() });
