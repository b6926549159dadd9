import { eq } from "drizzle-orm";
import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { type HashedMessage, lockSession, storeMessages } from "../../src/store/messages.ts";
import { deleteOldExchanges } from "../../src/store/retention.ts";
import { exchanges, messages, sessions } from "../../src/store/schema.ts";
import { addExchange, addPerson, addSession, at } from "../attribution/record.ts";
import { testDatabase } from "../harness/database.ts";

const said = (text: string): HashedMessage => ({
  role: "user",
  parts: [{ type: "text", text }],
  hash: Buffer.from(text),
});

const ask = (db: Database, sessionId: string, exchange: string, list: readonly HashedMessage[]): Promise<void> =>
  db.transaction(async (tx) => {
    const session = await lockSession(tx, sessionId);
    if (session === null) throw new Error("there is no such session");
    const requestMessages = await storeMessages(tx, session, list);
    await tx.update(exchanges).set({ requestMessages }).where(eq(exchanges.id, exchange));
  });

test("an old exchange goes with what only it holds; what a later one repeats stays, and what comes then is numbered on", async () => {
  const { db } = await testDatabase();
  const ana = await addPerson(db, "ana@example.com");
  const session = await addSession(db, ana);
  const old = await addExchange(db, ana, session, 0);
  const recent = await addExchange(db, ana, session, 30);
  await ask(db, session, old, [said("a"), said("b")]);
  await ask(db, session, recent, [said("b")]);
  const finished = await addSession(db, ana, { clientKey: "finished" });
  await addExchange(db, ana, finished, 1);

  expect(await deleteOldExchanges(db, at(10))).toBe(2);

  const list = () => db.select().from(exchanges).orderBy(exchanges.id);
  expect((await list()).map(({ id, requestMessages }) => [id, requestMessages])).toEqual([[recent, [1]]]);
  expect((await db.select().from(messages)).map(({ hash }) => hash.toString())).toEqual(["b"]);
  expect((await db.select().from(sessions)).map(({ id }) => id)).toEqual([session]);
  expect(await deleteOldExchanges(db, at(10))).toBe(0);

  const next = await addExchange(db, ana, session, 40);
  await ask(db, session, next, [said("b"), said("a"), said("c"), said("a")]);
  expect((await list()).at(-1)?.requestMessages).toEqual([1, 2, 3, 2]);
});
