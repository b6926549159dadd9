/** What breaks within the gateway itself, after a record has begun. */
import { expect, test } from "vitest";
import { recordedExchanges, send, startGateway } from "../../copilot/gateway.ts";

test("an exchange that breaks within the gateway is answered and ended on record, and nothing of the failure is told", async () => {
  const gateway = await startGateway({
    mask: (text) => {
      if (text.includes("unforeseen")) throw new TypeError(text);
      return { text, counts: {} };
    },
    sent: {
      prompts: "pass",
      answers: "mask",
      find: () => [],
      maskStream: () => ({ push: (text) => text, end: () => "" }),
    },
  });
  gateway.upstream.respond({ text: ["something unforeseen"] });
  const body = { model: "gpt-4.1", messages: [{ role: "user", content: "Go" }] };
  const reply = await send(`${gateway.api}/chat/completions`, { body });
  expect(reply.status).toBe(500);
  expect(reply.text).not.toContain("unforeseen");
  const [row] = await recordedExchanges(gateway.db);
  expect(row).toMatchObject({ status: "upstream_failed", error: "The gateway failed while it handled this exchange." });
  expect(JSON.stringify(gateway.log)).not.toContain("unforeseen");
  // The next one finds everything as it was.
  gateway.upstream.respond({ text: ["fine"] });
  expect((await send(`${gateway.api}/chat/completions`, { body })).status).toBe(200);
});
