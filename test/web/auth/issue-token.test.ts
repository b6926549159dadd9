import { expect, test } from "vitest";
import { hashToken } from "../../../src/identity/tokens.ts";
import type { Principal } from "../../../src/model/principal.ts";
import { listEventRecords } from "../../../src/store/event-queries.ts";
import { findTokenByHash, revokeToken } from "../../../src/store/tokens.ts";
import { issueToken } from "../../../src/web/auth/issue-token.ts";
import type { Viewer } from "../../../src/web/sign-in.ts";
import { testDatabase } from "../../harness/database.ts";
import { addPerson } from "../api-fixtures.ts";

async function setUp() {
  const { db } = await testDatabase();
  const { id, token, email } = await addPerson(db, "ana@example.com", { audiences: ["api", "git"], groups: ["eng"] });
  const parent = await findTokenByHash(db, hashToken(token));
  const principal: Principal = {
    id,
    issuer: "sallyport",
    subject: email,
    email,
    kind: "person",
    groups: ["eng"],
    audiences: ["api"],
  };
  const signedInAt = new Date();
  const byToken = (changes: object = {}): Viewer => ({
    principal,
    signedInAt,
    by: { kind: "token", id: parent?.id ?? "", audiences: ["api", "git"], expiresAt: null, ...changes },
  });
  const byProvider: Viewer = { principal, signedInAt, by: { kind: "provider", authenticatedAt: null } };
  return { db, byToken, byProvider, parentId: parent?.id ?? "" };
}
const git = { name: "laptop", audiences: ["git"], expiresAt: null } as const;

test("a token is the viewer's, works at once, and is on record; only its hash is kept", async () => {
  const { db, byProvider } = await setUp();
  const issued = await issueToken(db, byProvider, git);
  if (!issued.ok) throw new Error(issued.error);
  expect(await findTokenByHash(db, hashToken(issued.value.token))).toMatchObject({
    name: "laptop",
    audiences: ["git"],
    // A provider's people have their groups themselves.
    groups: [],
    parentId: null,
    principal: { id: byProvider.principal.id },
  });
  const { items } = await listEventRecords(db, {}, { limit: 10, after: null }, null);
  expect(items).toMatchObject([{ kind: "token.created", subject: issued.value.row.id, data: { name: "laptop" } }]);
  expect(JSON.stringify(items)).not.toContain(issued.value.token);
});

test("whoever is signed in with a token makes none that may more or lives longer", async () => {
  const { db, byToken } = await setUp();
  expect(await issueToken(db, byToken(), { ...git, audiences: ["git", "copilot"] })).toEqual({
    ok: false,
    error: "The token that you are signed in with is not for copilot: sign in with one that is.",
  });
  const end = new Date("2026-01-01T00:00:00Z");
  for (const expiresAt of [null, new Date("2027-01-01T00:00:00Z")]) {
    const issued = await issueToken(db, byToken({ expiresAt: end }), { ...git, expiresAt });
    expect(issued).toMatchObject({ ok: true, value: { row: { expiresAt: end, groups: ["eng"] } } });
  }
});

test("what was made under a token ends with it, children's children too, and none is made under one that is revoked", async () => {
  const { db, byToken, parentId } = await setUp();
  const child = await issueToken(db, byToken(), { ...git, audiences: ["api", "git"] });
  if (!child.ok) throw new Error(child.error);
  const grandchild = await issueToken(db, byToken({ id: child.value.row.id }), git);
  if (!grandchild.ok) throw new Error(grandchild.error);
  const now = new Date();
  await revokeToken(db, parentId, now);
  for (const { token } of [child.value, grandchild.value]) {
    expect(await findTokenByHash(db, hashToken(token))).toMatchObject({ revokedAt: now });
  }
  expect(await issueToken(db, byToken(), git)).toMatchObject({ ok: false, error: expect.stringContaining("revoked") });
});
