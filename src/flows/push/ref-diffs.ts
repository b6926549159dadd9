import { readRefDiff } from "../../git/diff.ts";
import type { Scanner } from "../../secrets/scanner.ts";
import type { NewRefDiff } from "../../store/pushes.ts";
import { maskDiff } from "./mask-diff.ts";
import type { PushReading } from "./reading.ts";

const DIFF_BYTES = 1024 * 1024;

/** What an approver sees: the diff of each ref's whole old..new, masked, bounded. @param isOf which refs */
export async function readRefDiffs(
  reading: PushReading,
  scanner: Scanner,
  isOf: (ref: string) => boolean,
): Promise<NewRefDiff[]> {
  const diffs: NewRefDiff[] = [];
  const withFindings = new Set(reading.facts.findings.map(({ path }) => path));
  for (const { update, kind } of reading.facts.refs) {
    if (kind === "delete" || !isOf(update.ref)) continue;
    const { text, truncated } = await readRefDiff(reading.objects, update, DIFF_BYTES);
    diffs.push({
      ref: scanner.maskName(update.ref),
      diff: maskDiff(text, scanner, (path) => withFindings.has(path)),
      truncated,
    });
  }
  return diffs;
}
