import { afterAll, expect, test } from "vitest";
import { createScanPool } from "../../../src/flows/scanning/scan-in-workers.ts";
import { createScanner } from "../../../src/secrets/scanner.ts";
import { builtin, secrets } from "../../secrets/builtin-rules.ts";

const key = new Uint8Array(32).fill(7);
const pool = createScanPool({ rules: builtin.rules, key, threads: 2, budgetMs: 60_000 });
afterAll(() => pool.close());

test("threads find what the scanner finds", async () => {
  const scanner = createScanner(builtin, key);
  const texts = [
    { text: `a\nb ${secrets.awsKey}\n`, path: "a.txt" },
    { text: "nothing" },
    { text: `${secrets.slack} ${btoa(`id ${secrets.npm}`)}` },
  ];
  const found = await Promise.all([pool.find(texts), pool.find(texts.slice(1)), pool.find([])]);
  const expected = texts.map(({ text, path }) => scanner.find(text, path));
  expect(found).toEqual([expected, expected.slice(1), []]);
  expect(expected.map((list) => list.length)).toEqual([1, 0, 2]);
});
