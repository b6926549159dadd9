import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { newId } from "../../src/model/id.ts";
import type { Database } from "../../src/store/database.ts";
import { insertEvent } from "../../src/store/events.ts";
import { insertFetches, type NewFetch } from "../../src/store/fetches.ts";
import { commitLines, commitSessions, exchanges, messages, sessions } from "../../src/store/schema.ts";
import { insertToolUses } from "../../src/store/tool-uses.ts";
import { createApiRoutes } from "../../src/web/api.ts";
import { describeApi } from "../../src/web/openapi.ts";
import { testDatabase } from "../harness/database.ts";
import { addHold, addPerson, addPush, apiDependencies, commit, OLD, type Person } from "./api-fixtures.ts";

/** As much of an answer as the tests look into by name. */
interface Answer {
  readonly items: readonly { readonly id: string; readonly kind: string }[];
  readonly next: string | null;
  readonly error: unknown;
}

async function setUp() {
  const { db } = await testDatabase();
  const alice = await addPerson(db, "alice@example.com");
  const auditor = await addPerson(db, "audit@example.com", { groups: ["audit"] });
  const api = createApiRoutes(apiDependencies(db));
  const get = async (path: string, person: Person = alice) => {
    const response = await api.request(path, { headers: person.headers });
    return { status: response.status, body: (await response.json()) as Answer };
  };
  const ids = async (path: string, person: Person = alice): Promise<string[]> => {
    const { status, body } = await get(path, person);
    expect(status).toBe(200);
    return body.items.map((item) => item.id);
  };
  return { db, alice, auditor, api, get, ids };
}

async function addFetch(db: Database, person: Person, changes: Partial<NewFetch> = {}): Promise<string> {
  const id = newId();
  await insertFetches(db, [
    {
      id,
      principalId: person.id,
      connection: "code",
      repository: "code/team/app",
      kind: "objects",
      status: "complete",
      httpStatus: 200,
      refs: [],
      wants: [],
      wantCount: 0,
      options: [],
      requestBytes: 100,
      responseBytes: 5_000_000_000,
      userAgent: "jgit",
      startedAt: new Date("2026-01-01T00:00:01Z"),
      finishedAt: new Date("2026-01-01T00:00:02Z"),
      ...changes,
    },
  ]);
  return id;
}

/** A session with one exchange: a prompt and an answer. */
async function addSession(db: Database, person: Person, prompt: string): Promise<{ id: string; exchangeId: string }> {
  const id = newId();
  const exchangeId = newId();
  const at = new Date();
  await db.insert(sessions).values({
    id,
    principalId: person.id,
    connection: "copilot",
    client: "copilot-cli",
    clientKey: `conversation:${id}`,
    title: prompt,
    startedAt: at,
    lastActiveAt: at,
  });
  await db.insert(exchanges).values({
    id: exchangeId,
    sessionId: id,
    principalId: person.id,
    connection: "copilot",
    format: "responses",
    method: "POST",
    path: "/responses",
    model: "gpt-5",
    userAgent: "copilot/1",
    status: "complete",
    startedAt: at,
  });
  for (const [ordinal, [direction, role, text]] of (
    [
      ["request", "user", prompt],
      ["response", "assistant", `an answer to "${prompt}"`],
    ] as const
  ).entries()) {
    const parts = [{ type: "text" as const, text }];
    await db.insert(messages).values({ number: ordinal, sessionId: id, hash: Buffer.from([ordinal]), role, parts });
    await db
      .update(exchanges)
      .set(direction === "request" ? { requestMessages: [ordinal] } : { responseMessages: [ordinal] })
      .where(eq(exchanges.id, exchangeId));
  }
  return { id, exchangeId };
}

