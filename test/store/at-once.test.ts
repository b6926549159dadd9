import { describe, expect, it } from "vitest";
import { newId } from "../../src/model/id.ts";
import type { Message } from "../../src/model/exchange.ts";
import { beginAtOnce, type NewBeginning } from "../../src/store/begin-at-once.ts";
import type { Database } from "../../src/store/database.ts";
import { findExchange, finishExchange, insertExchange } from "../../src/store/exchanges.ts";
import { finishAtOnce, type NewEnding } from "../../src/store/finish-at-once.ts";
import { countMaskSightings } from "../../src/store/mask-sightings.ts";
import { findExchangeMessages, storeMessages, type HashedMessage } from "../../src/store/messages.ts";
import { findSession, openSession } from "../../src/store/sessions.ts";
import { findSuggestionBlocks } from "../../src/store/suggestions.ts";
import { findToolUses } from "../../src/store/tool-uses.ts";
import { addPerson } from "../attribution/record.ts";
import { testDatabase } from "../harness/database.ts";

const AT = new Date("2026-03-01T10:00:00.123Z");

const message = (role: Message["role"], text: string): HashedMessage => ({
  hash: Buffer.from(text.padEnd(16, ".")),
  role,
  parts: [{ type: "text", text }],
});
const [system, question, answer] = [
  message("system", "be brief"),
  message("user", 'what "is" \\ {this}?'),
  message("assistant", "a test: ⟦aws-access-key:0a1b2c3d⟧"),
];

function beginning(
  principalId: string,
  messages: readonly HashedMessage[],
  more: Partial<NewBeginning> = {},
): NewBeginning {
  return {
    session: { id: newId(), principalId, connection: "copilot", client: "c", clientKey: "key", title: "what", at: AT },
    exchange: {
      id: newId(),
      principalId,
      connection: "copilot",
      format: "chat-completions",
      method: "POST",
      path: "/chat/completions",
      model: "m",
      interaction: "i-1",
      agentTask: null,
      parentAgent: null,
      initiator: "user",
      turn: 1,
      userAgent: 'agent "1" \\',
      status: "open",
      refusal: null,
      streamed: true,
      startedAt: AT,
      finishedAt: null,
      httpStatus: null,
      requestBytes: 123,
      masked: { "aws-access-key": 1 },
      requestMasked: false,
      error: null,
      gateway: newId(),
      history: Buffer.from("0123456789abcdef"),
    },
    messages,
    unknown: [...new Set(messages)],
    ...more,
  };
}

const ending = (
  id: string,
  sessionId: string,
  messages: readonly HashedMessage[],
  more: Partial<NewEnding> = {},
): NewEnding => ({
  id,
  sessionId,
  messages,
  toolUses: [],
  suggestions: [],
  outcome: {
    status: "complete",
    httpStatus: 200,
    model: "m-2",
    firstByteAt: AT,
    finishedAt: new Date(AT.getTime() + 2_000),
    responseBytes: 4_567,
    inputTokens: 11,
    outputTokens: null,
    cachedTokens: 7,
    upstreamRequestId: "up-1",
    refusal: null,
    masked: {},
    answerMasked: true,
    historyAfter: Buffer.from("fedcba9876543210"),
    error: null,
    timing: [{ length: 3, ms: 20 }],
  },
  ...more,
});

const said = async (db: Database, id: string) => {
  const { request, response } = await findExchangeMessages(db, id);
  return [...request, ...response].map(({ parts }) => (parts[0]?.type === "text" ? parts[0].text : ""));
};

const rowOf = async (db: Database, id: string) =>
  (await db.$client`select to_jsonb(e) - 'id' - 'session_id' as row from exchanges e where id = ${id}`)[0]?.["row"];

