import type { AttributionFlow } from "../flows/attribution.ts";
import type { Logger } from "../model/log.ts";
import { createLoop, type Loop } from "./loop.ts";

/** Rounds are also begun by every delivery; this is for what other gateways delivered, or left when they stopped. */
const EVERY_MS = 5_000;

/** Links the commits of delivered pushes to the sessions they came from. */
export function createAttributionJob(deps: { readonly attribution: AttributionFlow; readonly log: Logger }): Loop {
  const loop = createLoop({
    name: "attribution",
    everyMs: EVERY_MS,
    log: deps.log,
    run: async () => {
      // One batch a round: a gateway that stops waits for the round under way, not for the whole backlog.
      if ((await deps.attribution.attributePending()) > 0) loop.wake();
    },
  });
  return loop;
}