describe("the API's door", () => {
  it("is shut without a token for the audience api", async () => {
    const { api, db } = await setUp();
    const gitOnly = await addPerson(db, "git@example.com", { audiences: ["git"] });
    for (const headers of [{}, { authorization: "Bearer nonsense" }, { cookie: "sallyport=1" }, gitOnly.headers]) {
      for (const path of ["/pushes", "/approvals/x", "/nowhere"]) {
        const response = await api.request(path, { headers });
        expect(response.status).toBe(401);
        expect(response.headers.get("www-authenticate")).toMatch(/^Bearer /);
        expect(await response.json()).toMatchObject({ error: { code: "unauthenticated" } });
      }
    }
  });

  it("opens to Bearer and to Basic with the token as the password", async () => {
    const { api, alice } = await setUp();
    const basic = `Basic ${Buffer.from(`anyone:${alice.token}`).toString("base64")}`;
    for (const authorization of [`Bearer ${alice.token}`, basic]) {
      const response = await api.request("/pushes", { headers: { authorization } });
      expect(response.status).toBe(200);
      expect(response.headers.get("cache-control")).toBe("no-store");
    }
  });

  it("answers what is not there with JSON", async () => {
    const { get } = await setUp();
    expect(await get("/nowhere")).toMatchObject({ status: 404, body: { error: { code: "not_found" } } });
  });

  it("says that the database is away, and nothing more", async () => {
    const handle = await testDatabase();
    const api = createApiRoutes(apiDependencies(handle.db));
    const alice = await addPerson(handle.db, "alice@example.com");
    await handle.close();
    const response = await api.request("/pushes", { headers: alice.headers });
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      error: { code: "database_unavailable", message: expect.not.stringMatching(/select|postgres:/) },
    });
  });
});

