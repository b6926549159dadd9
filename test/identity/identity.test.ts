import { expect, test } from "vitest";
import { createIdentity, type StoredToken } from "../../src/identity/identity.ts";
import { hashToken, mintToken } from "../../src/identity/tokens.ts";

const NOW = new Date("2026-03-01T12:00:00Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);
const TOKEN = mintToken();

/** A store of one token that counts what it is asked. */
function setUp(token: Partial<StoredToken> = {}) {
  const stored: StoredToken = {
    id: "t1",
    groups: ["eng"],
    audiences: ["git"],
    expiresAt: null,
    lastUsedAt: null,
    revokedAt: null,
    principal: {
      id: "p1",
      issuer: "sallyport",
      subject: "ann",
      email: "ann@x",
      kind: "person",
      groups: [],
      groupsAt: null,
    },
    ...token,
  };
  const store = { row: stored as StoredToken | null, asked: 0, touched: [] as Date[] };
  const identity = createIdentity({
    findTokenByHash: async (hash) => {
      store.asked += 1;
      return hash.equals(hashToken(TOKEN)) ? store.row : null;
    },
    touchToken: async (id, now) => {
      expect(id).toBe("t1");
      store.touched.push(now);
      if (store.row !== null) store.row = { ...store.row, lastUsedAt: now };
    },
  });
  const ask = (now = NOW, text = TOKEN, audience: "git" | "api" = "git") =>
    identity.authenticate({ token: text, from: "authorization" }, audience, now);
  return { identity, store, ask };
}

test("a live token is the person behind it, with the token's groups and audiences", async () => {
  const { ask } = setUp({ expiresAt: later(60_000) });
  expect(await ask()).toEqual({
    ok: true,
    value: {
      principal: {
        id: "p1",
        issuer: "sallyport",
        subject: "ann",
        email: "ann@x",
        kind: "person",
        groups: ["eng"],
        audiences: ["git"],
      },
      tokenId: "t1",
      expiresAt: later(60_000),
    },
  });
});

test.each([
  ["expired", { expiresAt: NOW }],
  ["revoked", { revokedAt: later(-1) }],
  ["wrong_audience", { audiences: ["copilot"] }],
] as const)("%s is refused and does not count as used", async (reason, token) => {
  const { ask, store } = setUp(token);
  expect(await ask()).toMatchObject({ ok: false, error: { reason } });
  expect(store.touched).toEqual([]);
});

test("an unknown token is refused; one that is no gateway token is refused without asking the store", async () => {
  const { ask, store } = setUp();
  expect(await ask(NOW, mintToken())).toMatchObject({ ok: false, error: { reason: "unknown" } });
  expect(store.asked).toBe(1);
  expect(await ask(NOW, `${TOKEN.slice(0, -1)}!`)).toMatchObject({ ok: false, error: { reason: "unknown" } });
  expect(store.asked).toBe(1);
});

test("the store is asked once in five seconds, and a revocation is seen after that", async () => {
  const { ask, store } = setUp();
  await ask(NOW);
  await ask(later(4_999));
  expect(store.asked).toBe(1);
  if (store.row !== null) store.row = { ...store.row, revokedAt: later(1) };
  expect(await ask(later(5_000))).toMatchObject({ ok: false, error: { reason: "revoked" } });
});

test("expiry is exact, whatever is remembered; a clock set back does not keep an answer alive", async () => {
  const { ask, store } = setUp({ expiresAt: later(1_000) });
  expect(await ask(later(999))).toMatchObject({ ok: true });
  expect(await ask(later(1_000))).toMatchObject({ ok: false, error: { reason: "expired" } });
  expect(store.asked).toBe(1);
  await ask(later(-3_600_000));
  expect(store.asked).toBe(2);
});

test("a token made after it was refused works at once", async () => {
  const { ask, store } = setUp();
  const { row } = store;
  store.row = null;
  expect(await ask()).toMatchObject({ ok: false });
  store.row = row;
  expect(await ask()).toMatchObject({ ok: true });
});

test("its use is noted at most once a minute", async () => {
  const { ask, store } = setUp({ lastUsedAt: later(-30_000) });
  for (const ms of [0, 1_000, 29_999, 30_000, 31_000, 89_999, 90_000]) await ask(later(ms));
  expect(store.touched).toEqual([later(30_000), later(90_000)]);
});

test("with the store away nobody is let in", async () => {
  const identity = createIdentity({
    findTokenByHash: () => Promise.reject(new Error("away")),
    touchToken: () => Promise.resolve(),
  });
  await expect(identity.authenticate({ token: TOKEN, from: "path" }, "git", NOW)).rejects.toThrow("away");
});

test("from a request", async () => {
  const { identity } = setUp();
  const ask = (authorization: string) => identity.identify({ headers: { authorization } }, "git", NOW);
  expect(await ask(`Bearer ${TOKEN}`)).toMatchObject({ ok: true, value: { tokenId: "t1" } });
  expect(await ask("Bearer")).toMatchObject({ ok: false, error: { reason: "malformed" } });
  expect(await identity.identify({ headers: {} }, "git", NOW)).toMatchObject({ error: { reason: "missing" } });
});
