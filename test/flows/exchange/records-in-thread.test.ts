/** The thread that keeps records against the same code in this one: what stands in the database afterwards must not tell which it was. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { RecordedAnswer } from "../../../src/copilot/answer-reader.ts";
import { findToolUses } from "../../../src/copilot/tools/find-tool-uses.ts";
import { NOTHING } from "../../../src/flows/exchange/outcome.ts";
import type { ExchangeEnd, ExchangeStart } from "../../../src/flows/exchange/record.ts";
import { startRecords } from "../../../src/flows/exchange/records-in-thread.ts";
import { createRecords, RECORD_LIMITS, type Records } from "../../../src/flows/exchange/records.ts";
import { createSuggestionIndex } from "../../../src/flows/exchange/suggestion-index.ts";
import { newId } from "../../../src/model/id.ts";
import type { LogFields, Logger } from "../../../src/model/log.ts";
import type { Principal } from "../../../src/model/principal.ts";
import { createScanner } from "../../../src/secrets/scanner.ts";
import { findExchangeMessages } from "../../../src/store/messages.ts";
import { principals } from "../../../src/store/schema.ts";
import { recordedExchanges } from "../../copilot/gateway.ts";
import { testDatabase } from "../../harness/database.ts";
import { builtin, secrets } from "../../secrets/builtin-rules.ts";

const KEY = new Uint8Array(32).fill(7);
const gateway = newId();

function logging() {
  const lines: string[] = [];
  const note = (_: LogFields, message: string): void => void lines.push(message);
  const log: Logger = { debug: note, info: note, warn: note, error: note };
  return { lines, log };
}

async function startThread(databaseUrl: string, log: Logger, limits = RECORD_LIMITS) {
  const directory = await mkdtemp(path.join(tmpdir(), "sallyport-records-"));
  const spool = { directory, maxBytes: 1_000_000 };
  const data = { rules: builtin.rules, key: KEY, databaseUrl, gateway, spool, limits, scanMs: 60_000 };
  const records = await startRecords(data, log);
  onTestFinished(async () => {
    await records.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { records, directory };
}

async function setUp() {
  const handle = await testDatabase();
  const id = newId();
  const ana: Principal = {
    id,
    issuer: "test",
    subject: "ana",
    email: "ana@example.com",
    kind: "person",
    groups: [],
    audiences: ["copilot"],
  };
  await handle.db
    .insert(principals)
    .values({ id, issuer: "test", subject: "ana", email: "ana@example.com", kind: "person" });
  return { handle, ana };
}

const startOf = (principal: Principal, more: Partial<ExchangeStart> = {}): ExchangeStart => ({
  id: newId(),
  principal,
  connection: "copilot",
  method: "POST",
  path: "/chat/completions",
  headers: { "user-agent": "copilot/1.0" },
  head: [],
  format: "chat-completions",
  model: "gpt-4.1",
  streamed: true,
  messages: [{ role: "user", parts: [{ type: "text", text: `Deploy with ${secrets.awsKey}` }] }],
  bodyConversation: null,
  grouping: "history",
  requestBytes: 100,
  requestMasked: false,
  startedAt: new Date("2026-01-02T03:04:05Z"),
  ...more,
});

/** Longer than what is masked in the thread itself. */
const LONG = `${"A line of a long file.\n".repeat(8_000)}${secrets.npm}`;
const ANSWER: RecordedAnswer = {
  messages: [
    {
      role: "assistant",
      parts: [
        { type: "text", text: LONG },
        {
          type: "tool_call",
          id: "1",
          name: "edit",
          arguments: JSON.stringify({ path: "src/a.ts", new_str: "const total = add(1, 2);" }),
        },
      ],
    },
  ],
  model: "gpt-4.1-2025",
  inputTokens: 10,
  outputTokens: 20,
  cachedTokens: null,
  issuedIds: [],
  outcome: "finished",
  error: null,
  capped: false,
  timing: [{ length: 5, ms: 20 }],
};
const END: ExchangeEnd = { ...NOTHING, status: "complete", httpStatus: 200, responseBytes: 300, answer: ANSWER };

