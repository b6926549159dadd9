import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createKeywordAutomaton } from "../../src/secrets/keywords.ts";

const letters = (maxLength: number) => fc.string({ unit: fc.constantFrom("a", "b", "A", "B", "-", "é"), maxLength });
const ascii = fc.string({ unit: fc.constantFrom("a", "b", "A", "B", "-"), minLength: 1, maxLength: 4 });

/** Every occurrence by its place, found the slow way. */
function occurrences(words: readonly string[], text: string): string[] {
  const folded = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return words
    .flatMap((word, index) =>
      Array.from({ length: folded.length }, (_, at) => at).flatMap((at) =>
        folded.startsWith(word.toLowerCase(), at) ? [`${index}@${at}`] : [],
      ),
    )
    .sort();
}

test("finds every occurrence of every keyword, in parts as well, and knows what may still become one", () => {
  fc.assert(
    fc.property(fc.array(ascii, { minLength: 1, maxLength: 6 }), letters(40), fc.nat(40), (words, text, cut) => {
      const automaton = createKeywordAutomaton(words);
      const hits: string[] = [];
      const first = text.slice(0, cut);
      let state = automaton.scan(first, 0, 0, (word, at) => hits.push(`${word}@${at}`));
      const pending = automaton.pendingLength(state);
      const folded = first.toLowerCase();
      const beginnings = words.flatMap((word) => word.split("").map((_, i) => word.toLowerCase().slice(0, i + 1)));
      expect(pending).toBe(Math.max(0, ...beginnings.filter((b) => folded.endsWith(b)).map((b) => b.length)));
      state = automaton.scan(text, first.length, state, (word, at) => hits.push(`${word}@${at}`));
      expect(hits.sort()).toEqual(occurrences(words, text));
    }),
    { numRuns: 500 },
  );
});

test("no keywords, no hits", () => {
  const automaton = createKeywordAutomaton([]);
  expect(automaton.scan("abc", 0, 0, () => expect.unreachable())).toBe(0);
});
