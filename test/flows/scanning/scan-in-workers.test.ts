import { afterAll, expect, test } from "vitest";
import { createScanPool } from "../../../src/flows/scanning/scan-in-workers.ts";
import type { Message } from "../../../src/model/exchange.ts";
import { createMaskTally } from "../../../src/flows/exchange/mask-messages.ts";
import { createScanner } from "../../../src/secrets/scanner.ts";
import { builtin, secrets } from "../../secrets/builtin-rules.ts";

const key = new Uint8Array(32).fill(7);
const scanner = createScanner(builtin, key);
const pool = createScanPool({ rules: builtin.rules, key, threads: 2, budgetMs: 60_000 });
afterAll(() => pool.close());

test("threads find what the scanner finds, and mask it where it is wanted", async () => {
  const texts = [
    { text: `a\nb ${secrets.awsKey}\n`, path: "a.txt", isKept: true },
    { text: "nothing", isKept: true },
    { text: `${secrets.slack} ${btoa(`id ${secrets.npm}`)}` },
  ];
  const found = await Promise.all([pool.scan(texts), pool.scan(texts.slice(1)), pool.scan([])]);
  const expected = texts.map(({ text, path, isKept }) => {
    const found = scanner.find(text, path);
    return { secrets: found, masked: isKept === true && found.length > 0 ? scanner.maskLines(text, path) : null };
  });
  expect(found).toEqual([expected, expected.slice(1), []]);
  expect(expected.map(({ secrets }) => secrets.length)).toEqual([1, 0, 2]);
  expect(expected[0]?.masked).toMatch(/^a\nb ⟦aws-access-key:[0-9a-f]{8}⟧\n$/);
});

test("threads mask messages as the record does", async () => {
  const messages: readonly Message[] = [
    { role: "user", parts: [{ type: "text", text: `my key is ${secrets.awsKey}` }] },
    {
      role: "assistant",
      parts: [{ type: "tool_call", id: "1", name: "run", arguments: JSON.stringify({ token: secrets.npm }) }],
    },
  ];
  const tally = createMaskTally((text) => scanner.mask(text));
  const expected = tally.messages(messages);
  expect(await pool.maskMessages(messages)).toEqual({ messages: expected, counts: tally.counts });
  expect(JSON.stringify(expected)).not.toContain(secrets.awsKey);
  expect(Object.keys(tally.counts)).toHaveLength(2);
});
