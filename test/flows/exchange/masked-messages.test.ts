import { afterAll, expect, test } from "vitest";
import { GatewayError } from "../../../src/errors.ts";
import { createMaskTally } from "../../../src/flows/exchange/mask-messages.ts";
import { createMessageMasks, type MaskElsewhere } from "../../../src/flows/exchange/masked-messages.ts";
import { createScanPool } from "../../../src/flows/scanning/scan-in-workers.ts";
import type { Message } from "../../../src/model/exchange.ts";
import { createScanner } from "../../../src/secrets/scanner.ts";
import { builtin, secrets } from "../../secrets/builtin-rules.ts";

const key = new Uint8Array(32).fill(7);
const scanner = createScanner(builtin, key);
const mask = (text: string) => scanner.mask(text);
const pool = createScanPool({ rules: builtin.rules, key, threads: 1, budgetMs: 60_000 });
afterAll(() => pool.close());

const filler = "all of this is harmless\n".repeat(8_000);
const long: Message = {
  role: "tool",
  parts: [
    { type: "tool_result", id: "call-1", text: JSON.stringify({ output: `${filler}${secrets.awsKey}\n` }) },
    { type: "tool_call", id: secrets.npm, name: "run", arguments: JSON.stringify({ token: secrets.slack }) },
    { type: "opaque", kind: "image", text: secrets.githubValid },
  ],
};
const short: Message = { role: "user", parts: [{ type: "text", text: `my key is ${secrets.awsKey}` }] };

async function masked(list: readonly Message[], maskElsewhere?: MaskElsewhere) {
  const masks = createMessageMasks({ mask, key, ...(maskElsewhere === undefined ? {} : { maskElsewhere }) });
  const tally = createMaskTally(mask);
  const messages = await masks.mask(list, tally);
  const again = createMaskTally(mask);
  expect(await masks.mask(list, again)).toEqual(messages);
  expect(again.counts).toEqual(tally.counts);
  return { messages, counts: tally.counts };
}

test("long messages are masked in a thread, as they would be here; short ones are not handed over", async () => {
  const asked: number[] = [];
  const there = await masked([short, long, short], (messages) => {
    asked.push(messages.length);
    return pool.maskMessages(messages);
  });
  expect(there).toEqual(await masked([short, long, short]));
  expect(asked).toEqual([1]);
  expect(JSON.stringify(there.messages)).toContain("all of this is harmless");
  for (const secret of Object.values(secrets)) expect(JSON.stringify(there.messages)).not.toContain(secret);
});

test("what could not be looked through is not kept, and nothing hangs", async () => {
  const { messages, counts } = await masked([long, short], () =>
    Promise.reject(new GatewayError("inspection_failed", "Looking for secrets took more than 20 seconds")),
  );
  const text = JSON.stringify(messages);
  expect(text).not.toContain("harmless");
  for (const secret of Object.values(secrets)) expect(text).not.toContain(secret);
  expect(messages[0]?.parts).toEqual([
    { type: "tool_result", id: "⟦not-scanned:time⟧", text: "⟦not-scanned:time⟧" },
    { type: "tool_call", id: "⟦not-scanned:time⟧", name: "⟦not-scanned:time⟧", arguments: "⟦not-scanned:time⟧" },
    { type: "opaque", kind: "⟦not-scanned:time⟧", text: "⟦not-scanned:time⟧" },
  ]);
  expect(counts).toMatchObject({ "not-scanned": 1, "aws-access-key": 1 });
});

test("of short messages, too, no more is remembered than there is room for: the one longest not asked for is masked anew", async () => {
  let asked = 0;
  const counting = (text: string) => {
    asked += 1;
    return mask(text);
  };
  const masks = createMessageMasks({ mask: counting, key, mostRemembered: 20 * 1024 });
  const list = Array.from({ length: 40 }, (_, at): Message => ({
    role: "user",
    parts: [{ type: "text", text: `no ${at}` }],
  }));
  const first = await masks.mask(list, createMaskTally(mask));
  const after = asked;
  expect(await masks.mask(list.slice(-15), createMaskTally(mask))).toEqual(first.slice(-15));
  expect(asked).toBe(after);
  expect(await masks.mask(list.slice(0, 1), createMaskTally(mask))).toEqual(first.slice(0, 1));
  expect(asked).toBe(after + 1);
});
