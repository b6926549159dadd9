import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { migrateDatabase } from "../../src/store/migrate.ts";
import { testDatabase } from "../harness/database.ts";

test("several gateways that start at once migrate an empty database once", async () => {
  const first = await testDatabase();
  await first.db.execute(sql`drop schema public cascade`);
  await first.db.execute(sql`create schema public`);
  await first.db.execute(sql`drop schema drizzle cascade`);
  const others = Array.from({ length: 3 }, () => openDatabase(first.url, { max: 1 }));
  await Promise.all([first, ...others].map((handle) => migrateDatabase(handle)));
  await Promise.all(others.map((handle) => handle.close()));
  const applied = await first.db.execute(sql`select hash from drizzle.__drizzle_migrations`);
  expect(applied).toHaveLength(new Set(applied.map((row) => row["hash"])).size);
  const tables = await first.db.execute(sql`select 1 from information_schema.tables where table_name = 'pushes'`);
  expect(tables).toHaveLength(1);
});

test("a database that is away is told by its address, without the password", async () => {
  const handle = openDatabase("postgres://somebody:hunter2secret@127.0.0.1:1/nowhere");
  const failure = await migrateDatabase(handle).catch((error: unknown) => error);
  await handle.close();
  expect(failure).toMatchObject({ code: "database_unavailable" });
  expect(String(failure)).toContain("127.0.0.1:1/nowhere");
  expect(String(failure)).toContain("ECONNREFUSED");
  expect(String(failure)).not.toContain("hunter2secret");
});

test("each test has a database of its own", async () => {
  const [one, two] = await Promise.all([testDatabase(), testDatabase()]);
  const name = sql`select current_database() as name`;
  expect(await one.db.execute(name)).not.toEqual(await two.db.execute(name));
});