describe("the description", () => {
  it("names exactly the routes that are there", async () => {
    const { api } = await setUp();
    const mounted = new Set(
      api.routes
        .filter((route) => route.method !== "ALL")
        .map((route) => `${route.method.toLowerCase()} ${route.path.replace(/:(\w+)/g, "{$1}")}`),
    );
    const described = Object.entries(describeApi("http://x", "1").paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method} ${path}`),
    );
    expect(described.sort()).toEqual([...mounted].sort());
  });

  it("lists exactly the properties that answers have", async () => {
    const { db, alice, get } = await setUp();
    const { approvalId, pushId } = await addHold(db, alice);
    const session = await addSession(db, alice, "hello");
    await insertEvent(db, { kind: "x.y", principalId: alice.id, repository: null, subject: null, data: {} });
    const { components } = describeApi("http://x", "1");
    interface Described {
      readonly allOf?: readonly Described[];
      readonly $ref?: string;
      readonly properties?: object;
    }
    const propertiesOf = (name: string): string[] => {
      const schema = components.schemas[name] as Described;
      return (schema.allOf ?? [schema]).flatMap((part) =>
        part.$ref === undefined ? Object.keys(part.properties ?? {}) : propertiesOf(part.$ref.split("/").at(-1) ?? ""),
      );
    };
    for (const [path, name] of [
      [`/approvals/${approvalId}`, "Approval"],
      [`/pushes/${pushId}`, "PushDetail"],
      [`/sessions/${session.id}`, "SessionDetail"],
      [`/exchanges/${session.exchangeId}`, "ExchangeDetail"],
      [`/commits/${"b".repeat(40)}`, "CommitDetail"],
    ] as const) {
      const { status, body } = await get(path);
      expect(status).toBe(200);
      expect(Object.keys(body).sort()).toEqual(propertiesOf(name).sort());
    }
    const [event] = (await get("/events")).body.items;
    expect(Object.keys(event ?? {}).sort()).toEqual(propertiesOf("Event").sort());
  });

  it("is given without a token", async () => {
    const { api } = await setUp();
    const response = await api.request("/openapi.json");
    expect(await response.json()).toMatchObject({ openapi: "3.1.0" });
  });
});

describe("a list", () => {
  it("goes through all rows once in pages, newest first, while new ones arrive", async () => {
    const { db, alice, get } = await setUp();
    const inserted: string[] = [];
    for (let index = 0; index < 7; index += 1) inserted.push(await addPush(db, alice));
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < 5; page += 1) {
      const { body } = await get(`/pushes?limit=3${cursor === null ? "" : `&cursor=${cursor}`}`);
      seen.push(...body.items.map((item) => item.id));
      await addPush(db, alice);
      cursor = body.next;
      if (cursor === null) break;
    }
    expect(cursor).toBeNull();
    expect(seen).toEqual(inserted.toReversed());
  });

  it.each(["pushes", "approvals", "sessions", "exchanges", "commits", "events", "fetches"])(
    "of %s has the contract's shape, and pages",
    async (name) => {
      const { db, alice, get } = await setUp();
      for (let index = 0; index < 3; index += 1) {
        await addHold(db, alice, { push: { commits: [commit({ oid: String(index).repeat(40) })] } });
        await addSession(db, alice, `prompt ${index}`);
        await insertEvent(db, { kind: "a.b", principalId: alice.id, repository: null, subject: null, data: {} });
        await addFetch(db, alice);
      }
      const first = (await get(`/${name}?limit=2`)).body;
      expect(first.items).toHaveLength(2);
      const rest = (await get(`/${name}?limit=2&cursor=${first.next}`)).body;
      expect(rest).toEqual({ items: [expect.objectContaining({ id: expect.any(String) })], next: null });
      const ids = [...first.items, ...rest.items].map((item) => item.id);
      expect(new Set(ids).size).toBe(3);
    },
  );

  it.each([
    ["/pushes?since=yesterday", "since"],
    ["/pushes?until=2026-13-01", "until"],
    ["/pushes?since=2026-02-31", "since"],
    ["/pushes?sha=xyz", "sha"],
    ["/pushes?sha=abc", "sha"],
    ["/pushes?status=pending", "status"],
    ["/approvals?status=held", "status"],
    ["/exchanges?status=held", "status"],
    ["/fetches?status=delivered", "status"],
    ["/pushes?limit=0", "limit"],
    ["/pushes?limit=201", "limit"],
    ["/pushes?limit=ten", "limit"],
    ["/pushes?cursor=AAAA", "cursor"],
    ["/pushes?q=", "q"],
    ["/pushes?q=%00", "q"],
    ["/pushes?user=a&user=b", "user"],
    ["/pushes?colour=red", "colour"],
    [`/pushes?q=${"x".repeat(501)}`, "q"],
  ])("refuses %.60s and names the parameter", async (path, parameter) => {
    const { get } = await setUp();
    const { status, body } = await get(path);
    expect(status).toBe(400);
    expect(body.error).toMatchObject({
      code: "request_malformed",
      message: expect.stringContaining(JSON.stringify(parameter)),
    });
  });

  it("does not take one list's cursor for another's", async () => {
    const { db, alice, get } = await setUp();
    for (let index = 0; index < 2; index += 1) await addHold(db, alice);
    const { body } = await get("/pushes?limit=1");
    expect((await get(`/approvals?cursor=${body.next}`)).status).toBe(400);
  });
});

describe("filters", () => {
  it("find pushes and approvals by person, time, place, ref, object, status and text", async () => {
    const { db, alice, ids } = await setUp();
    const bob = await addPerson(db, "Bob@example.com");
    const oid = "c0ffee".padEnd(40, "1");
    const { pushId, approvalId } = await addHold(db, bob, {
      push: {
        repository: "code/team/other",
        receivedAt: new Date("2026-03-01T12:00:00Z"),
        refs: [{ ref: "refs/heads/feature/x", oldOid: OLD, newOid: oid, forced: false, verdict: "hold", reason: null }],
        commits: [commit({ oid, message: "100%_sure about <b>" })],
      },
    });
    const other = await addHold(db, alice, {
      push: { status: "expired", receivedAt: new Date("2026-05-01T12:00:00Z") },
    });
    for (const query of [
      "user=bob@EXAMPLE.com",
      "repository=code/team/other",
      "repository=code/team/other.git",
      "ref=feature/x",
      "ref=refs/heads/feature/x",
      "sha=C0FFEE1",
      `sha=${oid}`,
      `q=${encodeURIComponent("100%_SURE")}`,
    ]) {
      const found = [query, await ids(`/pushes?${query}`), await ids(`/approvals?${query}`)];
      expect(found).toEqual([query, [pushId], [approvalId]]);
    }
    expect(await ids("/pushes?until=2026-04-01")).toEqual([pushId]);
    expect(await ids("/pushes?since=2026-04-01T00:00:00%2B02:00")).toEqual([other.pushId]);
    expect(await ids("/pushes?status=held")).toEqual([pushId]);
    expect(await ids("/pushes?connection=code")).toHaveLength(2);
    // LIKE's own signs mean themselves.
    for (const q of ["%25", "_", "%5C", "'"]) expect(await ids(`/pushes?q=1${q}0`)).toEqual([]);
    expect(await ids("/pushes?connection=cod")).toEqual([]);
  });

  it("find commits once a repository, as their latest push brought them", async () => {
    const { db, alice, get } = await setUp();
    await addPush(db, alice, { status: "rejected" });
    const second = await addPush(db, alice);
    await addPush(db, alice, { repository: "code/team/fork" });
    const { body } = await get("/commits?repository=code/team/app");
    expect(body.items).toMatchObject([{ sha: "b".repeat(40), push: second, push_status: "delivered" }]);
    expect((await get("/commits?q=because")).body.items).toHaveLength(2);
    expect((await get("/commits?status=rejected")).body.items).toEqual([]);
  });

  it("find sessions and exchanges by text, also where it needs quoting", async () => {
    const { db, alice, ids } = await setUp();
    const { id, exchangeId } = await addSession(db, alice, 'say "hi" to C:\\temp');
    await addSession(db, alice, "something else");
    const q = encodeURIComponent('"HI" to c:\\TEMP');
    expect(await ids(`/sessions?q=${q}`)).toEqual([id]);
    expect(await ids(`/exchanges?q=${q}`)).toEqual([exchangeId]);
    expect(await ids("/exchanges?status=open")).toEqual([]);
  });

  it("find sessions by person, client, model, connection and time, and a session by any time in which it went on", async () => {
    const { db, alice, auditor, ids } = await setUp();
    const bob = await addPerson(db, "bob@example.com");
    const { id, exchangeId } = await addSession(db, alice, "the one");
    const day = (time: string) => new Date(`2026-02-03T${time}Z`);
    await db
      .update(sessions)
      .set({ client: "claude-code", connection: "claude", startedAt: day("04:00:00"), lastActiveAt: day("06:00:00") })
      .where(eq(sessions.id, id));
    await db.update(exchanges).set({ model: "claude-opus" }).where(eq(exchanges.id, exchangeId));
    await addSession(db, bob, "another");
    for (const query of [
      "user=Alice@example.com",
      "client=claude-code",
      "model=claude-opus",
      "connection=claude",
      "until=2026-02-04",
      "since=2026-02-03T05:00:00Z&until=2026-02-03T05:30:00Z",
      "since=2026-02-03T06:00:00Z&until=2026-02-04&client=claude-code&model=claude-opus&user=alice@example.com&q=one",
    ]) {
      expect([query, await ids(`/sessions?${query}`, auditor)]).toEqual([query, [id]]);
    }
    for (const query of [
      "client=claude",
      "model=claude",
      "client=claude-code&model=gpt-5",
      "until=2026-02-03T04:00:00Z",
      "since=2026-02-03T06:00:01Z&until=2026-02-04",
    ]) {
      expect([query, await ids(`/sessions?${query}`, auditor)]).toEqual([query, []]);
    }
  });

  it("find sessions and exchanges by the commits that they are linked to", async () => {
    const { db, alice, ids, get } = await setUp();
    const oid = "c0ffee".padEnd(40, "2");
    const pushId = await addPush(db, alice, {
      repository: "code/team/linked",
      refs: [{ ref: "refs/heads/feature", oldOid: OLD, newOid: oid, forced: false, verdict: "allow", reason: null }],
      commits: [commit({ oid })],
    });
    const linked = await addSession(db, alice, "linked");
    // Newer ones that are not linked, so that the match is not on the first page.
    for (let index = 0; index < 3; index += 1) await addSession(db, alice, `other ${index}`);
    await db.insert(commitSessions).values({
      pushId,
      oid,
      sessionId: linked.id,
      reason: "content",
      confidence: 0.8,
      exchangeIds: [linked.exchangeId],
    });
    for (const query of [
      "repository=code/team/linked",
      "ref=feature",
      "ref=refs/heads/feature",
      `sha=${oid}`,
      "sha=c0ffee2",
      `sha=${oid}&ref=feature&repository=code/team/linked`,
    ]) {
      const found = [query, await ids(`/sessions?${query}&limit=1`), await ids(`/exchanges?${query}&limit=1`)];
      expect(found).toEqual([query, [linked.id], [linked.exchangeId]]);
    }
    for (const query of ["repository=code/team/app", "ref=main", "sha=deadbee", `sha=${oid}&ref=main`]) {
      for (const list of ["sessions", "exchanges"]) {
        expect([query, (await get(`/${list}?${query}`)).body]).toEqual([query, { items: [], next: null }]);
      }
    }
  });

  it("find events by kind, place and what they are about", async () => {
    const { db, alice, auditor, get } = await setUp();
    await insertEvent(db, {
      kind: "push.rejected",
      principalId: alice.id,
      repository: "code/team/app",
      subject: "subject-1",
      data: { refs: ["refs/heads/main"] },
    });
    await insertEvent(db, { kind: "gateway.started", principalId: null, repository: null, subject: null, data: {} });
    const kinds = async (query: string) => (await get(`/events?${query}`, auditor)).body.items.map((item) => item.kind);
    expect(await kinds("")).toEqual(["gateway.started", "push.rejected"]);
    for (const query of [
      "status=push.rejected",
      "connection=code",
      "repository=code/team/app",
      "ref=refs/heads/main",
      "q=subject-1",
      "user=alice@example.com",
    ]) {
      expect([query, await kinds(query)]).toEqual([query, ["push.rejected"]]);
    }
  });
});

it("finds fetches by everything that is known of them, for the person and for auditors", async () => {
  const { db, alice, auditor, get, ids } = await setUp();
  const bob = await addPerson(db, "bob@example.com");
  const oid = "c0ffee".padEnd(40, "0");
  const id = await addFetch(db, alice, {
    connection: "mirror",
    repository: "mirror/team/app",
    status: "client_gone",
    refs: ["refs/heads/topic", "refs/tags/v1"],
    wants: ["d".repeat(40), oid],
    wantCount: 2,
    options: ["filter blob:none"],
    userAgent: "git/2.39.5",
    startedAt: new Date("2026-02-03T04:05:06Z"),
  });
  const other = await addFetch(db, bob);
  for (const query of [
    "user=Alice@example.com",
    "connection=mirror",
    "repository=mirror/team/app.git",
    "ref=refs/heads/topic",
    "ref=topic",
    "ref=v1",
    "sha=c0ffee0",
    `sha=${oid}`,
    "status=client_gone",
    "q=blob:none",
    "q=MIRROR/team",
    "q=git/2.39",
    "q=heads/top",
    "since=2026-02-03T04:05:06Z&until=2026-02-03T04:05:07Z",
  ]) {
    expect([query, await ids(`/fetches?${query}`)]).toEqual([query, [id]]);
    expect([query, await ids(`/fetches?${query}`, auditor)]).toEqual([query, [id]]);
    expect([query, await ids(`/fetches?${query}`, bob)]).toEqual([query, []]);
  }
  for (const query of ["ref=top", "sha=c0ffee1", "status=complete", "q=nothing", "until=2026-02-03T04:05:06Z"]) {
    expect([query, await ids(`/fetches?${query}`)]).toEqual([query, []]);
  }
  expect(await ids("/fetches", auditor)).toEqual([other, id]);
  expect((await get("/fetches")).body.items).toEqual([
    {
      id,
      user: "alice@example.com",
      user_kind: "person",
      connection: "mirror",
      repository: "mirror/team/app",
      kind: "objects",
      status: "client_gone",
      http_status: 200,
      refs: ["refs/heads/topic", "refs/tags/v1"],
      wants: ["d".repeat(40), oid],
      want_count: 2,
      options: ["filter blob:none"],
      request_bytes: 100,
      response_bytes: 5_000_000_000,
      user_agent: "git/2.39.5",
      started_at: "2026-02-03T04:05:06.000Z",
      finished_at: "2026-01-01T00:00:02.000Z",
    },
  ]);
});

describe("who may read", () => {
  it("keeps sessions, exchanges and events to the person and to auditors", async () => {
    const { db, alice, auditor, get, ids } = await setUp();
    const bob = await addPerson(db, "bob@example.com");
    const mine = await addSession(db, alice, "mine");
    await insertEvent(db, { kind: "a.b", principalId: alice.id, repository: null, subject: null, data: {} });
    expect(await ids("/sessions")).toEqual([mine.id]);
    expect(await ids("/sessions", auditor)).toEqual([mine.id]);
    for (const path of ["/sessions", "/sessions?user=alice@example.com", "/exchanges", "/events"]) {
      expect([path, await ids(path, bob)]).toEqual([path, []]);
    }
    expect(await ids("/sessions?user=bob@example.com", alice)).toEqual([]);
    for (const path of [`/sessions/${mine.id}`, `/exchanges/${mine.exchangeId}`]) {
      expect((await get(path)).status).toBe(200);
      expect((await get(path, auditor)).status).toBe(200);
      expect((await get(path, bob)).status).toBe(404);
    }
  });

  it("keeps pushes and commits of a closed repository from who may not read it", async () => {
    const { db, alice, auditor, get, ids } = await setUp();
    const bob = await addPerson(db, "bob@example.com");
    const pushId = await addPush(db, alice, { repository: "code/secret/app" });
    for (const reader of [alice, auditor]) {
      expect(await ids("/pushes", reader)).toEqual([pushId]);
      expect((await get(`/commits/${"b".repeat(40)}`, reader)).status).toBe(200);
    }
    expect(await ids("/pushes", bob)).toEqual([]);
    expect(await ids("/commits", bob)).toEqual([]);
    expect((await get(`/pushes/${pushId}`, bob)).status).toBe(404);
    expect((await get(`/commits/${"b".repeat(40)}`, bob)).status).toBe(404);
  });
});

describe("one record", () => {
  it("shows a session as it went", async () => {
    const { db, alice, get } = await setUp();
    const { id, exchangeId } = await addSession(db, alice, "hello");
    const use = { id: "c1", name: "bash", paths: ["a"], commands: ["ls a"], services: ["git.internal"] };
    await insertToolUses(db, { id: exchangeId, sessionId: id }, [{ ...use, arguments: "{}" }]);
    expect((await get(`/sessions/${id}`)).body).toMatchObject({
      id,
      user: "alice@example.com",
      exchange_count: 1,
      tool_uses: [{ exchange: exchangeId, ...use }],
      transcript: [
        { exchange: exchangeId, role: "user", parts: [{ type: "text", text: "hello" }] },
        { role: "assistant", direction: "response" },
      ],
    });
  });

  it("shows a commit with its sessions and lines in the contract's shape", async () => {
    const { db, alice, get } = await setUp();
    const sha = "b".repeat(40);
    const pushId = await addPush(db, alice);
    const { id, exchangeId } = await addSession(db, alice, "write it");
    const link = { pushId, oid: sha, sessionId: id };
    await db.insert(commitSessions).values([
      { ...link, reason: "content", confidence: 0.7, exchangeIds: [exchangeId] },
      { ...link, reason: "trailer", confidence: 0.9, exchangeIds: [] },
    ]);
    await db.insert(commitLines).values({
      pushId,
      oid: sha,
      ordinal: 0,
      path: "src/a.ts",
      from: 3,
      to: 9,
      verdict: "ai",
      exchangeId,
      sessionId: id,
      score: 0.8,
    });
    expect((await get(`/commits/${sha}`)).body).toMatchObject({
      sha,
      repository: "code/team/app",
      pusher: "alice@example.com",
      push: pushId,
      sessions: [
        { id, client: "copilot-cli", confidence: 0.9, reason: "trailer", exchanges: [] },
        { id, client: "copilot-cli", confidence: 0.7, reason: "content", exchanges: [exchangeId] },
      ],
      files: [
        { path: "src/a.ts", lines: [{ from: 3, to: 9, verdict: "ai", exchange: exchangeId, session: id, score: 0.8 }] },
      ],
    });
  });

  it("shows a commit as the push brought it that got through", async () => {
    const { db, alice, get } = await setUp();
    const delivered = await addPush(db, alice);
    await addPush(db, alice, { status: "rejected" });
    const { body } = await get(`/commits/${"b".repeat(40)}`);
    expect(body).toMatchObject({ push: delivered, push_status: "delivered", attributed_at: null });
  });

  it("shows a commit that waits, without sessions", async () => {
    const { db, alice, get } = await setUp();
    const { pushId } = await addHold(db, alice);
    const { body } = await get(`/commits/${"b".repeat(40)}`);
    expect(body).toMatchObject({ push: pushId, push_status: "held", sessions: [], files: [] });
  });

  it("chooses the repository of a commit that is in several, and says where else it is", async () => {
    const { db, alice, get } = await setUp();
    const sha = "b".repeat(40);
    await addPush(db, alice);
    await addPush(db, alice, { repository: "code/team/fork" });
    expect((await get(`/commits/${sha.slice(0, 10)}`)).body).toMatchObject({
      repository: "code/team/fork",
      also_in: ["code/team/app"],
    });
    expect((await get(`/commits/${sha}?repository=code/team/app`)).body).toMatchObject({
      repository: "code/team/app",
      also_in: [],
    });
    expect((await get(`/commits/${sha}?repository=code/none`)).status).toBe(404);
    expect((await get(`/commits/${"c".repeat(40)}`)).status).toBe(404);
    expect((await get("/commits/main")).status).toBe(404);
  });

  it.each(["sessions", "exchanges", "pushes"])("of %s is 404 for what is no id", async (name) => {
    const { get } = await setUp();
    for (const id of ["x", "%00", "1'--", newId()]) expect((await get(`/${name}/${id}`)).status).toBe(404);
  });
});
