import { sql } from "drizzle-orm";
import { expect, onTestFinished, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { createSignals, type Signals } from "../../src/store/signals.ts";
import { testDatabase } from "../harness/database.ts";

const LONG = 120_000;
/** Longer than a signal takes, so that its absence shows. */
const SHORT = 300;

function signalsOn(handle: { readonly url: string }): Signals {
  const signals = createSignals(handle);
  onTestFinished(() => signals.close());
  return signals;
}

/** A first wait ends as soon as the connection listens. */
const listening = (signals: Signals) => signals.wait("test", "listening", { timeoutMs: LONG });

test("a signal of one gateway wakes those who wait for it in another, and nobody else", async () => {
  const database = await testDatabase();
  const [here, there] = [signalsOn(database), signalsOn(database)];
  expect(await listening(there)).toBe(true);
  const awaited = there.wait("approval", "1", { timeoutMs: LONG });
  const other = there.wait("approval", "2", { timeoutMs: SHORT });
  await here.notify(database.db, "approval", "1");
  expect(await awaited).toBe(true);
  expect(await other).toBe(false);
});

test("a signal goes out when its transaction commits, and never if it rolls back", async () => {
  const database = await testDatabase();
  const signals = signalsOn(database);
  await listening(signals);
  const undone = signals.wait("approval", "undone", { timeoutMs: SHORT });
  const done = signals.wait("approval", "done", { timeoutMs: LONG });
  const events: string[] = [];
  void done.then(() => events.push("woken"));
  await expect(
    database.db.transaction(async (tx) => {
      await signals.notify(tx, "approval", "undone");
      throw new Error("no");
    }),
  ).rejects.toThrow("no");
  await database.db.transaction(async (tx) => {
    await signals.notify(tx, "approval", "done");
    await tx.execute(sql`select pg_sleep(0.1)`);
    events.push("committing");
  });
  expect(await done).toBe(true);
  expect(events).toEqual(["committing", "woken"]);
  expect(await undone).toBe(false);
});

test("after the connection is lost everyone is told to look again, and signals arrive again", async () => {
  const database = await testDatabase();
  const signals = signalsOn(database);
  await listening(signals);
  const during = signals.wait("approval", "1", { timeoutMs: LONG });
  await database.db.execute(
    sql`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'sallyport-signals' and datname = current_database()`,
  );
  expect(await during).toBe(true);
  const after = signals.wait("approval", "1", { timeoutMs: LONG });
  await signals.notify(database.db, "approval", "1");
  expect(await after).toBe(true);
});

test("a database that is away at first is found when it comes back", async () => {
  const database = await testDatabase();
  const name = new URL(database.url).pathname.slice(1);
  const admin = new URL(database.url);
  admin.pathname = "/template1";
  const handle = openDatabase(admin.href, { max: 1 });
  onTestFinished(() => handle.close());
  await handle.sql.unsafe(`alter database ${name} with allow_connections false`);
  const signals = signalsOn(database);
  expect(await signals.wait("test", "away", { timeoutMs: SHORT })).toBe(false);
  await handle.sql.unsafe(`alter database ${name} with allow_connections true`);
  expect(await listening(signals)).toBe(true);
});

test("who waits is released by abort and by close", async () => {
  const database = await testDatabase();
  const signals = createSignals(database);
  await listening(signals);
  const abort = new AbortController();
  const aborted = signals.wait("a", "b", { timeoutMs: LONG, signal: abort.signal });
  const closed = signals.wait("a", "c", { timeoutMs: LONG });
  abort.abort();
  expect(await aborted).toBe(false);
  await signals.close();
  expect(await closed).toBe(false);
  expect(await signals.wait("a", "d", { timeoutMs: LONG })).toBe(false);
});
