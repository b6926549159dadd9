/** `kill -9` of a gateway with answers under way: what a client has the end of is on record, and what it has not is said to be open-ended. */
import { expect, test } from "vitest";
import { startWorld } from "../harness/world.ts";

const PATIENCE = { interval: 200 };

test("killed in the middle of answers: no finished exchange is lost, an open one is marked at the next start", async () => {
  const world = await startWorld({ process: true });
  const ana = await world.person("ana@example.com", ["eng"]);
  const never = new Promise<void>(() => {});
  world.copilot.respondAlways(({ json }) =>
    JSON.stringify(json).includes("forever")
      ? { text: ["one ", "two"], beforeChunk: (index) => (index === 2 ? never : undefined) }
      : { text: "A whole answer.", chunkMs: 1 },
  );
  const finished: string[] = [];
  const ask = async (prompt: string): Promise<void> => {
    const response = await ana.fetch("/copilot/copilot/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "m", stream: true, messages: [{ role: "user", content: prompt }] }),
    });
    const text = await response.text();
    if (text.includes("[DONE]")) finished.push(response.headers.get("x-github-request-id") ?? "");
  };
  const open = ask("forever").catch(() => {});
  // Others come and go all the time: the kill finds them at whatever they are doing.
  const coming = Array.from({ length: 8 }, async (_, lane) => {
    for (let at = 0; at < 200; at += 1) await ask(`prompt ${lane} ${at}`);
  });
  const gone = Promise.allSettled(coming);
  await expect.poll(() => finished.length, PATIENCE).toBeGreaterThan(20);
  await world.kill();
  await Promise.all([open, gone]);
  const acknowledged = [...finished];
  expect(acknowledged.length).toBeGreaterThan(20);
  expect(acknowledged.length).toBeLessThan(1_600);

  await world.restart();
  const rows = async () => world.database.sql<{ id: string; status: string; error: string | null }[]>`
      select id, status, error from exchanges order by id`;
  // The next start closes what it left open, and nothing else.
  await expect.poll(async () => (await rows()).filter(({ status }) => status === "open").length, PATIENCE).toBe(0);
  const all = await rows();
  const byId = new Map(all.map((row) => [row.id, row]));
  for (const id of acknowledged) expect(byId.get(id)).toMatchObject({ status: "complete", error: null });
  const others = all.filter(({ id }) => !acknowledged.includes(id));
  expect(others.length).toBeGreaterThan(0);
  for (const row of others) {
    // Finished on record, its last bytes on the way; or cut off, and said to be.
    if (row.status === "complete") continue;
    expect(row).toMatchObject({ status: "truncated", error: expect.stringContaining("gateway stopped") });
  }
  expect(all.some(({ status }) => status === "truncated")).toBe(true);
});
