import { describe, expect, it } from "vitest";
import type { LineLink } from "../../src/model/attribution.ts";
import { findCommit } from "../../src/store/commit-answer.ts";
import {
  claimUnattributed,
  findAddedHunks,
  findOwnSession,
  insertLinks,
  type CommitLinks,
} from "../../src/store/commit-links.ts";
import type { PushStatus } from "../../src/store/schema.ts";
import { addExchange, addPerson, addPush, addSession, at, oid } from "../attribution/record.ts";
import { testDatabase } from "../harness/database.ts";

const line = (more: Partial<LineLink> = {}): LineLink => ({
  path: "src/a.ts",
  from: 1,
  to: 2,
  verdict: "unknown",
  exchangeId: null,
  sessionId: null,
  score: 0,
  ...more,
});

const links = (pushId: string, commit: string, more: Partial<CommitLinks> = {}): CommitLinks => ({
  pushId,
  oid: commit,
  sessions: [],
  lines: [],
  attributedAt: at(100),
  ...more,
});

const NOT_DELIVERED: readonly PushStatus[] = [
  "rejected",
  "held",
  "delivering",
  "undelivered",
  "indeterminate",
  "denied",
  "expired",
];

describe("claimUnattributed", () => {
  it("takes commits of delivered pushes alone, oldest push first, up to the limit", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    for (const status of NOT_DELIVERED) {
      await addPush(db, ana, { minute: 1, status, commits: [{ oid: oid("0") }] });
    }
    const first = await addPush(db, ana, {
      minute: 2,
      commits: [{ oid: oid("a"), message: "One\n" }, { oid: oid("b") }],
    });
    const second = await addPush(db, ana, { minute: 3, commits: [{ oid: oid("c") }] });
    const claimed = await db.transaction((tx) => claimUnattributed(tx, 2));
    expect(claimed).toEqual([
      { pushId: first, oid: oid("a"), message: "One\n", principalId: ana, receivedAt: at(2) },
      expect.objectContaining({ oid: oid("b") }),
    ]);
    const ofSecond = await db.transaction((tx) => claimUnattributed(tx, 9, { pushId: second }));
    expect(ofSecond.map((commit) => commit.oid)).toEqual([oid("c")]);
    const rest = await db.transaction((tx) => claimUnattributed(tx, 9, { except: claimed }));
    expect(rest.map((commit) => commit.oid)).toEqual([oid("c")]);
  });

  it("passes over what another gateway works on, and takes it once that one is gone", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    await addPush(db, ana, { minute: 1, commits: [{ oid: oid("a") }, { oid: oid("b") }] });
    const killed = db.transaction(async (tx) => {
      expect(await claimUnattributed(tx, 1)).toHaveLength(1);
      const beside = await db.transaction((other) => claimUnattributed(other, 9));
      expect(beside.map((commit) => commit.oid)).toEqual([oid("b")]);
      throw new Error("killed");
    });
    await expect(killed).rejects.toThrow("killed");
    expect(await db.transaction((tx) => claimUnattributed(tx, 9))).toHaveLength(2);
  });
});

describe("insertLinks", () => {
  it("marks the commit as read with its links, or does neither", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const push = await addPush(db, ana, { minute: 1, commits: [{ oid: oid("a") }] });
    const broken = line({ verdict: "ai", from: 2 ** 40 });
    await expect(
      db.transaction((tx) => insertLinks(tx, [links(push, oid("a"), { lines: [line(), broken] })])),
    ).rejects.toThrow(Error);
    expect(await db.transaction((tx) => claimUnattributed(tx, 9))).toHaveLength(1);
    expect((await findCommit(db, oid("a")))?.files).toEqual([]);
    await db.transaction((tx) => insertLinks(tx, [links(push, oid("a"))]));
    expect(await db.transaction((tx) => claimUnattributed(tx, 9))).toEqual([]);
  });

  it("refuses a second time, and a commit that is not there", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const push = await addPush(db, ana, { minute: 1, commits: [{ oid: oid("a") }] });
    await db.transaction((tx) => insertLinks(tx, [links(push, oid("a"))]));
    for (const commit of [oid("a"), oid("b")]) {
      const again = db.transaction((tx) => insertLinks(tx, [links(push, commit)]));
      await expect(again).rejects.toMatchObject({ code: "conflict" });
    }
  });

  it("takes thousands of runs, and paths longer than an index entry may be", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const push = await addPush(db, ana, { minute: 1, commits: [{ oid: oid("a") }] });
    const path = Array.from({ length: 800 }, (_, i) => `d${i}`).join("/");
    const lines = Array.from({ length: 2_500 }, (_, i) => line({ path, from: i + 1, to: i + 1 }));
    await db.transaction((tx) => insertLinks(tx, [links(push, oid("a"), { lines })]));
    const answer = await findCommit(db, oid("a"));
    expect(answer?.files.map((file) => [file.path, file.lines.length])).toEqual([[path, 2_500]]);
    expect(answer?.files[0]?.lines.map(({ from }) => from)).toEqual(lines.map(({ from }) => from));
  });
});

