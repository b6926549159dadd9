import { describe, expect, it } from "vitest";
import { matchCommit } from "../../src/attribution/matching.ts";
import {
  createAttributionFlow,
  type AttributionDependencies,
  type AttributionFlow,
} from "../../src/flows/attribution.ts";
import { createSuggestionIndex } from "../../src/flows/exchange/suggestion-index.ts";
import { createAttributionJob } from "../../src/jobs/attribution.ts";
import type { Suggestion } from "../../src/model/exchange.ts";
import type { LogFields, Logger } from "../../src/model/log.ts";
import { findCommit } from "../../src/store/commit-answer.ts";
import type { Database } from "../../src/store/database.ts";
import { insertSuggestions } from "../../src/store/suggestions.ts";
import { addExchange, addPerson, addPush, addSession, at, days, oid, setPushStatus } from "../attribution/record.ts";
import { testDatabase } from "../harness/database.ts";

const CODE = `export function monthlyTotals(invoices: readonly Invoice[]): Map<string, number> {
  const totals = new Map<string, number>();
  for (const invoice of invoices) {
    const month = invoice.date.slice(0, 7);
    totals.set(month, (totals.get(month) ?? 0) + invoice.amount);
  }
  return totals;
}`.split("\n");

const OWN_WORK = `export async function loadSettings(file: string): Promise<Settings> {
  const text = await readFile(file, "utf8");
  return settingsSchema.parse(JSON.parse(text));
}`.split("\n");

const PUSHED = 60;

interface Setting {
  readonly db: Database;
  readonly flow: AttributionFlow;
  readonly ana: string;
  readonly logged: string[];
  /** Has Copilot suggest the lines to somebody. @returns the exchange and its session */
  readonly suggest: (
    principalId: string,
    minute: number,
    suggestion?: Partial<Suggestion>,
    session?: string,
  ) => Promise<{ exchange: string; session: string }>;
}

const KEY = Buffer.from("key");
const indexRows = createSuggestionIndex(KEY);

async function setUp(more: Partial<AttributionDependencies> = {}): Promise<Setting> {
  const { db } = await testDatabase();
  const logged: string[] = [];
  const note = (_: LogFields, message: string): void => void logged.push(message);
  const log: Logger = { debug: note, info: note, warn: note, error: note };
  const flow = createAttributionFlow({ db, key: KEY, log, now: () => at(100), ...more });
  return {
    db,
    flow,
    logged,
    ana: await addPerson(db, "ana@example.com"),
    suggest: async (principalId, minute, suggestion = {}, given = "") => {
      const session = given === "" ? await addSession(db, principalId, { minute }) : given;
      const exchange = await addExchange(db, principalId, session, minute);
      const rows = indexRows({
        exchangeId: exchange,
        sessionId: session,
        principalId,
        finishedAt: at(minute),
        suggestions: [{ path: "src/totals.ts", kind: "edit", lines: CODE, ...suggestion }],
      });
      await insertSuggestions(db, rows);
      return { exchange, session };
    },
  };
}

const sessionsOf = async (db: Database, sha: string) => (await findCommit(db, sha))?.sessions;

