/** A small, repeatable part of `npm run fuzz`: what must hold for mutated real pushes (test/fuzz/). */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { startGitUpstream } from "../fixtures/git-upstream.ts";
import { fuzzCodecs } from "./fuzz/codecs.ts";
import { makeCorpus } from "./fuzz/corpus.ts";
import { fuzzPushes } from "./fuzz/pushes.ts";

const SHAPES = [
  "a line in a large file",
  "renames, modes, links and a submodule",
  "bytes that are no text",
  "a certificate",
];

test("mutated bytes through every codec: the same whole and cut, and no error but ours", async () => {
  const root = await mkdtemp(path.join(tmpdir(), "sallyport-fuzz-"));
  const upstream = await startGitUpstream({ root: path.join(root, "upstream"), recordBodies: true });
  try {
    const corpus = await makeCorpus(upstream, root, 1, { formats: ["sha1"], shapes: SHAPES });
    const { violations, codecs, inputs } = await fuzzCodecs(corpus, { seed: 1, count: 600 });
    expect(violations).toEqual([]);
    expect(inputs).toBe(600);
    // Neither is everything refused, nor everything read.
    expect(Object.values(codecs).reduce((sum, { read }) => sum + read, 0)).toBeGreaterThan(60);
    expect(Object.values(codecs).reduce((sum, { refused }) => sum + refused, 0)).toBeGreaterThan(60);
  } finally {
    await upstream.stop();
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
});

test("mutated pushes through git and inspection: what is accepted is what real git delivers, and was read", async () => {
  const result = await fuzzPushes({ seed: 1, count: 24, formats: ["sha1"], shapes: SHAPES });
  expect(result.violations).toEqual([]);
  expect(result.inputs).toBe(24);
  expect(result.reached.pack).toBeGreaterThan(8);
  expect(result.taken).toBeGreaterThan(3);
});
