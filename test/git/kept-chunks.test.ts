import { expect, test } from "vitest";
import { KeptChunks } from "../../src/git/kept-chunks.ts";

const MIB = 1024 * 1024;

test("a push keeps 8 MiB, all pushes together 64 MiB, and what is released is there for others", () => {
  const all = Array.from({ length: 9 }, () => new KeptChunks());
  try {
    const [first, ...others] = all;
    expect(first?.put(Buffer.alloc(8 * MIB))).toBe(true);
    expect(first?.put(Buffer.alloc(1))).toBe(false);
    expect(first?.chunks).toHaveLength(1);
    expect(others.map((kept) => kept.put(Buffer.alloc(8 * MIB)))).toEqual([...Array(7).fill(true), false]);
    first?.release();
    expect(first?.chunks).toEqual([]);
    expect(others.at(-1)?.put(Buffer.alloc(8 * MIB))).toBe(true);
  } finally {
    for (const kept of all) kept.release();
  }
});

test("what is kept is a copy: the next chunk may come in the same memory", () => {
  const kept = new KeptChunks();
  const chunk = Buffer.from("first");
  kept.put(chunk);
  chunk.write("other");
  expect(String(kept.chunks[0])).toBe("first");
  kept.release();
});
