import { setTimeout as sleep } from "node:timers/promises";
import { StoryError } from "./story-error.ts";

/** Longer than anything in the story takes on a busy machine; the whole story has half a minute. */
const PATIENCE_MS = 15_000;
const PAUSE_MS = 25;

/**
 * Asks again until there is an answer.
 * @throws StoryError when there is none in 15 s; what `signal` is aborted with
 */
export async function waitUntil<T>(
  expected: string,
  signal: AbortSignal,
  ask: () => Promise<T | null> | T | null,
): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    signal.throwIfAborted();
    const found = await ask();
    if (found !== null) return found;
    if (Date.now() > deadline) throw new StoryError(expected, `nothing of it in ${PATIENCE_MS / 1000} s`);
    await sleep(PAUSE_MS, undefined, { signal });
  }
}
