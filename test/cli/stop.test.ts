import { join } from "node:path";
import { expect, test } from "vitest";
import { findStandingStops } from "../../src/store/stops.ts";
import { addPerson, addSession } from "../attribution/record.ts";
import { directoryWith } from "../config/files.ts";
import { testDatabase } from "../harness/database.ts";
import { ONE_RULE, run } from "./command-io.ts";

async function setUp() {
  const { db, url } = await testDatabase();
  const cwd = await directoryWith({
    "rules/ours.yaml": ONE_RULE,
    "c.yaml": "secrets: { rules: [./rules/ours.yaml] }\n",
  });
  const env = { DATABASE_URL: url, SALLYPORT_CONFIG: join(cwd, "c.yaml") };
  const stop = (args: readonly string[], now = new Date()) => run(["stop", ...args], { cwd, env, now: () => now });
  return { db, stop, ana: await addPerson(db, "ana@example.com") };
}

test("a person: the id alone on stdout, the stop in the list, lifted by its id", async () => {
  const { db, stop, ana } = await setUp();
  const stopped = await stop(["--user", "ANA@example.com", "--reason", "a leak\u001b[2J"]);
  expect(stopped.code).toBe(0);
  const id = stopped.out.trimEnd();
  expect(await findStandingStops(db, new Date())).toMatchObject([
    { id, principalId: ana, sessionId: null, stoppedBy: null, expiresAt: null },
  ]);
  const listed = await stop(["--list"]);
  expect(listed.out).toContain(`${id}  ana@example.com  until it is lifted  a leak`);
  expect(listed.out).not.toContain("\u001b");
  expect((await stop(["--lift", id])).err).toContain("ana@example.com may go on");
  expect((await stop(["--lift", id])).code).toBe(1);
  expect((await stop(["--list"])).err).toBe("Nobody is stopped.\n");
});

test("a session, for some time", async () => {
  const { db, stop, ana } = await setUp();
  const session = await addSession(db, ana);
  const now = new Date("2026-01-01T00:00:00Z");
  expect((await stop(["--session", session, "--for", "2h"], now)).code).toBe(0);
  expect(await findStandingStops(db, now)).toMatchObject([
    { sessionId: session, expiresAt: new Date("2026-01-01T02:00:00Z"), reason: "no reason was given" },
  ]);
  expect(await findStandingStops(db, new Date("2026-01-01T02:00:00Z"))).toEqual([]);
});

test("says what is wrong", async () => {
  const { stop } = await setUp();
  for (const args of [[], ["--user", "a@b.c", "--list"], ["--user", "a@b.c", "--for", "soon"]]) {
    expect((await stop(args)).code).toBe(2);
  }
  const nobody = await stop(["--user", "nobody@example.com"]);
  expect([nobody.code, nobody.err]).toEqual([1, "sallyport stop: nobody here goes by that address\n"]);
  const none = await stop(["--session", "nonsense"]);
  expect([none.code, none.err]).toEqual([1, "sallyport stop: there is no such session\n"]);
});
