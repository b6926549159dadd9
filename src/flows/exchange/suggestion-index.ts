/** What a finished exchange adds to the index of suggestions, in which the lines of commits are looked up later (flows/attribution.ts). */
import { createLineHasher, lineWeight, packHashes } from "../../attribution/fingerprints.ts";
import type { SuggestionRow } from "../../store/suggestions.ts";
import type { FinishedExchange } from "./record.ts";

/** Bounds for what one answer can put into the index; no model writes as much. */
const MAX_BLOCKS_PER_EXCHANGE = 500;
const MAX_LINES_PER_BLOCK = 20_000;

/** @param key keys the fingerprints; the same for every gateway of a database, and over restarts */
export function createSuggestionIndex(key: Uint8Array): (exchange: FinishedExchange) => readonly SuggestionRow[] {
  const hashLine = createLineHasher(key);
  return ({ exchangeId, sessionId, principalId, finishedAt, suggestions }) =>
    suggestions.slice(0, MAX_BLOCKS_PER_EXCHANGE).flatMap(({ path, kind, lines }, ordinal) => {
      // A block of brackets alone can anchor nothing.
      if (!lines.some((line) => lineWeight(line) > 0)) return [];
      const lineHashes = packHashes(lines.slice(0, MAX_LINES_PER_BLOCK).map(hashLine));
      return [{ exchangeId, ordinal, sessionId, principalId, path, kind, lineHashes, suggestedAt: finishedAt }];
    });
}