describe("content", () => {
  it("links a commit to the session that suggested its lines, and says which lines", async () => {
    const { db, flow, ana, suggest } = await setUp();
    const { exchange, session } = await suggest(ana, 10);
    const files = { "src/totals.ts": [...CODE.map((line) => `  ${line}`), ...OWN_WORK] };
    const push = await addPush(db, ana, { minute: PUSHED, commits: [{ oid: oid("a"), files }] });
    expect(await flow.attributePush(push)).toBe(1);
    const answer = await findCommit(db, oid("a"));
    expect(answer?.attributed_at).toBe(at(100).toISOString());
    expect(answer?.sessions).toEqual([
      { id: session, client: "copilot-cli", confidence: expect.any(Number), reason: "content", exchanges: [exchange] },
    ]);
    expect(answer?.sessions[0]?.confidence).toBeGreaterThan(0.8);
    expect(answer?.files).toEqual([
      {
        path: "src/totals.ts",
        lines: [
          { from: 1, to: 8, verdict: "ai", exchange, session, score: expect.any(Number) },
          { from: 9, to: 12, verdict: "unknown", exchange: null, session: null, score: 0 },
        ],
      },
    ]);
  });

  it("finds nothing in what was suggested to somebody else", async () => {
    const { db, flow, ana, suggest } = await setUp();
    const ben = await addPerson(db, "ben@example.com");
    await suggest(ben, 10);
    const push = await addPush(db, ana, {
      minute: PUSHED,
      commits: [{ oid: oid("a"), files: { "src/totals.ts": CODE } }],
    });
    await flow.attributePush(push);
    const answer = await findCommit(db, oid("a"));
    expect(answer?.sessions).toEqual([]);
    expect(answer?.files[0]?.lines).toMatchObject([{ from: 1, to: 8, verdict: "unknown" }]);
  });

  it("finds nothing in what was suggested after the push, or long before; the commit's own dates do not count", async () => {
    const { db, flow, ana, suggest } = await setUp();
    await suggest(ana, PUSHED + 1);
    await suggest(ana, PUSHED - days(30) - 1);
    const commits = [{ oid: oid("a"), files: { "src/totals.ts": CODE } }];
    await flow.attributePush(await addPush(db, ana, { minute: PUSHED, commits }));
    expect(await sessionsOf(db, oid("a"))).toEqual([]);
    const { session } = await suggest(ana, PUSHED - days(30));
    await flow.attributePush(await addPush(db, ana, { minute: PUSHED, repository: "code/b", commits }));
    expect((await findCommit(db, oid("a"), "code/b"))?.sessions).toMatchObject([{ id: session }]);
  });

  it("indexes an exchange once, however often it is told of it, and no brackets", async () => {
    const { db, flow, ana, suggest } = await setUp();
    const { session } = await suggest(ana, 10, { path: null, kind: "fence", lines: ["{", "}", "", "];"] });
    const suggestions: Suggestion[] = [{ path: "src/\0.ts", kind: "edit", lines: CODE }];
    const exchangeId = await addExchange(db, ana, session, 11);
    const ended = { exchangeId, sessionId: session, principalId: ana, finishedAt: at(11), suggestions };
    await insertSuggestions(db, indexRows(ended));
    await insertSuggestions(db, indexRows(ended));
    const files = { "src/other.ts": ["{", "}", "", "];"], "src/\u2400.ts": CODE };
    await flow.attributePush(await addPush(db, ana, { minute: PUSHED, commits: [{ oid: oid("a"), files }] }));
    const answer = await findCommit(db, oid("a"));
    expect(answer?.files.map((file) => [file.path, file.lines.map(({ verdict }) => verdict)])).toEqual([
      ["src/other.ts", ["unknown"]],
      ["src/\u2400.ts", ["ai"]],
    ]);
  });
});

describe("trailer", () => {
  const message = "Add totals\n\nBody.\n\nCopilot-Session: 0b8f3a52-6a0e\nSigned-off-by: Ana <ana@example.com>\n";
  const clientKey = "0b8f3a52-6a0e";

  it("links the pusher's own session of that id, beside what the content says", async () => {
    const { db, flow, ana, suggest } = await setUp();
    const session = await addSession(db, ana, { clientKey, minute: 1 });
    const { exchange } = await suggest(ana, 10, {}, session);
    const commits = [
      { oid: oid("a"), message, files: { "src/totals.ts": CODE } },
      { oid: oid("b"), message },
    ];
    const push = await addPush(db, ana, { minute: PUSHED, commits });
    expect(await flow.attributePush(push)).toBe(2);
    expect(await sessionsOf(db, oid("a"))).toEqual([
      { id: session, client: "copilot-cli", confidence: 0.99, reason: "trailer", exchanges: [] },
      { id: session, client: "copilot-cli", confidence: expect.any(Number), reason: "content", exchanges: [exchange] },
    ]);
    expect(await sessionsOf(db, oid("b"))).toMatchObject([{ id: session, reason: "trailer" }]);
  });

  it("does not link somebody else's session, nor one that began after the push, nor one named in the body", async () => {
    const { db, flow, ana } = await setUp();
    const ben = await addPerson(db, "ben@example.com");
    await addSession(db, ben, { clientKey, minute: 1 });
    await addSession(db, ana, { clientKey, minute: PUSHED + 1 });
    await addSession(db, ana, { clientKey: "in-the-body", minute: 1 });
    const body = "Title\n\nCopilot-Session: in-the-body\n\nMore.\n";
    const commits = [
      { oid: oid("a"), message },
      { oid: oid("b"), message: body },
    ];
    expect(await flow.attributePush(await addPush(db, ana, { minute: PUSHED, commits }))).toBe(2);
    expect(await sessionsOf(db, oid("a"))).toEqual([]);
    expect(await sessionsOf(db, oid("b"))).toEqual([]);
  });
});

