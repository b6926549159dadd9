import { expect, it } from "vitest";
import type { Database } from "../../src/store/database.ts";
import {
  findSuggestionBlocks,
  insertSuggestions,
  MAX_BLOCKS,
  type SuggestionRow,
} from "../../src/store/suggestions.ts";
import { addExchange, addPerson, addSession, at } from "../attribution/record.ts";
import { testDatabase } from "../harness/database.ts";

async function person(db: Database, email: string) {
  const principalId = await addPerson(db, email);
  const sessionId = await addSession(db, principalId);
  const exchangeId = await addExchange(db, principalId, sessionId, 0);
  const row = (ordinal: number, more: Partial<SuggestionRow> = {}): SuggestionRow => ({
    exchangeId,
    ordinal,
    sessionId,
    principalId,
    path: "src/a.ts",
    kind: "edit",
    lineHashes: Buffer.from("00000000000000ff", "hex"),
    suggestedAt: at(10),
    ...more,
  });
  return { principalId, row };
}

it("gives back a person's blocks within the window, its ends included, latest first", async () => {
  const { db } = await testDatabase();
  const ana = await person(db, "ana@example.com");
  const ben = await person(db, "ben@example.com");
  const rows = [9, 10, 15, 20, 21].map((minute, ordinal) => ana.row(ordinal, { suggestedAt: at(minute), path: null }));
  await insertSuggestions(db, [...rows, ben.row(0)]);
  const scope = { principalId: ana.principalId, since: at(10), until: at(20) };
  expect(await findSuggestionBlocks(db, scope)).toEqual([rows[3], rows[2], rows[1]]);
});

it("keeps what is there when an exchange is indexed again", async () => {
  const { db } = await testDatabase();
  const { principalId, row } = await person(db, "ana@example.com");
  await insertSuggestions(db, [row(0)]);
  await insertSuggestions(db, [row(0, { path: "other" }), row(1)]);
  await insertSuggestions(db, []);
  const found = await findSuggestionBlocks(db, { principalId, since: at(0), until: at(60) });
  expect(found).toEqual([row(0), row(1)]);
});

it("stores a path that PostgreSQL could not hold as it is", async () => {
  const { db } = await testDatabase();
  const { principalId, row } = await person(db, "ana@example.com");
  await insertSuggestions(db, [row(0, { path: "src/\0\ud800" })]);
  const [found] = await findSuggestionBlocks(db, { principalId, since: at(0), until: at(60) });
  expect(found?.path).toBe("src/\u2400\ufffd");
});

it("reads the latest blocks only, when they are too many or too large", async () => {
  const { db } = await testDatabase();
  const { principalId, row } = await person(db, "ana@example.com");
  const many = Array.from({ length: MAX_BLOCKS + 10 }, (_, i) => row(i, { suggestedAt: at(i) }));
  await insertSuggestions(db, many);
  const scope = { principalId, since: at(0), until: at(1_000_000) };
  const found = await findSuggestionBlocks(db, scope);
  expect(found).toHaveLength(MAX_BLOCKS);
  expect(found[0]?.suggestedAt).toEqual(at(MAX_BLOCKS + 9));
  const large = [1, 2, 3].map((i) =>
    row(MAX_BLOCKS + 10 + i, { suggestedAt: at(900_000 + i), lineHashes: Buffer.alloc(3_200_000) }),
  );
  await insertSuggestions(db, large);
  const bounded = await findSuggestionBlocks(db, scope);
  expect(bounded.map(({ ordinal }) => ordinal)).toEqual([MAX_BLOCKS + 13, MAX_BLOCKS + 12]);
});
