/** `/telemetry` at the gateway's root, where clients send it that drop the last segment of an address. */
import { expect, test } from "vitest";
import { listExchanges } from "../../src/store/exchanges.ts";
import { sharedWorld } from "../harness/world.ts";

const world = sharedWorld();

test("reports of somebody who signs in are on record as theirs, and go by the connection's policy", async () => {
  const ana = await world().person("ana@example.com", ["eng"]);
  const body = JSON.stringify([{ name: "n", data: { baseData: { properties: { prompt: "words" } } } }]);
  const answer = await ana.fetch("/telemetry", {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ itemsAccepted: 1 });
  const { items } = await listExchanges(world().database.db, {});
  expect(items).toMatchObject([
    { user: "ana@example.com", format: "telemetry", path: "/telemetry", status: "refused", refusal: "dropped" },
  ]);
  expect(world().copilot.requests.filter(({ url }) => url.startsWith("/telemetry"))).toEqual([]);
});