async function keep(records: Records, start: ExchangeStart): Promise<void> {
  const record = await records.begin(start, "refuse");
  expect(record).toMatchObject({ id: start.id, principalId: start.principal.id });
  await records.settle(record!, END);
  // Only the first end counts.
  await records.settle(record!, { ...NOTHING, status: "client_gone" });
}

test("what it writes is what would be written without it, long messages and their secrets included", async () => {
  const { handle, ana } = await setUp();
  const { db } = handle;
  const { log, lines } = logging();
  const scanner = createScanner(builtin, KEY);
  const here = createRecords({
    db,
    mask: (text) => scanner.mask(text),
    recordKey: KEY,
    gateway,
    findToolUses,
    indexRows: createSuggestionIndex(KEY),
    limits: RECORD_LIMITS,
    log,
    now: () => new Date(),
  });
  const { records: there } = await startThread(handle.url, log);
  const both = [startOf(ana), startOf(ana)] as const;
  await keep(here, both[0]);
  await keep(there, both[1]);
  expect(await there.waiting()).toBe(0);

  const rows = await recordedExchanges(db);
  const [first, second] = both.map(({ id }) => rows.find((row) => row.id === id));
  const told = (row: typeof first) => ({ ...row, id: "", sessionId: "", finishedAt: null });
  expect(first).toMatchObject({
    status: "complete",
    outputTokens: 20,
    masked: { "aws-access-key": 1, "npm-token": 1 },
  });
  expect(told(second)).toEqual(told(first));
  const said = await Promise.all(both.map(({ id }) => findExchangeMessages(db, id)));
  expect(said[1]).toEqual(said[0]);
  expect(JSON.stringify(said)).not.toContain(secrets.npm);
  expect(JSON.stringify(said)).toMatch(/⟦npm-token:/);
  expect(lines).toEqual([]);
});

test("a refusal is on record", async () => {
  const { handle, ana } = await setUp();
  const { records } = await startThread(handle.url, logging().log);
  const start = startOf(ana);
  await records.refuse(start, { httpStatus: 403, code: "model_refused", message: `Not with ${secrets.awsKey}.` });
  const [row] = await recordedExchanges(handle.db);
  expect(row).toMatchObject({ id: start.id, status: "refused", refusal: "model_refused", httpStatus: 403 });
  expect(row?.error).toMatch(/^Not with ⟦aws-access-key:/);
});

test("with the database away, what may wait on the disk does, the rest is refused, and the log says so", async () => {
  const { ana } = await setUp();
  const { lines, log } = logging();
  const { records, directory } = await startThread("postgres://nobody@127.0.0.1:9/none", log, {
    beginMs: 200,
    settleMs: 200,
  });
  expect(await records.begin(startOf(ana), "refuse")).toBeNull();
  const record = await records.begin(startOf(ana), "spool");
  expect(record).toMatchObject({ sessionId: null });
  await records.settle(record!, END);
  await records.drain();
  expect((await readdir(directory)).filter((name) => name.endsWith(".spool"))).toHaveLength(1);
  expect(lines).toContain("An exchange could not be recorded");
  await expect(records.replay()).rejects.toMatchObject({
    code: "database_unavailable",
    message: "The database does not answer.",
  });
});

test("a disk that cannot be used is told at its start", async () => {
  const directory = await mkdtemp(path.join(tmpdir(), "sallyport-records-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(path.join(directory, "file"), "");
  const spool = { directory: path.join(directory, "file", "spool"), maxBytes: 1 };
  const data = { rules: builtin.rules, key: KEY, databaseUrl: "", gateway, spool, limits: RECORD_LIMITS, scanMs: 1 };
  await expect(startRecords(data, logging().log)).rejects.toMatchObject({
    code: "storage_failed",
    message: expect.stringContaining(
      `${spool.directory}, where records wait for the database, cannot be used (ENOTDIR)`,
    ),
  });
});
