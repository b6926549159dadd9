import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { GATEWAY_ISSUER } from "../../src/model/principal.ts";
import type { Queryable } from "../../src/store/database.ts";
import { insertEvent } from "../../src/store/events.ts";
import { principals } from "../../src/store/schema.ts";
import { upsertPrincipal } from "../../src/store/principals.ts";
import { events } from "../../src/store/schema.ts";
import { findTokenByHash, insertToken, listTokens, revokeToken, touchToken } from "../../src/store/tokens.ts";
import {
  deleteExpiredWebSessions,
  deleteWebSession,
  findLiveWebSession,
  insertWebSession,
} from "../../src/store/web-sessions.ts";
import { testDatabase } from "../harness/database.ts";

const NOW = new Date("2026-03-01T12:00:00Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);
const hash = (text: string) => createHash("sha256").update(text).digest();

const person = (db: Queryable, subject = "ann@example.org") =>
  upsertPrincipal(db, { issuer: GATEWAY_ISSUER, subject, email: subject, kind: "person" });

async function token(db: Queryable, name: string, expiresAt: Date | null = null) {
  const { id: principalId } = await person(db);
  return insertToken(db, { principalId, name, hash: hash(name), groups: ["eng"], audiences: ["git"], expiresAt });
}

test("a principal is issuer and subject: the e-mail address follows, the id and the kind stay", async () => {
  const { db } = await testDatabase();
  const first = await person(db, "ann");
  const again = await upsertPrincipal(db, { issuer: GATEWAY_ISSUER, subject: "ann", email: "new@x", kind: "service" });
  expect(again).toEqual({ ...first, email: "new@x" });
  const elsewhere = await upsertPrincipal(db, {
    issuer: "https://idp",
    subject: "ann",
    email: "new@x",
    kind: "person",
  });
  expect(elsewhere.id).not.toBe(first.id);
  expect(await db.select().from(principals).orderBy(principals.id)).toEqual([again, elsewhere]);
});

test("the same person made known by two gateways at once is one", async () => {
  const { db } = await testDatabase();
  const rows = await Promise.all(Array.from({ length: 5 }, () => person(db)));
  expect(new Set(rows.map((row) => row.id)).size).toBe(1);
});

test("a token is found by its hash with the person behind it, and its hash is shown to nobody", async () => {
  const { db } = await testDatabase();
  const made = await token(db, "laptop", later(1000));
  const found = await findTokenByHash(db, hash("laptop"));
  expect(found).toMatchObject({ id: made.id, groups: ["eng"], audiences: ["git"], expiresAt: later(1000) });
  expect(found?.principal.email).toBe("ann@example.org");
  expect(found).not.toHaveProperty("hash");
  expect(await findTokenByHash(db, hash("other"))).toBeNull();
});

test("the last use of a token is written at most once a minute", async () => {
  const { db } = await testDatabase();
  const { id } = await token(db, "laptop");
  const lastUse = async () => (await findTokenByHash(db, hash("laptop")))?.lastUsedAt;
  expect(await lastUse()).toBeNull();
  await touchToken(db, id, NOW);
  await touchToken(db, id, later(59_000));
  expect(await lastUse()).toEqual(NOW);
  await touchToken(db, id, later(61_000));
  expect(await lastUse()).toEqual(later(61_000));
});

test("a token is revoked by its name, its id or the start of its id, once and for good", async () => {
  const { db } = await testDatabase();
  const made = await token(db, "laptop");
  expect(await revokeToken(db, "desktop", NOW)).toEqual({ ok: false, error: "not_found" });
  expect(await revokeToken(db, "", NOW)).toEqual({ ok: false, error: "not_found" });
  expect(await revokeToken(db, "laptop", NOW)).toEqual({ ok: true, value: { ...made, revokedAt: NOW } });
  expect(await revokeToken(db, made.id, later(5))).toEqual({ ok: true, value: { ...made, revokedAt: NOW } });
  expect((await findTokenByHash(db, hash("laptop")))?.revokedAt).toEqual(NOW);
  const other = await token(db, "other");
  expect(await revokeToken(db, other.id.slice(0, 30).toUpperCase(), NOW)).toMatchObject({ ok: true });
});

test("an ambiguous name or start of an id revokes nothing", async () => {
  const { db } = await testDatabase();
  const made = [await token(db, "one"), await token(db, "two")];
  expect(await revokeToken(db, "0", NOW)).toEqual({ ok: false, error: "ambiguous" });
  // A pattern of SQL's is no pattern here.
  expect(await revokeToken(db, "%", NOW)).toEqual({ ok: false, error: "not_found" });
  const listed = await listTokens(db);
  expect(listed.map((row) => row.id)).toEqual(made.map((row) => row.id).toReversed());
  expect(listed.every((row) => row.revokedAt === null && row.principal.subject === "ann@example.org")).toBe(true);
});

test("a browser's session lives until it expires, is deleted, or its token is revoked or expires", async () => {
  const { db } = await testDatabase();
  const { id: tokenId, principalId } = await token(db, "laptop", later(5000));
  const session = { principalId, groups: ["eng"], expiresAt: later(10_000) };
  await insertWebSession(db, { ...session, hash: hash("by token"), tokenId });
  await insertWebSession(db, { ...session, hash: hash("by oidc"), tokenId: null });
  const live = (name: string, at = NOW) => findLiveWebSession(db, hash(name), at);
  expect(await live("by token")).toMatchObject({
    groups: ["eng"],
    token: { id: tokenId },
    principal: { id: principalId },
  });
  expect(await live("by token", later(5000))).toBeNull();
  expect(await live("by oidc", later(9999))).toMatchObject({ token: null });
  expect(await live("by oidc", later(10_000))).toBeNull();
  await revokeToken(db, tokenId, NOW);
  expect(await live("by token")).toBeNull();
  await deleteExpiredWebSessions(db, later(9999));
  expect(await live("by oidc")).not.toBeNull();
  await deleteWebSession(db, hash("by oidc"));
  expect(await live("by oidc")).toBeNull();
});

test("events keep their order", async () => {
  const { db } = await testDatabase();
  const { id: principalId } = await person(db);
  for (const kind of ["token.created", "token.revoked"])
    await insertEvent(db, { kind, principalId, repository: null, subject: "t", data: { by: "ann" } });
  const rows = await db.select().from(events).orderBy(events.seq);
  expect(rows.map(({ kind, data }) => ({ kind, data }))).toEqual([
    { kind: "token.created", data: { by: "ann" } },
    { kind: "token.revoked", data: { by: "ann" } },
  ]);
});
