import { expect, test } from "vitest";
import { NewReach, type ReachedObjects } from "../../../src/flows/push/new-reach.ts";

const id = (prefix: string, at: number): string => `${prefix} ${at}`;

/** A line of commits, each with the one before as its parent, and a tag on the last. */
const line = (count: number): ReachedObjects => {
  const commits = Array.from({ length: count }, (_, at) => id("c", at));
  return {
    commits,
    graph: new Map(
      commits.map((oid, at) => [oid, { parents: [at === 0 ? id("old", 0) : id("c", at - 1)], tree: id("t", at) }]),
    ),
    tags: [id("tag", 0)],
    tagTargets: new Map([[id("tag", 0), id("c", count - 1)]]),
    looseBlobs: [],
    looseNames: [],
  };
};

test("a ref reaches what lies below it, a tag also itself; what is old is no new object", () => {
  const reach = new NewReach(line(10));
  const isReached = reach.from(id("c", 4));
  expect([0, 4, 5, 9].map((at) => isReached(id("c", at)))).toEqual([true, true, false, false]);
  expect(isReached(id("tag", 0))).toBe(false);
  const byTag = reach.from(id("tag", 0));
  expect([id("tag", 0), id("c", 9), id("c", 0), id("old", 0)].map(byTag)).toEqual([true, true, true, false]);
  expect(reach.from(id("old", 0))(id("c", 0))).toBe(false);
});

test.each([1, 40, 1_000_000])(
  "with room for %i bytes the answers are the same, in any order of asking",
  (keptBytes) => {
    const count = 100;
    const reach = new NewReach(line(count), keptBytes);
    const answers = Array.from({ length: count }, (_, at) => reach.from(id("c", at)));
    for (const order of [answers.keys(), [...answers.keys()].toReversed(), [...answers.keys(), ...answers.keys()]]) {
      for (const at of order) {
        const isReached = answers[at];
        expect([isReached?.(id("c", at)), isReached?.(id("c", at + 1)), isReached?.(id("c", 0))]).toEqual([
          true,
          false,
          true,
        ]);
      }
    }
  },
);

test("ten thousand refs over ten thousand commits are held in a bounded room", () => {
  const count = 10_000;
  const reach = new NewReach(line(count));
  const before = process.memoryUsage().arrayBuffers;
  const answers = Array.from({ length: count }, (_, at) => reach.from(id("c", at)));
  // Every tenth of them, all with bits of their own: 12.5 MB for all.
  for (let at = 0; at < count; at += 1) if (at % 10 === 0 || at < 7_000) answers[at]?.(id("c", 0));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 1024 * 1024);
});
