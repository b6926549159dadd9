/** Records while PostgreSQL is not there: a real server, stopped and started again under the gateway. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openDiskSpool } from "../../src/blobs/disk-spool.ts";
import { openDatabase } from "../../src/store/database.ts";
import { findExchangeMessages } from "../../src/store/messages.ts";
import { migrateDatabase } from "../../src/store/migrate.ts";
import { findEmbeddedBinaries } from "../../src/store/postgres/binaries.ts";
import { clusterUrl, startServer, stopServer } from "../../src/store/postgres/cluster.ts";
import {
  dumpDatabase,
  recordedExchanges,
  SECRETS,
  send,
  startGateway,
  type GatewayOptions,
} from "../copilot/gateway.ts";
import { embeddedDataDir } from "../harness/database.ts";

const SESSION = { "x-client-session-id": "5bc86a02-a597-468d-a676-17550f434bc5" };
const POSTS = "/chat/completions";
const ask = (content: string, more: object = {}) => ({ model: "m", messages: [{ role: "user", content }], ...more });
const PATIENCE = { interval: 100 };

/** A PostgreSQL of the test's own, and a gateway before it. */
async function setUp(options: Pick<GatewayOptions, "policy" | "limits">) {
  const dataDir = await embeddedDataDir();
  const home = path.join(dataDir, "postgres");
  const binaries = await findEmbeddedBinaries(path.join(dataDir, "links"));
  let port: number | null = null;
  let pid: number | null = null;
  const start = async () => {
    const logFile = path.join(dataDir, "postgres.log");
    const server = await startServer({ binaries, home, preferredPort: port, logFile, detached: false });
    ({ pid, port } = server);
  };
  const stop = async () => {
    if (pid !== null) await stopServer(pid);
    pid = null;
  };
  await start();
  const spoolDir = await mkdtemp(path.join(tmpdir(), "sallyport-spool-"));
  const spool = await openDiskSpool(spoolDir, 1_000_000);
  const handle = openDatabase(await clusterUrl(home, port ?? 0), { max: 4 });
  onTestFinished(async () => {
    await spool.close();
    await handle.close().catch(() => {});
    await stop();
    await rm(spoolDir, { recursive: true, force: true });
  });
  await migrateDatabase(handle);
  const gateway = await startGateway({ ...options, database: handle, spool });
  /** Until the database is back, replaying fails. */
  const everythingReplayed = async (): Promise<void> => {
    await expect
      .poll(
        () =>
          gateway.records.replay().then(
            () => spool.size,
            () => -1,
          ),
        PATIENCE,
      )
      .toBe(0);
  };
  return { gateway, start, stop, spool, everythingReplayed };
}

test("spool: exchanges go on, masked on the disk; afterwards all of them are in the database, once, in their order", async () => {
  const { gateway, start, stop, spool, everythingReplayed } = await setUp({
    policy: { databaseAway: "spool" },
    limits: { beginMs: 2_000 },
  });
  gateway.upstream.respondAlways(({ json }) => ({ text: `Answer to ${JSON.stringify(json).length}` }));
  expect((await send(`${gateway.api}${POSTS}`, { headers: SESSION, body: ask("before") })).status).toBe(200);

  // One is under way when the server goes.
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  gateway.upstream.respond({ text: ["one ", "two"], beforeChunk: (index) => (index === 2 ? held : undefined) });
  const running = send(`${gateway.api}${POSTS}`, { headers: SESSION, body: ask("while", { stream: true }) });
  await expect.poll(() => gateway.upstream.requests.length).toBe(2);
  await stop();
  release();
  expect((await running).broken).toBe(false);

  const secret = SECRETS.join(" and ");
  for (const word of ["first", "second"]) {
    expect((await send(`${gateway.api}${POSTS}`, { headers: SESSION, body: ask(`${word} ${secret}`) })).status).toBe(
      200,
    );
  }
  // A refusal waits, too.
  expect((await send(`${gateway.api}${POSTS}`, { body: Buffer.from("no JSON") })).status).toBe(400);
  expect(spool.size).toBeGreaterThan(0);
  await expect(gateway.records.replay()).rejects.toBeInstanceOf(Error);

  await start();
  await everythingReplayed();
  const rows = await recordedExchanges(gateway.db);
  expect(rows.map(({ status }) => status)).toEqual(["complete", "complete", "complete", "complete", "refused"]);
  expect(new Set(rows.slice(0, 4).map(({ sessionId }) => sessionId)).size).toBe(1);
  const said = await Promise.all(rows.map(({ id }) => findExchangeMessages(gateway.db, id)));
  expect(said.slice(0, 4).map(({ request }) => JSON.stringify(request.at(-1)).slice(0, 60))).toEqual(
    ["before", "while", "first", "second"].map((word) => expect.stringContaining(word)),
  );
  expect(JSON.stringify(said[1]?.response)).toContain("one two");
  const dump = await dumpDatabase(gateway.db);
  for (const planted of SECRETS) expect(dump).not.toContain(planted);
  // Whichever way they came, all are indexed, and no more than that: one whose end could not be written is made ready once more.
  const indexed = new Set(gateway.finished.map(({ exchangeId }) => exchangeId));
  expect([...indexed]).toEqual(rows.slice(0, 4).map(({ id }) => id));
});

test("refuse: nothing is sent that cannot be recorded; what was under way is not lost", async () => {
  const { gateway, start, stop, everythingReplayed } = await setUp({ limits: { beginMs: 2_000, settleMs: 1_000 } });
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  gateway.upstream.respond({ text: ["one ", "two"], beforeChunk: (index) => (index === 2 ? held : undefined) });
  const running = send(`${gateway.api}${POSTS}`, { headers: SESSION, body: ask("while", { stream: true }) });
  await expect.poll(() => gateway.upstream.requests.length).toBe(1);
  await stop();
  expect((await send(`${gateway.api}${POSTS}`, { body: ask("away") })).status).toBe(503);
  expect(gateway.upstream.requests).toHaveLength(1);
  release();
  expect((await running).text).toContain("[DONE]");

  await start();
  await everythingReplayed();
  const [row] = await recordedExchanges(gateway.db);
  expect(row).toMatchObject({ status: "complete" });
  expect((await findExchangeMessages(gateway.db, row?.id ?? "")).response).toEqual([
    { role: "assistant", parts: [{ type: "text", text: "one two" }] },
  ]);
});