describe("an exchange in two statements", () => {
  it("is the row that is written step by step", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const given = beginning(ana, [system, question, question]);
    const atOnce = await beginAtOnce(db, given);
    expect(atOnce).toBe(given.session.id);

    const stepwise = { ...given.exchange, id: newId() };
    const session = await openSession(db, { ...given.session, id: newId(), clientKey: "another" });
    const requestMessages = await storeMessages(db, session, given.messages);
    await insertExchange(db, { ...stepwise, sessionId: session.id, requestMessages });
    expect(await rowOf(db, given.exchange.id)).toEqual(await rowOf(db, stepwise.id));
    expect(requestMessages).toEqual([0, 1, 1]);

    const end = ending(given.exchange.id, given.session.id, [answer, question]);
    expect(await finishAtOnce(db, end)).toBe(true);
    const responseMessages = await storeMessages(db, { id: session.id, messageCount: 2 }, end.messages);
    expect(await finishExchange(db, stepwise.id, end.outcome, responseMessages)).toBe(true);
    expect(await rowOf(db, given.exchange.id)).toEqual(await rowOf(db, stepwise.id));
    expect(await said(db, given.exchange.id)).toEqual(
      [system, question, question, answer, question].map(({ parts }) => (parts[0] as { text: string }).text),
    );
    expect(await findExchange(db, given.exchange.id)).toMatchObject({
      status: "complete",
      // What the request asked for stays.
      model: "m",
      firstByteAt: AT,
      responseBytes: 4_567,
      inputTokens: 11,
      outputTokens: null,
      cachedTokens: 7,
      answerMasked: true,
    });
    expect(await countMaskSightings(db, ["0a1b2c3d"], null)).toEqual(
      new Map([["0a1b2c3d", { sessions: 2, pushes: 0 }]]),
    );
    expect(await findSession(db, given.session.id)).toMatchObject({ exchanges: 1, title: "what", startedAt: AT });
  });

  it("continues a session: what is known is not sent again, and keeps its number", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const first = beginning(ana, [system, question]);
    await beginAtOnce(db, first);
    await finishAtOnce(db, ending(first.exchange.id, first.session.id, [answer]));
    const more = message("user", "go on");
    const second = beginning(ana, [system, question, answer, more], { unknown: [more] });
    expect(await beginAtOnce(db, second)).toBe(first.session.id);
    expect(await said(db, second.exchange.id)).toHaveLength(4);
    const rows = await db.$client`select number from messages order by number`;
    expect(rows.map((row) => row["number"])).toEqual([0, 1, 2, 3]);
    expect((await db.$client`select message_count from sessions`)[0]?.["message_count"]).toBe(4);
  });

  it("of a request without messages", async () => {
    const { db } = await testDatabase();
    const given = beginning(await addPerson(db, "ana@example.com"), []);
    expect(await beginAtOnce(db, given)).toBe(given.session.id);
    expect(await finishAtOnce(db, ending(given.exchange.id, given.session.id, []))).toBe(true);
    expect(await said(db, given.exchange.id)).toEqual([]);
  });

  it("with tool calls and suggestions, kept as they are where they are there", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const given = beginning(ana, [question]);
    const { id } = given.exchange;
    const sessionId = given.session.id;
    await beginAtOnce(db, given);
    const use = {
      id: "call_1",
      name: "run",
      arguments: "{}",
      paths: ['a "b"\\.ts', "c,d"],
      commands: [],
      services: [],
    };
    const suggestion = {
      exchangeId: id,
      ordinal: 0,
      sessionId,
      principalId: ana,
      path: "src/\0a.ts",
      kind: "edit" as const,
      lineHashes: Buffer.from("00000000000000ff", "hex"),
      suggestedAt: AT,
    };
    const more = { toolUses: [use], suggestions: [suggestion] };
    expect(await finishAtOnce(db, ending(id, sessionId, [answer], more))).toBe(true);
    expect(await findToolUses(db, sessionId)).toMatchObject([{ exchangeId: id, id: "call_1", paths: use.paths }]);
    const scope = { principalId: ana, since: AT, until: AT };
    expect(await findSuggestionBlocks(db, scope)).toEqual([{ ...suggestion, path: "src/\u2400a.ts" }]);
    expect(await finishAtOnce(db, ending(id, sessionId, [answer], more))).toBe(false);
  });
});

describe("what one statement leaves to a transaction", () => {
  it("an exchange that is there already", async () => {
    const { db } = await testDatabase();
    const given = beginning(await addPerson(db, "ana@example.com"), [question]);
    await beginAtOnce(db, given);
    expect(await beginAtOnce(db, given)).toBeNull();
  });

  it("a message that was taken for known, and has gone with its session", async () => {
    const { db } = await testDatabase();
    const given = beginning(await addPerson(db, "ana@example.com"), [system, question], { unknown: [question] });
    expect(await beginAtOnce(db, given)).toBeNull();
    expect(await db.$client`select id from exchanges`).toHaveLength(0);
  });

  it("an exchange that is finished, or another session's", async () => {
    const { db } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    const given = beginning(ana, [question]);
    const other = beginning(ana, [question]);
    await beginAtOnce(db, given);
    await beginAtOnce(db, { ...other, session: { ...other.session, clientKey: "other" } });
    expect(await finishAtOnce(db, ending(given.exchange.id, other.session.id, [answer]))).toBe(false);
    expect(await findExchange(db, given.exchange.id)).toMatchObject({ status: "open" });
  });

  it("the same message, stored by two exchanges of a session at the same moment", async () => {
    const { db, sql } = await testDatabase();
    const ana = await addPerson(db, "ana@example.com");
    await beginAtOnce(db, beginning(ana, [system]));
    const late = beginning(ana, [system, question]);
    let begun: Promise<unknown> | undefined;
    await sql.begin(async (tx) => {
      await tx`update sessions set message_count = message_count + 1`;
      await tx`insert into messages (session_id, number, hash, role, parts)
        select id, message_count - 1, ${question.hash}, 'user', '[]'::jsonb from sessions`;
      begun = beginAtOnce(db, late);
      begun.catch(() => {});
      // Its snapshot is older than what is committed here: it waits for this transaction.
      for (;;) {
        const [row] = await sql`select count(*)::int as waiting from pg_locks where not granted`;
        if (row?.["waiting"] > 0) break;
      }
    });
    await expect(begun).rejects.toMatchObject({ code: "23505" });
    expect(await findExchange(db, late.exchange.id)).toBeNull();
  });
});
