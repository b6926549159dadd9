import { sql } from "drizzle-orm";
import { expect, onTestFinished, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { checkDatabase, describeDatabase, isDatabaseAway, openDatabase } from "../../src/store/database.ts";
import { testDatabase } from "../harness/database.ts";

test("a database that is away is told from a query that is wrong", async () => {
  const away = openDatabase("postgres://u:p@127.0.0.1:1/d");
  onTestFinished(() => away.close());
  const database = await testDatabase();
  const failure = (work: Promise<unknown>) => work.catch((error: unknown) => error);
  expect(isDatabaseAway(await failure(away.db.execute(sql`select 1`)))).toBe(true);
  expect(isDatabaseAway(await failure(database.db.execute(sql`select nonsense`)))).toBe(false);
  const killed = failure(database.db.execute(sql`select pg_terminate_backend(pg_backend_pid())`));
  expect(isDatabaseAway(await killed)).toBe(true);
  expect(isDatabaseAway("text")).toBe(false);
  const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  expect(isDatabaseAway(new GatewayError("upstream_unreachable", "away", { cause: refused }))).toBe(false);
});

test("a server that is too old is refused by its version", async () => {
  const database = await testDatabase();
  const old = { ...database, sql: (() => Promise.resolve([{ version: "140011" }])) as unknown as typeof database.sql };
  await expect(checkDatabase(database)).resolves.toBeUndefined();
  await expect(checkDatabase(old)).rejects.toMatchObject({
    code: "database_unavailable",
    message: expect.stringMatching(/PostgreSQL 14; .* 15 or later/) as string,
  });
});

test("what is shown of a URL holds no credential", () => {
  expect(describeDatabase("postgres://user:secret@db.example:5432/sallyport?x=secret")).toBe(
    "db.example:5432/sallyport",
  );
  expect(describeDatabase("secret")).toBe("(not a URL)");
});
