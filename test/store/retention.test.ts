import { expect, test } from "vitest";
import { insertMessages } from "../../src/store/messages.ts";
import { deleteOldExchanges } from "../../src/store/retention.ts";
import { exchangeMessages, exchanges, messages, sessions } from "../../src/store/schema.ts";
import { addExchange, addPerson, addSession, at } from "../attribution/record.ts";
import { testDatabase } from "../harness/database.ts";

const said = (text: string) => ({
  role: "user" as const,
  parts: [{ type: "text" as const, text }],
  hash: Buffer.from(text),
});

test("an old exchange goes with what only it holds; what a later one repeats stays", async () => {
  const { db } = await testDatabase();
  const ana = await addPerson(db, "ana@example.com");
  const session = await addSession(db, ana);
  const old = await addExchange(db, ana, session, 0);
  const recent = await addExchange(db, ana, session, 30);
  await insertMessages(db, {
    sessionId: session,
    exchangeId: old,
    direction: "request",
    messages: [said("a"), said("b")],
  });
  await insertMessages(db, { sessionId: session, exchangeId: recent, direction: "request", messages: [said("b")] });
  const finished = await addSession(db, ana, { clientKey: "finished" });
  await addExchange(db, ana, finished, 1);

  expect(await deleteOldExchanges(db, at(10))).toBe(2);

  expect((await db.select().from(exchanges)).map(({ id }) => id)).toEqual([recent]);
  expect((await db.select().from(exchangeMessages)).map(({ exchangeId }) => exchangeId)).toEqual([recent]);
  expect((await db.select().from(messages)).map(({ hash }) => hash.toString())).toEqual(["b"]);
  expect((await db.select().from(sessions)).map(({ id }) => id)).toEqual([session]);
  expect(await deleteOldExchanges(db, at(10))).toBe(0);
});
