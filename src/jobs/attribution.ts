import type { AttributionFlow } from "../flows/attribution.ts";
import type { Logger } from "../model/log.ts";
import { createLoop, type Loop } from "./loop.ts";

/** Rounds are also begun by every delivery; this is for what other gateways delivered, or left when they stopped. */
const EVERY_MS = 5_000;

/** So long it may be put off by pushes that come one after the other. */
const PATIENCE_MS = 30_000;

export interface AttributionJobOptions {
  readonly attribution: AttributionFlow;
  /** Whether somebody waits for the processor: links can wait, their push cannot. */
  readonly isBusy: () => boolean;
  readonly log: Logger;
  readonly now: () => Date;
}

/** Links the commits of delivered pushes to the sessions they came from. */
export function createAttributionJob(deps: AttributionJobOptions): Loop {
  let lastAt = deps.now().getTime();
  const loop = createLoop({
    name: "attribution",
    everyMs: EVERY_MS,
    log: deps.log,
    run: async () => {
      const now = deps.now().getTime();
      if (deps.isBusy() && now - lastAt < PATIENCE_MS) return;
      lastAt = now;
      // One batch a round: a gateway that stops waits for the round under way, not for the whole backlog.
      if ((await deps.attribution.attributePending()) > 0) loop.wake();
    },
  });
  return loop;
}
