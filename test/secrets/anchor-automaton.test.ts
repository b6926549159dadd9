import * as fc from "fast-check";
import { expect, test } from "vitest";
import { AnchorAutomaton } from "../../src/secrets/anchor-automaton.ts";

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

function readAll(automaton: AnchorAutomaton, words: readonly string[], text: string, from: number, state: number) {
  const found: string[] = [];
  let at = from;
  let last = state;
  while (at < text.length) {
    ({ to: at, state: last } = automaton.scan(text, at, last));
    for (let i = 0; i < automaton.hitCount; i += 2) {
      for (const word of automaton.endsIn(automaton.hits[i + 1]!)) {
        found.push(`${word}@${automaton.hits[i]! - words[word]!.length}`);
      }
    }
  }
  return { found, state: last };
}

test("finds every occurrence of every anchor, in parts as well, and knows what may still become one", () => {
  fc.assert(
    fc.property(fc.array(ascii, { minLength: 1, maxLength: 6 }), letters(40), fc.nat(40), (words, text, cut) => {
      const automaton = new AnchorAutomaton(words);
      const first = text.slice(0, cut);
      const begun = readAll(automaton, words, first, 0, 0);
      const folded = first.toLowerCase();
      const beginnings = words.flatMap((word) => word.split("").map((_, i) => word.toLowerCase().slice(0, i + 1)));
      const pending = Math.max(0, ...beginnings.filter((b) => folded.endsWith(b)).map((b) => b.length));
      expect(automaton.pendingLength(begun.state)).toBe(pending);
      const rest = readAll(automaton, words, text, first.length, begun.state);
      expect([...begun.found, ...rest.found].sort()).toEqual(occurrences(words, text));
    }),
    { numRuns: 500 },
  );
});

test("a text longer than a block", () => {
  const words = ["ab", "b"];
  const text = "xxab".repeat(20_000);
  expect(readAll(new AnchorAutomaton(words), words, text, 0, 0).found.sort()).toEqual(occurrences(words, text));
});

test("no anchors, no hits", () => {
  const automaton = new AnchorAutomaton([]);
  expect(automaton.scan("abc", 0, 0)).toEqual({ to: 3, state: 0 });
  expect(automaton.hitCount).toBe(0);
});
