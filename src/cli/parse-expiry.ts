import { parseDuration } from "../model/duration.ts";
import { UsageError } from "./command.ts";

/** A thousand years are a typing mistake, and more than a date can hold is a crash. */
const LONGEST_EXPIRY_MS = 3_650 * 86_400_000;

/** The time that `--expires` means. @throws UsageError */
export function parseExpiry(text: string, now: Date): Date {
  const ms = parseDuration(text);
  if (ms === null || ms === 0) throw new UsageError("--expires needs a duration such as 12h or 30d");
  if (ms > LONGEST_EXPIRY_MS) throw new UsageError("--expires is ten years at most; leave it out for what never does");
  return new Date(now.getTime() + ms);
}
