import { join } from "node:path";
import { expect, test } from "vitest";
import { findStandingStops } from "../../src/store/stops.ts";
import { addPerson } from "../attribution/record.ts";
import { directoryWith, RULES } from "../config/files.ts";
import { testDatabase } from "../harness/database.ts";
import { plantedAwsKey as SECRET } from "../harness/planted.ts";
import { run } from "./command-io.ts";

const TAKEN_OUT = /⟦[\w-]+:[0-9a-f]{8}⟧/;

async function setUp(rules = "secrets: { rules: [builtin] }\n") {
  const { db, url, sql } = await testDatabase();
  const cwd = await directoryWith({ ...RULES, "c.yaml": rules });
  const env = { DATABASE_URL: url, SALLYPORT_CONFIG: join(cwd, "c.yaml"), SALLYPORT_DATA: join(cwd, "data") };
  const kept = async (): Promise<string> =>
    JSON.stringify([
      await sql`select * from tokens`,
      await sql`select * from events`,
      await sql`select * from baseline`,
      await sql`select * from stops`,
    ]);
  return { db, kept, run: (...args: string[]) => run(args, { cwd, env }) };
}

test("what an operator writes beside a record is kept without the secrets in it", async () => {
  const { db, kept, run } = await setUp();
  await addPerson(db, "ana@example.com");
  const made = await run("token", "create", "--user", "ci@example.com", "--name", `deploys with ${SECRET}`);
  expect(made.code).toBe(0);
  const reason = `it was ${SECRET} until March`;
  const added = await run("baseline", "add", "0123456789abcdef", "--reason", reason, "--by", `olga ${SECRET}`);
  expect(added.code).toBe(0);
  expect((await run("baseline", "remove", added.out.trim(), "--by", `pia ${SECRET}`)).code).toBe(0);
  expect((await run("stop", "--user", "ana@example.com", "--reason", reason)).code).toBe(0);

  expect(await kept()).not.toContain(SECRET);
  expect((await run("token", "list")).out).toMatch(/deploys with ⟦/);
  const [entry] = (await run("baseline", "list", "--json")).out.trim().split("\n");
  const listed = JSON.parse(entry ?? "{}") as Record<string, string>;
  for (const text of [listed["reason"], listed["addedBy"], listed["removedBy"]]) expect(text).toMatch(TAKEN_OUT);
  const [stop] = await findStandingStops(db, new Date());
  expect(stop?.reason).toMatch(TAKEN_OUT);
});

test("with rules that cannot be read nothing is kept, and the mistake is told", async () => {
  const { kept, run } = await setUp("secrets: { rules: [./broken.yaml] }\n");
  const before = await kept();
  const made = await run("token", "create", "--user", "ci@example.com", "--name", "deploys");
  expect(made).toMatchObject({ code: 1, out: "" });
  expect(await kept()).toBe(before);
});