describe("findAddedHunks", () => {
  it("reads the lines of this commit of this push", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const files = { "src/b.ts": ["one", "two"], "src/a.ts": ["three"] };
    const push = await addPush(db, ana, {
      minute: 1,
      commits: [
        { oid: oid("a"), files },
        { oid: oid("b"), files: { "src/c.ts": ["four"] } },
      ],
    });
    await addPush(db, ana, { minute: 2, commits: [{ oid: oid("a"), files: { "src/d.ts": ["five"] } }] });
    expect(await findAddedHunks(db, { pushId: push, oid: oid("a") })).toEqual([
      { commit: oid("a"), path: "src/b.ts", startLine: 1, text: "one\ntwo" },
      { commit: oid("a"), path: "src/a.ts", startLine: 1, text: "three" },
    ]);
  });

  it("stops after 32 MiB", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const lines = ["x".repeat(20 * 1024 * 1024)];
    const files = { a: lines, b: lines, c: lines };
    const push = await addPush(db, ana, { minute: 1, commits: [{ oid: oid("a"), files }] });
    const hunks = await findAddedHunks(db, { pushId: push, oid: oid("a") });
    expect(hunks.map(({ path }) => path)).toEqual(["a", "b"]);
  });
});

describe("findOwnSession", () => {
  it("finds the person's own session that had begun, the latest of several connections", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const ben = await addPerson(db, "ben@example.com");
    const session = await addSession(db, ana, { clientKey: "key", minute: 5 });
    const later = await addSession(db, ana, { clientKey: "key", minute: 7, connection: "other" });
    const find = (principalId: string, clientKey: string, minute: number) =>
      findOwnSession(db, { principalId, clientKey, until: at(minute) });
    expect(await find(ana, "key", 6)).toBe(session);
    expect(await find(ana, "key", 7)).toBe(later);
    expect(await find(ana, "key", 4)).toBeNull();
    expect(await find(ana, "ke", 5)).toBeNull();
    expect(await find(ana, "%", 5)).toBeNull();
    expect(await find(ben, "key", 5)).toBeNull();
  });
});

describe("findCommit", () => {
  it("answers as the contract says", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const session = await addSession(db, ana);
    const exchange = await addExchange(db, ana, session, 1);
    const push = await addPush(db, ana, { minute: 2, commits: [{ oid: oid("a") }] });
    const from = { verdict: "ai", exchangeId: exchange, sessionId: session, score: 0.75 } as const;
    await db.transaction((tx) =>
      insertLinks(tx, [
        links(push, oid("a"), {
          sessions: [
            { sessionId: session, reason: "content", confidence: 0.75, exchangeIds: [exchange] },
            { sessionId: session, reason: "trailer", confidence: 0.99, exchangeIds: [] },
          ],
          lines: [line({ ...from, to: 4 }), line({ from: 5, to: 5 }), line({ path: "src/b.ts", to: 1 })],
        }),
      ]),
    );
    expect(await findCommit(db, oid("a"))).toEqual({
      sha: oid("a"),
      repository: "code/team/app",
      pusher: "ana@example.com",
      push,
      attributed_at: at(100).toISOString(),
      sessions: [
        { id: session, client: "copilot-cli", confidence: 0.99, reason: "trailer", exchanges: [] },
        { id: session, client: "copilot-cli", confidence: 0.75, reason: "content", exchanges: [exchange] },
      ],
      files: [
        {
          path: "src/a.ts",
          lines: [
            { from: 1, to: 4, verdict: "ai", exchange, session, score: 0.75 },
            { from: 5, to: 5, verdict: "unknown", exchange: null, session: null, score: 0 },
          ],
        },
        { path: "src/b.ts", lines: [{ from: 1, to: 1, verdict: "unknown", exchange: null, session: null, score: 0 }] },
      ],
    });
  });

  it("tells of no push that did not go through", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    for (const status of NOT_DELIVERED) {
      await addPush(db, ana, { minute: 1, status, commits: [{ oid: oid("a") }] });
    }
    expect(await findCommit(db, oid("a"))).toBeNull();
    const push = await addPush(db, ana, { minute: 0, commits: [{ oid: oid("a") }] });
    await addPush(db, ana, { minute: 9, status: "rejected", commits: [{ oid: oid("a") }] });
    expect(await findCommit(db, oid("a"))).toMatchObject({ push, attributed_at: null, sessions: [], files: [] });
  });

  it("prefers the push that attribution has read, then the latest; and the repository that is asked for", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const add = (minute: number, repository: string): Promise<string> =>
      addPush(db, ana, { minute, repository, commits: [{ oid: oid("a") }] });
    const older = await add(1, "code/one");
    const read = await add(2, "code/one");
    const later = await add(3, "code/two");
    for (const push of [older, read]) await db.transaction((tx) => insertLinks(tx, [links(push, oid("a"))]));
    expect(await findCommit(db, oid("a"))).toMatchObject({ push: read, repository: "code/one" });
    expect(await findCommit(db, oid("a"), "code/two")).toMatchObject({ push: later });
    expect(await findCommit(db, oid("a"), "code/three")).toBeNull();
    expect(await findCommit(db, oid("f"))).toBeNull();
  });
});