describe("pushes", () => {
  it("are read once they are delivered, and once", async () => {
    const { db, flow, ana } = await setUp();
    const commits = [{ oid: oid("a") }];
    const push = await addPush(db, ana, { minute: PUSHED, status: "delivering", commits });
    expect(await flow.attributePush(push)).toBe(0);
    await setPushStatus(db, push, "delivered");
    expect(await Promise.all([flow.attributePush(push), flow.attributePush(push)])).toEqual(
      expect.arrayContaining([1, 0]),
    );
    expect(await flow.attributePending()).toBe(0);
  });

  it("of hundreds of commits are read as a whole", async () => {
    const { db, flow, ana, suggest } = await setUp();
    await suggest(ana, 10);
    const commits = Array.from({ length: 100 }, (_, i) => ({
      oid: i.toString(16).padStart(40, "0"),
      files: { [`src/f${i}.ts`]: CODE },
    }));
    expect(await flow.attributePush(await addPush(db, ana, { minute: PUSHED, commits }))).toBe(100);
    expect(await sessionsOf(db, commits[99]?.oid ?? "")).toHaveLength(1);
  });

  it("of one push are read alike, those that add much and those that add little", async () => {
    const { db, flow, ana, suggest } = await setUp();
    const { session } = await suggest(ana, 10);
    const much = Array.from({ length: 3_000 }, (_, at) => `const value${at} = compute(${at}, "of a long file");`);
    const commits = [
      { oid: oid("a"), files: { "src/totals.ts": CODE } },
      { oid: oid("b"), files: { "src/much.ts": [...much, ...CODE] } },
      { oid: oid("c"), files: { "src/own.ts": OWN_WORK } },
    ];
    expect(await flow.attributePush(await addPush(db, ana, { minute: PUSHED, commits }))).toBe(3);
    expect(await sessionsOf(db, oid("a"))).toMatchObject([{ id: session }]);
    const large = await findCommit(db, oid("b"));
    expect(large?.sessions).toMatchObject([{ id: session }]);
    expect(large?.files[0]?.lines).toMatchObject([
      { from: 1, to: 3_000, verdict: "unknown" },
      { from: 3_001, to: 3_008, verdict: "ai" },
    ]);
    expect(await sessionsOf(db, oid("c"))).toEqual([]);
  });

  it("of one push are read although one of them cannot be", async () => {
    const { db, flow, ana, logged } = await setUp({
      match: (input) => {
        if (input.hunks.some(({ path }) => path === "src/broken.ts")) throw new Error("broken");
        return matchCommit(input);
      },
    });
    const files = { "src/broken.ts": CODE };
    const push = await addPush(db, ana, {
      minute: 1,
      commits: [{ oid: oid("a") }, { oid: oid("b"), files }, { oid: oid("c") }],
    });
    expect(await flow.attributePush(push)).toBe(3);
    expect(logged).toEqual(["a commit could not be linked to its sessions; it will be tried again"]);
    for (const [sha, attributed_at] of [
      [oid("a"), at(100).toISOString()],
      [oid("b"), null],
      [oid("c"), at(100).toISOString()],
    ] as const)
      expect(await findCommit(db, sha)).toMatchObject({ attributed_at });
  });

  it("wait no longer than others for a commit that cannot be read; it is tried again later", async () => {
    let minute = 100;
    let isBroken = true;
    const { db, flow, ana, logged } = await setUp({
      now: () => at(minute),
      match: (input) => {
        if (isBroken && input.hunks.some(({ path }) => path === "src/broken.ts")) throw new Error("broken");
        return matchCommit(input);
      },
    });
    const broken = await addPush(db, ana, {
      minute: 1,
      commits: [{ oid: oid("a"), files: { "src/broken.ts": CODE } }],
    });
    await addPush(db, ana, { minute: 2, commits: [{ oid: oid("b") }] });
    expect(await flow.attributePending()).toBe(2);
    expect(logged).toEqual(["a commit could not be linked to its sessions; it will be tried again"]);
    expect(await findCommit(db, oid("b"))).toMatchObject({ attributed_at: at(100).toISOString() });
    expect(await findCommit(db, oid("a"))).toMatchObject({ push: broken, attributed_at: null, sessions: [] });
    isBroken = false;
    expect(await flow.attributePending()).toBe(0);
    minute += 11;
    expect(await flow.attributePending()).toBe(1);
    expect(await findCommit(db, oid("a"))).toMatchObject({ attributed_at: at(111).toISOString() });
  });
});

describe("the job", () => {
  it("reads what was left behind when it starts, and what it is woken for", async () => {
    const { db, flow, ana } = await setUp();
    const many = Array.from({ length: 40 }, (_, i) => ({ oid: i.toString(16).padStart(40, "a") }));
    await addPush(db, ana, { minute: 1, commits: many });
    const job = createAttributionJob({
      attribution: flow,
      isBusy: () => false,
      log: { debug() {}, info() {}, warn() {}, error() {} },
      now: () => new Date(),
    });
    const isRead = async (sha: string): Promise<void> => {
      await expect.poll(async () => (await findCommit(db, sha))?.attributed_at).toEqual(expect.any(String));
    };
    job.start();
    try {
      for (const commit of many) await isRead(commit.oid);
      await addPush(db, ana, { minute: 2, commits: [{ oid: oid("b") }] });
      job.wake();
      await isRead(oid("b"));
    } finally {
      await job.stop();
    }
    await addPush(db, ana, { minute: 3, commits: [{ oid: oid("c") }] });
    job.wake();
    expect((await findCommit(db, oid("c")))?.attributed_at).toBeNull();
  });
});
