import type { SessionLink } from "../model/attribution.ts";
import type { AddedLines } from "./added-lines.ts";
import { BLANK } from "./fingerprints.ts";
import type { ChainEvidence } from "./chains.ts";
import type { PathRelation } from "./paths.ts";

/** Content shows that text is equal, not that it was taken from there: nothing is certain. */
const CEILING = 0.98;
/** How far a chain can be trusted at most. Where the edit named another file, equal text is more often a copy. */
const TRUST: Readonly<Record<PathRelation, number>> = { same: CEILING, unknown: 0.95, other: 0.85 };
/** A commit of which a session explains little is linked less firmly than one that it explains as a whole. */
const COVERAGE_SHARE = 0.2;
const MAX_EXCHANGES = 100;

const round = (value: number): number => Math.round(value * 1_000) / 1_000;

/**
 * How sure a chain is, 0..1: half way at half of the threshold, and every further threshold's worth of evidence takes away three quarters
 * of what doubt is left. A scale, not a probability: it is not calibrated yet.
 */
export const scoreChain = (weight: number, relation: PathRelation, threshold: number): number =>
  round(TRUST[relation] * (1 - 0.25 ** (weight / threshold)));

/**
 * The sessions that a commit's chains lead to, best first. Confidence: the doubts of a session's chains multiplied, four fifths of
 * it firm and one fifth in proportion to the share of the added lines (blank ones aside) that the session explains.
 */
export function linkSessions(lines: AddedLines, owner: Int32Array, chains: readonly ChainEvidence[]): SessionLink[] {
  let added = 0;
  const explained = new Map<string, number>();
  for (let position = 0; position < lines.length; position++) {
    if (lines.hash[position] === BLANK) continue;
    added += 1;
    const session = chains[owner[position]!]?.sessionId;
    if (session !== undefined) explained.set(session, (explained.get(session) ?? 0) + 1);
  }
  const doubts = new Map<string, number>();
  const weights = new Map<string, Map<string, number>>();
  for (const { sessionId, exchangeId, score, weight } of chains) {
    doubts.set(sessionId, (doubts.get(sessionId) ?? 1) * (1 - score));
    const exchanges = weights.get(sessionId) ?? new Map<string, number>();
    weights.set(sessionId, exchanges.set(exchangeId, (exchanges.get(exchangeId) ?? 0) + weight));
  }
  return [...doubts]
    .map(([sessionId, doubt]): SessionLink => {
      const coverage = (explained.get(sessionId) ?? 0) / added;
      return {
        sessionId,
        reason: "content",
        confidence: round(Math.min(CEILING, 1 - doubt) * (1 - COVERAGE_SHARE * (1 - coverage))),
        exchangeIds: [...(weights.get(sessionId) ?? [])]
          .sort(([a, left], [b, right]) => right - left || (a < b ? 1 : -1))
          .slice(0, MAX_EXCHANGES)
          .map(([exchangeId]) => exchangeId),
      };
    })
    .sort((a, b) => b.confidence - a.confidence || (a.sessionId < b.sessionId ? 1 : -1));
}
