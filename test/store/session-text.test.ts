/** Sessions by their text: the same ones, whether the index has their messages or not. */
import { readFile } from "node:fs/promises";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { lockSession, storeMessages } from "../../src/store/messages.ts";
import { messages } from "../../src/store/schema.ts";
import { hasTextIndex, indexMessages } from "../../src/store/session-text.ts";
import { listSessions } from "../../src/store/sessions.ts";
import { addPerson, addSession } from "../attribution/record.ts";
import { testDatabase } from "../harness/database.ts";

async function say(db: Database, sessionId: string, texts: readonly string[]): Promise<void> {
  await db.transaction(async (tx) => {
    const session = await lockSession(tx, sessionId);
    if (session === null) throw new Error("there is no such session");
    const list = texts.map((text) => ({
      role: "user" as const,
      parts: [{ type: "text" as const, text }],
      hash: Buffer.from(text.slice(0, 40)),
    }));
    await storeMessages(tx, session, list);
  });
}

test("words, parts of words, code with quotes and wildcards: before the index has them, and after", async () => {
  const { db } = await testDatabase();
  const ana = await addPerson(db, "ana@example.com");
  const [code, prose] = [await addSession(db, ana), await addSession(db, ana, { clientKey: "prose" })];
  await say(db, code, ['const rate = "100%_a\\b";\nreturn rate', "x"]);
  await say(db, prose, ["The Limiter counts für jeden Schlüssel."]);
  const found = async (q: string) => (await listSessions(db, { q })).items.map(({ id }) => id);
  const check = async () => {
    expect(await found("limiter COUNTS")).toEqual([prose]);
    expect(await found("imiter")).toEqual([prose]);
    expect(await found("Schlüssel")).toEqual([prose]);
    expect(await found('"100%_a\\b"')).toEqual([code]);
    expect(await found("1000_a")).toEqual([]);
    expect(await found(";\nreturn")).toEqual([code]);
    expect(await found("ra")).toEqual([code]);
    expect(await found("nowhere")).toEqual([]);
  };
  await check();
  expect(await indexMessages(db, 2)).toBe(2);
  await check();
  expect(await indexMessages(db, 2)).toBe(1);
  expect(await indexMessages(db, 2)).toBe(0);
  await check();
  expect((await db.select({ has: messages.isIndexed }).from(messages)).every(({ has }) => has)).toBe(true);
});

test("a word that stands in hundreds of messages: the latest sessions first, page by page", async () => {
  const { db } = await testDatabase();
  const ana = await addPerson(db, "ana@example.com");
  const ids = [];
  for (let at = 0; at < 21; at += 1) {
    const id = await addSession(db, ana, { clientKey: `s${at}` });
    ids.push(id);
    await say(
      db,
      id,
      Array.from({ length: 30 }, (_, number) => `${number} token ${id}`),
    );
  }
  const other = await addSession(db, ana, { clientKey: "other" });
  await say(db, other, ["nothing of it"]);
  const first = await listSessions(db, { q: "token", limit: 15 });
  const second = await listSessions(db, { q: "token", limit: 15, cursor: first.next ?? "" });
  expect([...first.items, ...second.items].map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(second.next).toBeNull();
});

test("the index of texts is what finds them, once somebody has made it as the documentation says", async () => {
  const { db } = await testDatabase();
  expect(await hasTextIndex(db)).toBe(false);
  const documented = await readFile(new URL("../../docs/pages.md", import.meta.url), "utf8");
  await db.execute(sql.raw(/```sql\n([^`]+messages_text[^`]+)```/.exec(documented)?.[1] ?? ""));
  expect(await hasTextIndex(db)).toBe(true);
  const plan = await db.transaction(async (tx) => {
    await tx.execute(sql`set local enable_seqscan = off`);
    return tx.execute(sql`explain select 1 from messages where is_indexed and parts::text ilike '%needle%'`);
  });
  expect(JSON.stringify([...plan])).toContain("messages_text");
});
