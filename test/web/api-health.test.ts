import { describe, expect, it } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { insertOutbox } from "../../src/store/outbox.ts";
import { createHealthRoutes } from "../../src/web/health.ts";
import { testDatabase } from "../harness/database.ts";
import { sampleRequest } from "../notify/sample-message.ts";
import { addHold, addPerson, addPush, silentLog } from "./api-fixtures.ts";

const healthOf = (db: Database) =>
  createHealthRoutes({ db, version: "1", recordsWaiting: async () => 0, log: silentLog, now: () => new Date() });

describe("health", () => {
  it("is alive and ready while the database answers, and alive but not ready when it does not", async () => {
    const handle = await testDatabase();
    const health = healthOf(handle.db);
    const statuses = async () =>
      Promise.all(["/healthz", "/readyz", "/metrics"].map(async (path) => (await health.request(path)).status));
    expect(await statuses()).toEqual([200, 200, 200]);
    await handle.close();
    expect(await statuses()).toEqual([200, 503, 200]);
  });
});

describe("metrics", () => {
  it("count what is there, in Prometheus' text format", async () => {
    const { db } = await testDatabase();
    const alice = await addPerson(db, "alice@example.com");
    await addPush(db, alice);
    await addPush(db, alice);
    await addHold(db, alice);
    const { kind, ...payload } = sampleRequest();
    const createdAt = new Date(Date.now() - 60_000);
    await db.transaction((tx) => insertOutbox(tx, [{ notifier: "slack", kind, payload, createdAt }]));
    const health = createHealthRoutes({
      db,
      version: "1.2.3",
      recordsWaiting: async () => 3,
      log: silentLog,
      now: () => new Date(),
    });
    const response = await health.request("/metrics");
    expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    const text = await response.text();
    for (const line of [
      'sallyport_info{version="1.2.3"} 1',
      "sallyport_database_up 1",
      "sallyport_records_waiting 3",
      'sallyport_pushes{status="delivered"} 2',
      'sallyport_pushes{status="held"} 1',
      "sallyport_outbox_pending 1",
      "sallyport_outbox_failed 0",
      "# TYPE process_resident_memory_bytes gauge",
    ]) {
      expect(text.split("\n")).toContain(line);
    }
    expect(Number(/^sallyport_outbox_oldest_pending_seconds (.*)$/m.exec(text)?.[1])).toBeGreaterThan(59);
    for (const line of text.trimEnd().split("\n")) {
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"\})? \d+(\.\d+)?(e[+-]?\d+)?)$/);
    }
    expect(text).not.toContain("alice");
  });

  it("say that the database is away instead of failing", async () => {
    const handle = await testDatabase();
    await handle.close();
    const health = healthOf(handle.db);
    const text = await (await health.request("/metrics")).text();
    expect(text).toContain("sallyport_database_up 0");
    expect(text).not.toContain("sallyport_pushes{");
  });
});
