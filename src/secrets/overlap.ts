/** Which of the secrets that overlap are told. */
import type { Severity } from "../model/finding.ts";
import type { Matcher } from "./candidate.ts";

/** Offsets count from the beginning of the whole text; `end` is Infinity where a block has no end within reach. */
export interface FoundSecret {
  readonly start: number;
  readonly end: number;
  /** Where the rule may match again. */
  readonly matchEnd: number;
  /** Of a block without an end only what lies within `blockReach`. */
  readonly secret: string;
  readonly severity: Severity;
  readonly matcher: Matcher;
  /** How it was encoded, behind the rule's description; empty for what stands there as it is. */
  readonly note: string;
}

/** Secrets that overlap one another, directly or in a chain, and those of them that are told, in order. */
export interface SecretGroup {
  readonly start: number;
  readonly end: number;
  readonly secrets: readonly FoundSecret[];
}

/** A chain of overlaps is cut here, so that no text can make a reader hold more. Wider than any single secret. */
const longestGroup = 131_072;

/** A block without an end comes first: whoever reads in parts has told it, and nothing after it, before the rest is there. */
const better = (a: FoundSecret, b: FoundSecret): number =>
  Number(b.end === Infinity) - Number(a.end === Infinity) ||
  Number(b.severity === "block") - Number(a.severity === "block") ||
  (a.end === b.end ? 0 : b.end - b.start - (a.end - a.start)) ||
  a.start - b.start ||
  a.note.length - b.note.length ||
  a.matcher.order - b.matcher.order;

/**
 * Adds what has been found behind the others. Of two with the same span only the better is ever told: whatever the one overlaps, so does the
 * other. Texts can be full of secrets that several rules know.
 */
export function addFound(found: FoundSecret[], secret: FoundSecret): void {
  const last = found.at(-1);
  if (last === undefined || last.start !== secret.start || last.end !== secret.end) found.push(secret);
  else if (better(secret, last) < 0) found[found.length - 1] = secret;
}

/**
 * @param found all secrets known so far that are not told yet, in any order.
 * @param horizon no secret that begins before this offset will be added.
 * @returns the groups that are complete, in order, and what remains to be decided, by start.
 */
export function chooseSecrets(
  found: readonly FoundSecret[],
  horizon: number,
  final: boolean,
): { chosen: SecretGroup[]; rest: FoundSecret[] } {
  // Once nothing is added any more, everything is settled.
  const settled = final ? Infinity : horizon;
  const byPlace = (a: FoundSecret, b: FoundSecret): number => a.start - b.start || better(a, b);
  let sorted = inOrder(found, byPlace) ? found : found.toSorted(byPlace);
  let from = 0;
  const chosen: SecretGroup[] = [];
  while (from < sorted.length && sorted[from]!.start < settled) {
    const start = sorted[from]!.start;
    let end = sorted[from]!.end;
    let to = from + 1;
    for (; to < sorted.length; to++) {
      const next = sorted[to]!;
      if (next.start >= end || next.start >= settled) break;
      if (next.end > end && next.end !== Infinity && next.end - start > longestGroup) break;
      end = Math.max(end, next.end);
    }
    // Without an end, nothing that comes can matter: it would lose to the block that swallows it.
    if (end !== Infinity && end > settled) break;
    chosen.push({ start, end, secrets: to === from + 1 ? [sorted[from]!] : chooseBest(sorted.slice(from, to)) });
    from = to;
    if (from < sorted.length && sorted[from]!.start < end) {
      sorted = sorted
        .slice(from)
        .flatMap((secret) => beyond(secret, end))
        .sort(byPlace);
      from = 0;
    }
  }
  return { chosen, rest: sorted.slice(from) };
}

function inOrder(list: readonly FoundSecret[], compare: (a: FoundSecret, b: FoundSecret) => number): boolean {
  for (let i = 1; i < list.length; i++) if (compare(list[i - 1]!, list[i]!) > 0) return false;
  return true;
}

/** What of a secret lies behind `end`: the chain was cut there. */
function beyond(secret: FoundSecret, end: number): FoundSecret[] {
  if (secret.start >= end) return [secret];
  if (secret.end <= end) return [];
  return [{ ...secret, start: end, secret: secret.secret.slice(end - secret.start) }];
}

/** Blocking before warning, long before short, early before late; each if it overlaps none that was chosen already. */
function chooseBest(group: readonly FoundSecret[]): FoundSecret[] {
  const kept: FoundSecret[] = [];
  for (const secret of group.toSorted(better)) {
    let low = 0;
    let high = kept.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (kept[middle]!.start < secret.start) low = middle + 1;
      else high = middle;
    }
    const before = kept[low - 1];
    const after = kept[low];
    if ((before === undefined || before.end <= secret.start) && (after === undefined || secret.end <= after.start)) {
      kept.splice(low, 0, secret);
    }
  }
  return kept;
}
