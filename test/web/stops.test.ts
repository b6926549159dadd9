import { expect, test } from "vitest";
import { newId } from "../../src/model/id.ts";
import { createApiRoutes } from "../../src/web/api.ts";
import { addSession } from "../attribution/record.ts";
import { testDatabase } from "../harness/database.ts";
import { addPerson, apiDependencies, type Person } from "./api-fixtures.ts";

async function setUp() {
  const { db } = await testDatabase();
  const ana = await addPerson(db, "ana@example.com");
  const ben = await addPerson(db, "ben@example.com");
  const ops = await addPerson(db, "ops@example.com", { groups: ["operators"] });
  const api = createApiRoutes(apiDependencies(db));
  const call = async (person: Person, method: string, path: string, body?: unknown) => {
    const init = { method, headers: { ...person.headers, "content-type": "application/json" } };
    const response = await api.request(path, body === undefined ? init : { ...init, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as { items: { id: string }[]; id?: string } };
  };
  return { db, ana, ben, ops, call };
}

test("an operator stops anybody, and lifts it; the reason is masked", async () => {
  const { ana, ops, call } = await setUp();
  const made = await call(ops, "POST", "/stops", { user: "ANA@example.com", reason: "leaked hunter2", minutes: 60 });
  expect(made.status).toBe(201);
  expect(made.body.items).toMatchObject([
    { user: "ana@example.com", session: null, reason: "leaked ⟦password⟧", stopped_by: "ops@example.com" },
  ]);
  const [stop] = made.body.items;
  expect((await call(ana, "GET", "/stops")).body.items).toEqual(made.body.items);
  // Who was stopped cannot lift it: an agent with the same token could.
  expect((await call(ana, "DELETE", `/stops/${stop?.id}`)).status).toBe(403);
  expect((await call(ops, "DELETE", `/stops/${stop?.id}`)).status).toBe(200);
  expect((await call(ops, "DELETE", `/stops/${stop?.id}`)).status).toBe(404);
  expect((await call(ops, "GET", "/stops")).body.items).toEqual([]);
});

test("everybody stops themselves and their own sessions, and nobody else", async () => {
  const { db, ana, ben, call } = await setUp();
  const session = await addSession(db, ana.id);
  expect((await call(ben, "POST", "/stops", { user: "ana@example.com" })).status).toBe(403);
  expect((await call(ben, "POST", "/stops", { session })).status).toBe(403);
  expect((await call(ben, "POST", "/stops", { session: newId() })).status).toBe(403);
  const made = await call(ana, "POST", "/stops", { session });
  expect(made.body.items).toMatchObject([{ session, stopped_by: "ana@example.com", expires_at: null }]);
  const id = made.body.items[0]?.id ?? "";
  expect((await call(ben, "GET", "/stops")).body.items).toEqual([]);
  expect((await call(ben, "DELETE", `/stops/${id}`)).status).toBe(404);
  expect((await call(ana, "DELETE", `/stops/${id}`)).status).toBe(200);
});

test.each([
  {},
  { user: "a@b.c", session: newId() },
  { user: "a@b.c", minutes: 0 },
  { user: "a@b.c", reason: "two\nlines" },
  { session: "nonsense" },
  { user: "a@b.c", for: "1h" },
  null,
])("refuses what it cannot read: %j", async (body) => {
  const { ops, call } = await setUp();
  expect((await call(ops, "POST", "/stops", body)).status).toBe(400);
});

test("whom nobody knows cannot be stopped", async () => {
  const { ops, call } = await setUp();
  expect((await call(ops, "POST", "/stops", { user: "nobody@example.com" })).status).toBe(404);
  expect((await call(ops, "POST", "/stops", { session: newId() })).status).toBe(404);
});
