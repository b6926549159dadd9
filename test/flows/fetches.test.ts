import { expect, test } from "vitest";
import { createFetchRecorder } from "../../src/flows/fetches.ts";
import type { RelayedFetch } from "../../src/model/fetch.ts";
import type { LogFields, Logger } from "../../src/model/log.ts";
import { deleteOldFetches, listFetches } from "../../src/store/fetches.ts";
import { testDatabase } from "../harness/database.ts";
import { addPerson } from "../web/api-fixtures.ts";

const page = { limit: 50, after: null };
const lines: { readonly message: string; readonly fields: LogFields }[] = [];
const note = (fields: LogFields, message: string): void => void lines.push({ fields, message });
const log: Logger = { debug: note, info: note, warn: note, error: note };

async function setUp(options: { readonly maxWaiting?: number } = {}) {
  lines.length = 0;
  const database = await testDatabase();
  const person = await addPerson(database.db, "ana@example.com");
  const recorder = createFetchRecorder({
    db: database.db,
    mask: (text) => text.replaceAll("s3cret", "***"),
    log,
    ...options,
  });
  const fetch = (changes: Partial<RelayedFetch> = {}): RelayedFetch => ({
    principal: {
      id: person.id,
      issuer: "sallyport",
      subject: "ana",
      email: person.email,
      kind: "person",
      groups: [],
      audiences: ["git"],
    },
    connection: "code",
    repository: "code/team/app",
    kind: "objects",
    status: "complete",
    httpStatus: 200,
    refs: [],
    wants: [],
    wantCount: 0,
    options: [],
    requestBytes: 10,
    responseBytes: 100,
    userAgent: "git/2",
    startedAt: new Date("2026-01-01T00:00:00Z"),
    finishedAt: new Date("2026-01-01T00:00:01Z"),
    ...changes,
  });
  return { ...database, recorder, fetch };
}

test("writes what was fetched, masked and bounded", async () => {
  const { db, recorder, fetch } = await setUp();
  const refs = Array.from({ length: 300 }, (_, i) => `refs/heads/${i}`);
  recorder.record(fetch({ refs: ["refs/heads/s3cret", ...refs], options: ["not s3cret"], userAgent: "git s3cret" }));
  await recorder.drain();
  const { items } = await listFetches(db, {}, page, null);
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({ user: "ana@example.com", options: ["not ***"], userAgent: "git ***" });
  expect(items[0]?.refs).toHaveLength(100);
  expect(items[0]?.refs[0]).toBe("refs/heads/***");
});

test("makes one row of a clone that is one request a file", async () => {
  const { db, recorder, fetch } = await setUp();
  for (let i = 0; i < 40; i++) recorder.record(fetch({ kind: "dumb", finishedAt: new Date(i) }));
  recorder.record(fetch({ kind: "dumb", repository: "code/team/other" }));
  recorder.record(fetch());
  recorder.record(fetch());
  await recorder.drain();
  const { items } = await listFetches(db, {}, page, null);
  expect(items.map(({ kind, repository, responseBytes }) => [kind, repository, responseBytes]).toReversed()).toEqual([
    ["dumb", "code/team/app", 4000],
    ["dumb", "code/team/other", 100],
    ["objects", "code/team/app", 100],
    ["objects", "code/team/app", 100],
  ]);
});

test("loses what the database cannot take, says how much, and goes on", async () => {
  const { db, recorder, fetch } = await setUp({ maxWaiting: 3 });
  const nobody = { ...fetch().principal, id: "00000000-0000-7000-8000-000000000000" };
  for (let i = 0; i < 5; i++) recorder.record(fetch({ principal: nobody }));
  await recorder.drain();
  expect(lines.at(-1)).toMatchObject({ message: "fetches are missing from the record", fields: { lost: 5 } });
  recorder.record(fetch());
  await recorder.drain();
  expect((await listFetches(db, {}, page, null)).items).toHaveLength(1);
});

test("old ones go, newer ones stay", async () => {
  const { db, recorder, fetch } = await setUp();
  recorder.record(fetch({ startedAt: new Date("2025-01-01T00:00:00Z") }));
  recorder.record(fetch({ startedAt: new Date("2026-01-01T00:00:00Z") }));
  await recorder.drain();
  expect(await deleteOldFetches(db, new Date("2025-06-01T00:00:00Z"))).toBe(1);
  expect((await listFetches(db, {}, page, null)).items).toHaveLength(1);
});
