/** Long sessions, on the page: what stands where, however long they are. */
import { expect, test } from "vitest";
import { createAgent } from "../harness/agent.ts";
import { sharedWorld } from "../harness/world.ts";
import { findReplay } from "../../src/store/replay.ts";

const world = sharedWorld();

test("a session of many exchanges comes in pages: numbers go on, results stay with their calls, and turns keep their names", async () => {
  const { db } = world().database;
  const ana = await world().person("ana@example.com", ["eng"]);
  const agent = createAgent(world(), ana);
  const call = (index: number) => [{ name: "bash", arguments: { command: `echo ${index}` } }];
  await agent.step({ prompt: "Count.", answer: { toolCalls: call(0) } });
  for (let index = 1; index < 55; index += 1) {
    await agent.step({ results: [`result ${index - 1}`], answer: { toolCalls: call(index) } });
  }
  await agent.step({ results: ["the last result"], answer: { text: "Counted." } });
  const { items } = await ana.api("/api/v1/sessions");
  const session = String(items[0]?.["id"]);

  const all = await findReplay(db, session, (exchanges) => ({ from: 0, to: exchanges.length }));
  expect(all.exchanges).toHaveLength(56);
  expect(all.exchanges.filter(({ hasPrompt }) => hasPrompt)).toHaveLength(1);

  const { exchanges, transcript } = await findReplay(db, session, () => ({ from: 50, to: 56 }));
  expect(exchanges.filter(({ timing }) => timing.length > 0).length).toBeLessThanOrEqual(6);
  const read = new Set(transcript.map(({ exchangeId }) => exchangeId));
  // Those of the page, those just before, and the one whose prompt began the turn.
  expect(read.has(exchanges[55]?.id ?? "")).toBe(true);
  expect(read.has(exchanges[0]?.id ?? "")).toBe(true);
  expect(read.has(exchanges[20]?.id ?? "")).toBe(false);
  expect(transcript.find(({ role }) => role === "user")?.parts).toMatchObject([{ text: "Count.", length: 6 }]);
  const results = transcript.flatMap(({ parts }) =>
    parts.flatMap((part) => (part.type === "tool_result" ? [part.text] : [])),
  );
  expect(results).toContain("result 48");
  expect(results).toContain("the last result");
  expect(results).not.toContain("result 20");
});

test("texts are cut where they are read, and their lengths told", async () => {
  const { db } = world().database;
  const ben = await world().person("ben@example.com", ["eng"]);
  const agent = createAgent(world(), ben);
  await agent.step({ prompt: "x".repeat(50_000), answer: { text: ["y".repeat(30_000)], toolCalls: [] } });
  const { items } = await ben.api("/api/v1/sessions");
  const { transcript } = await findReplay(db, String(items[0]?.["id"]), () => ({ from: 0, to: 1 }));
  const lengths = transcript.flatMap(({ parts }) =>
    parts.flatMap((part) => (part.type === "text" ? [[part.text.length, part.length]] : [])),
  );
  expect(lengths).toContainEqual([20_000, 50_000]);
  expect(lengths).toContainEqual([20_000, 30_000]);
});
