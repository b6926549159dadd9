/** A small, repeatable part of `npm run fuzz`: what must hold for mutated real pushes (test/fuzz/). */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { startGitUpstream } from "../fixtures/git-upstream.ts";
import { fuzzCodecs } from "./fuzz/codecs.ts";
import { makeCorpus } from "./fuzz/corpus.ts";
import { fuzzPushes } from "./fuzz/pushes.ts";

test("mutated bytes through every codec: the same whole and cut, and no error but ours", async () => {
  const root = await mkdtemp(path.join(tmpdir(), "sallyport-fuzz-"));
  const upstream = await startGitUpstream({ root: path.join(root, "upstream"), recordBodies: true });
  try {
    const corpus = await makeCorpus(upstream, root, 1, ["sha1"]);
    const { violations, codecs, inputs } = await fuzzCodecs(corpus, { seed: 1, count: 1_000 });
    expect(violations).toEqual([]);
    expect(inputs).toBe(1_000);
    // Neither is everything refused, nor everything read.
    expect(Object.values(codecs).reduce((sum, { read }) => sum + read, 0)).toBeGreaterThan(100);
    expect(Object.values(codecs).reduce((sum, { refused }) => sum + refused, 0)).toBeGreaterThan(100);
  } finally {
    await upstream.stop();
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
});

test("mutated pushes through git and inspection: what is accepted is what real git delivers, and was read", async () => {
  const result = await fuzzPushes({ seed: 1, count: 40, formats: ["sha1"] });
  expect(result.violations).toEqual([]);
  expect(result.inputs).toBe(40);
  expect(result.reached.pack).toBeGreaterThan(15);
  expect(result.taken).toBeGreaterThan(5);
});
