/** The relay and its record: real sockets, real database, the fixture's upstream. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer, request as httpRequest } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import OpenAI from "openai";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { newId } from "../../src/model/id.ts";
import { closeAbandonedExchanges, findExchange, listExchanges, touchGateway } from "../../src/store/exchanges.ts";
import { findExchangeMessages, findTranscript } from "../../src/store/messages.ts";
import { exchanges as exchangeRows, messages as messageRows } from "../../src/store/schema.ts";
import { findSessionByClientKey, listSessions } from "../../src/store/sessions.ts";
import {
  ANA,
  BEN,
  dumpDatabase,
  recordedExchanges,
  SECRETS,
  send,
  startGateway,
  UPSTREAM_KEY,
} from "../copilot/gateway.ts";
import { sdkStory } from "../copilot/sdk-story.ts";

const SESSION = "5bc86a02-a597-468d-a676-17550f434bc5";
const CLI = {
  "user-agent": "copilot/1.0.102 (linux)",
  "x-client-session-id": SESSION,
  "x-interaction-id": "turn-1",
  "x-initiator": "user",
};
const ask = (content: string, more: object = {}) => ({
  model: "gpt-4.1",
  messages: [{ role: "user", content }],
  ...more,
});
const WIRES = [
  ["/chat/completions", ask("Hello")],
  ["/responses", { model: "gpt-5.4", input: "Hello" }],
  ["/v1/messages", { model: "claude-sonnet-4.5", max_tokens: 10, messages: [{ role: "user", content: "Hello" }] }],
] as const;
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const until = async (condition: () => boolean | Promise<boolean>) => {
  await expect.poll(condition, { interval: 10 }).toBe(true);
};

describe("what passes through", () => {
  test("the official SDKs notice no gateway", async () => {
    const gateway = await startGateway();
    await sdkStory(gateway.api, ANA, gateway.upstream);
    const rows = await recordedExchanges(gateway.db);
    expect(rows.map((row) => [row.format, row.streamed, row.status, row.inputTokens])).toEqual([
      ["chat-completions", false, "complete", 12],
      ["chat-completions", true, "complete", 12],
      ["responses", false, "complete", 12],
      ["responses", true, "complete", 12],
      ["messages", false, "complete", 12],
      ["messages", true, "complete", 12],
      ["models", null, "complete", null],
    ]);
  });

  test.each(WIRES)("%s: the bytes are those of a direct call, streamed and whole", async (path, body) => {
    const gateway = await startGateway();
    gateway.upstream.respondAlways({
      text: "Größe 🦊 ".repeat(2_000),
      toolCalls: [{ name: "view", arguments: { path: "a" } }],
    });
    for (const stream of [false, true]) {
      const request = { body: { ...body, stream } };
      const direct = await send(`${gateway.upstream.url}${path}`, { ...request, token: UPSTREAM_KEY });
      const relayed = await send(`${gateway.api}${path}`, request);
      expect(relayed.status).toBe(200);
      expect(direct.body.length).toBeGreaterThan(10_000);
      expect(sha256(relayed.body)).toBe(sha256(direct.body));
      expect(relayed.headers["content-type"]).toBe(direct.headers["content-type"]);
      expect(relayed.headers["content-length"]).toBe(direct.headers["content-length"]);
      expect(relayed.headers["x-request-id"]).toBe(direct.headers["x-request-id"]);
    }
  });

  test("the request's bytes arrive as they were sent, spelling and all", async () => {
    const gateway = await startGateway();
    const body = Buffer.from(
      '{ "model" : "m",\n "messages":[{"role":"user","content":"\\u0041 \\/ 1.0"}], "seed": 1.0e2 }',
    );
    await send(`${gateway.api}/chat/completions?x=1%20&y`, { body });
    expect(gateway.upstream.requests[0]?.body.equals(body)).toBe(true);
    expect(gateway.upstream.requests[0]?.url).toBe("/chat/completions?x=1%20&y");
  });

  test("credentials: the gateway's stay here, the upstream's goes on; hop-by-hop headers go no further", async () => {
    const gateway = await startGateway();
    const reply = await send(`${gateway.api}/chat/completions`, {
      body: ask("Hello"),
      headers: {
        ...CLI,
        cookie: "session=1",
        "sallyport-token": ANA,
        "x-api-key": ANA,
        connection: "close, X-Private",
        "x-private": "yes",
        te: "trailers",
        "accept-encoding": "gzip, br",
        "x-github-api-version": "2026-08-01",
      },
    });
    expect(reply.status).toBe(200);
    const [request] = gateway.upstream.requests;
    expect(request?.headers).toMatchObject({
      authorization: `Bearer ${UPSTREAM_KEY}`,
      "accept-encoding": "gzip, br",
      "x-github-api-version": "2026-08-01",
      "x-client-session-id": SESSION,
      "user-agent": CLI["user-agent"],
      host: new URL(gateway.upstream.url).host,
    });
    expect(JSON.stringify(request?.headers)).not.toContain(ANA);
    for (const name of ["cookie", "sallyport-token", "x-api-key", "x-private", "te"]) {
      expect(request?.headers[name]).toBeUndefined();
    }
  });

  test("a token in the path stays here, too", async () => {
    const gateway = await startGateway();
    const reply = await send(`${gateway.url}/u/${ANA}/copilot/copilot/chat/completions`, {
      token: "",
      body: ask("Hello"),
    });
    expect(reply.status).toBe(200);
    const [request] = gateway.upstream.requests;
    expect(request?.url).toBe("/chat/completions");
    expect(JSON.stringify(request?.headers)).not.toContain(ANA);
    expect(await dumpDatabase(gateway.db)).not.toContain(ANA);
  });

  test("pass-through: the client's own credential goes on, and a gateway token in its place does not", async () => {
    const gateway = await startGateway({ credential: { kind: "passthrough" } });
    await send(`${gateway.url}/u/${ANA}/copilot/copilot/chat/completions`, { token: "its-own", body: ask("1") });
    await send(`${gateway.api}/chat/completions`, {
      token: "its-own",
      headers: { "sallyport-token": ANA },
      body: ask("2"),
    });
    const mistaken = await send(`${gateway.api}/chat/completions`, { token: ANA, body: ask("3") });
    expect(mistaken.status).toBe(401);
    const seen = gateway.upstream.requests.map((request) => request.headers);
    expect(seen.map((headers) => headers.authorization)).toEqual(["Bearer its-own", "Bearer its-own"]);
    expect(JSON.stringify(seen)).not.toContain(ANA);
  });

  test("the upstream's cookies stay here under a shared credential", async () => {
    const gateway = await startGateway();
    gateway.upstream.respond({ headers: { "set-cookie": "company=1", "x-ratelimit": "9" } });
    const reply = await send(`${gateway.api}/chat/completions`, { body: ask("Hello") });
    expect(reply.headers["set-cookie"]).toBeUndefined();
    expect(reply.headers["x-ratelimit"]).toBe("9");
  });

  test("the request id that clients show is the record's", async () => {
    const gateway = await startGateway();
    const reply = await send(`${gateway.api}/chat/completions`, { body: ask("Hello") });
    const record = await findExchange(gateway.db, String(reply.headers["x-github-request-id"]));
    expect(record).toMatchObject({ status: "complete", user: "ana@example.com" });
    expect(record?.upstreamRequestId).toMatch(/^gh-/);
  });

  test("the model list is the upstream's own, byte for byte, where WebSockets are relayed", async () => {
    const gateway = await startGateway();
    const reply = await send(`${gateway.api}/models`);
    expect(reply.text).toContain("ws:/responses");
    expect(reply.text).toBe((await send(`${gateway.upstream.url}/models`, { token: UPSTREAM_KEY })).text);
  });

  test("the model list comes without WebSockets, where none are relayed, and is in no session list", async () => {
    const gateway = await startGateway({ rules: { websocket: "refuse" } });
    const reply = await send(`${gateway.api}/models`, { headers: { "user-agent": "copilot/1.0.102" } });
    const list = JSON.parse(reply.text) as { data: { id: string; supported_endpoints: string[] }[] };
    expect(list.data.find((model) => model.id === "gpt-5.4")?.supported_endpoints).toEqual(["/responses"]);
    expect(Number(reply.headers["content-length"])).toBe(reply.body.length);
    expect(await recordedExchanges(gateway.db)).toMatchObject([
      { format: "models", status: "complete", httpStatus: 200 },
    ]);
    expect((await listSessions(gateway.db, {})).items).toEqual([]);
  });
});

describe("the record", () => {
  test("begins before the upstream hears of the exchange, and is whole before the client has the end", async () => {
    const gateway = await startGateway();
    const seen: string[] = [];
    const status = async () => (await recordedExchanges(gateway.db)).map((row) => row.status).join();
    gateway.upstream.respond({
      text: ["a", "b"],
      beforeChunk: async () => {
        seen.push(await status());
      },
    });
    const client = httpRequest(`${gateway.api}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${ANA}`, "content-type": "application/json" },
    });
    client.end(JSON.stringify(ask("Hello", { stream: true })));
    const [response] = (await once(client, "response")) as [NodeJS.ReadableStream];
    let atEnd = "";
    for await (const chunk of response) {
      if (String(chunk).includes("[DONE]")) atEnd = await status();
    }
    expect(new Set(seen)).toEqual(new Set(["open"]));
    expect(atEnd).toBe("complete");
  });

  test("a conversation is one session, each message stored once, and replays in order", async () => {
    const gateway = await startGateway();
    const history: object[] = [{ role: "system", content: "Be brief." }];
    const tools = [{ type: "function", function: { name: "view", parameters: {} } }];
    for (let turn = 0; turn < 6; turn += 1) {
      // The same words at each turn: a message is stored once, and still has to come up six times.
      history.push({ role: "user", content: "continue" });
      const calls = [{ name: "view", id: `call_${turn}`, arguments: { path: `f${turn}` } }];
      gateway.upstream.respond({ text: `answer ${turn}`, toolCalls: calls });
      const reply = await send(`${gateway.api}/chat/completions`, {
        headers: CLI,
        body: { model: "m", tools, messages: history },
      });
      const { choices } = JSON.parse(reply.text) as { choices: [{ message: object }] };
      history.push(choices[0].message, { role: "tool", tool_call_id: `call_${turn}`, content: `content ${turn}` });
    }
    const { items } = await listSessions(gateway.db, { user: "ANA@example.com" });
    expect(items).toMatchObject([{ client: "copilot-cli", clientKey: SESSION, title: "continue", exchanges: 6 }]);
    // Parameters, system prompt, tools, "continue", six answers; the last tool result was never sent.
    expect(await gateway.db.select().from(messageRows)).toHaveLength(4 + 6 + 5);

    const transcript = await findTranscript(gateway.db, items[0]?.id ?? "");
    const said = transcript.map(({ role, parts }) => {
      const [part] = parts;
      return `${role}: ${part?.type === "tool_call" ? part.name : (part?.text ?? "")}`;
    });
    expect(said.slice(0, 5)).toEqual([
      'system: {"model":"m"}',
      expect.stringContaining("view"),
      "system: Be brief.",
      "user: continue",
      "assistant: answer 0",
    ]);
    expect(said.filter((line) => line === "user: continue")).toHaveLength(6);
    expect(said.slice(-3)).toEqual(["tool: content 4", "user: continue", "assistant: answer 5"]);

    const last = (await listExchanges(gateway.db, { limit: 1 })).items[0];
    const list = await findExchangeMessages(gateway.db, last?.id ?? "");
    expect(list.request).toHaveLength(2 + history.length - 2);
    expect(list.response[0]?.parts[1]).toEqual({
      type: "tool_call",
      id: "call_5",
      name: "view",
      arguments: '{"path":"f5"}',
    });
  });

  test("two people with the same conversation id are two sessions", async () => {
    const gateway = await startGateway();
    for (const token of [ANA, BEN])
      await send(`${gateway.api}/chat/completions`, { token, headers: CLI, body: ask("Hello") });
    const { items } = await listSessions(gateway.db, {});
    expect(items.map((session) => session.user).sort()).toEqual(["ana@example.com", "ben@example.com"]);
    const ben = await findSessionByClientKey(gateway.db, gateway.people.ben.id, SESSION);
    expect(ben?.user).toBe("ben@example.com");
  });

  test("without a conversation id, the history groups", async () => {
    const gateway = await startGateway();
    const first = [{ role: "user", content: "Hello" }];
    const second = [...first, { role: "assistant", content: "Hi" }, { role: "user", content: "More" }];
    const headers = { "vscode-sessionid": "process-1" };
    for (const messages of [first, second, [{ role: "user", content: "Another" }]]) {
      await send(`${gateway.api}/chat/completions`, { headers, body: { model: "m", messages } });
    }
    const { items } = await listSessions(gateway.db, {});
    expect(items.map((session) => [session.title, session.exchanges])).toEqual([
      ["Another", 1],
      ["Hello", 2],
    ]);
  });

  test("exchanges of one session at the same time do not get in each other's way", async () => {
    const gateway = await startGateway();
    const shared = Array.from({ length: 20 }, (_, index) => ({ role: "user", content: `shared ${index}` }));
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, index) => {
        const messages = index % 2 === 0 ? shared : shared.toReversed();
        return send(`${gateway.api}/chat/completions`, { headers: CLI, body: { model: "m", messages } });
      }),
    );
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([200]));
    expect((await listSessions(gateway.db, {})).items).toMatchObject([{ exchanges: 12 }]);
    expect(await gateway.db.select().from(messageRows)).toHaveLength(1 + 20 + 1);
  });

  test("secrets: none in the database, however they were split; the client gets them unchanged", async () => {
    const gateway = await startGateway();
    const chop = (text: string) => text.match(/[^]{1,3}/g) ?? [];
    const [aws = "", slack = "", pem = ""] = SECRETS;
    const call = JSON.stringify({ path: "a.env", file_text: `${aws}\n${pem}\n` });
    for (const [path, body] of WIRES) {
      for (const stream of [true, false]) {
        gateway.upstream.respond({
          reasoning: chop(`I think ${slack} is a token`),
          text: ["see ", ...chop(aws), " and ", ...chop(pem)],
          toolCalls: [{ name: "create", arguments: chop(call) }],
        });
        const text = JSON.stringify({ ...body, stream }).replaceAll(
          "Hello",
          JSON.stringify(`Use ${aws} ${pem}`).slice(1, -1),
        );
        const headers = { ...CLI, "x-agent-task-id": aws, "user-agent": `copilot/${slack}` };
        const reply = await send(`${gateway.api}${path}`, { headers, body: Buffer.from(text) });
        expect(reply.status).toBe(200);
        // In a stream it may come in pieces.
        expect(stream || reply.text.includes(aws)).toBe(true);
      }
    }
    // What refused and failed exchanges say is masked as well.
    gateway.upstream.respond({ status: 400, error: { message: `bad ${aws}`, code: "x" } });
    await send(`${gateway.api}/chat/completions`, { headers: CLI, body: ask("Hello") });
    await send(`${gateway.api}/x/${aws}`, { body: {} });
    const dump = await dumpDatabase(gateway.db);
    expect(dump).toContain("planted-0");
    for (const secret of SECRETS) {
      expect(dump).not.toContain(secret);
      // Nor with its line feeds escaped, nor its first half alone.
      expect(dump).not.toContain(JSON.stringify(secret).slice(1, -1));
      expect(dump).not.toContain(secret.slice(0, Math.ceil(secret.length / 2)));
      expect(JSON.stringify(gateway.log)).not.toContain(secret);
      expect(JSON.stringify(gateway.finished)).not.toContain(secret);
    }
    const rows = await recordedExchanges(gateway.db);
    expect(rows[0]?.masked["planted-0"]).toBeGreaterThanOrEqual(3);
  });

  test("what PostgreSQL cannot hold is kept readable", async () => {
    const gateway = await startGateway();
    const body = Buffer.from(
      String.raw`{"model":"m\u0000","messages":[{"role":"user","content":"nul \u0000 and half \ud83e!"}]}`,
    );
    const reply = await send(`${gateway.api}/chat/completions`, { headers: CLI, body });
    expect(reply.status).toBe(200);
    const session = await findSessionByClientKey(gateway.db, gateway.people.ana.id, SESSION);
    expect(session?.title).toBe("nul \u2400 and half \ufffd!");
  });

  test("a request waits for one statement before it is sent on, and its answer's end for one", async () => {
    const gateway = await startGateway();
    const stepByStep = vi.spyOn(gateway.db, "transaction");
    for (const body of [ask("One"), ask("Two", { stream: true })]) {
      expect((await send(`${gateway.api}/chat/completions`, { headers: CLI, body })).status).toBe(200);
    }
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "complete" }, { status: "complete" }]);
    expect(stepByStep).not.toHaveBeenCalled();
  });

  test("suggestions are told before the client has the end of the answer", async () => {
    const gateway = await startGateway();
    const file = { path: "/w/a.py", file_text: "held()\nfresh()\n" };
    gateway.upstream.respond({ toolCalls: [{ name: "create", arguments: file }] });
    const reply = await send(`${gateway.api}/chat/completions`, {
      headers: CLI,
      body: ask("Use held()\nheld()", { stream: true }),
    });
    expect(gateway.finished).toMatchObject([
      {
        exchangeId: reply.headers["x-github-request-id"],
        principalId: gateway.people.ana.id,
        suggestions: [{ path: "/w/a.py", kind: "edit", lines: ["fresh()"] }],
      },
    ]);
  });

  test("an index that fails harms neither record nor client", async () => {
    const gateway = await startGateway({
      indexRows: () => {
        throw new Error("no index");
      },
    });
    expect((await send(`${gateway.api}/chat/completions`, { body: ask("Hello") })).status).toBe(200);
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "complete" }]);
    expect(gateway.log.map((line) => line.message)).toEqual(["A finished exchange was not indexed"]);
  });

  test("filters: person, time, status, connection and text", async () => {
    const gateway = await startGateway();
    gateway.upstream.respond({ text: 'She said "50% off"\nand left' });
    await send(`${gateway.api}/chat/completions`, { headers: CLI, body: ask("First of ana") });
    gateway.upstream.respond({ status: 500 });
    await send(`${gateway.api}/chat/completions`, { token: BEN, body: ask("First of ben") });
    const titles = async (filter: Parameters<typeof listSessions>[1]) =>
      (await listSessions(gateway.db, filter)).items.map((session) => session.title);
    expect(await titles({ q: "first OF" })).toEqual(["First of ben", "First of ana"]);
    expect(await titles({ q: '"50% off"\nand' })).toEqual(["First of ana"]);
    expect(await titles({ q: "50_ off" })).toEqual([]);
    expect(await titles({ status: "upstream_failed" })).toEqual(["First of ben"]);
    expect(await titles({ user: gateway.people.ana.id })).toEqual(["First of ana"]);
    expect(await titles({ connection: "other" })).toEqual([]);
    expect(await titles({ since: new Date(Date.now() + 1_000) })).toEqual([]);
    expect(await titles({ until: new Date(Date.now() + 1_000) })).toHaveLength(2);
    expect(await titles({ sha: "0".repeat(40) })).toEqual([]);
    const page = await listSessions(gateway.db, { limit: 1 });
    expect(await titles({ limit: 1, cursor: page.next ?? "" })).toEqual(["First of ana"]);
    const found = async (filter: Parameters<typeof listExchanges>[1]) =>
      (await listExchanges(gateway.db, filter)).items.map((exchange) => exchange.user);
    expect(await found({ q: "50% OFF" })).toEqual(["ana@example.com"]);
    expect(await found({ status: "upstream_failed", user: "ben@example.com" })).toEqual(["ben@example.com"]);
    expect(await found({ status: "no such" })).toEqual([]);
    const first = await listExchanges(gateway.db, { limit: 1 });
    expect(await found({ limit: 1, cursor: first.next ?? "" })).toEqual(["ana@example.com"]);
    expect(await found({ session: page.items[0]?.id ?? "" })).toEqual(["ben@example.com"]);
    expect(await found({ session: "not an id" })).toEqual([]);
  });
});

describe("refusals", () => {
  const errorOf = (text: string) => (JSON.parse(text) as { error: { message: string; code: string } }).error;

  test("unknown paths, recorded as touched, without the body", async () => {
    const gateway = await startGateway();
    for (const [method, path] of [
      ["POST", "/agents/runs"],
      ["POST", "/responses/resp_1/cancel"],
      ["GET", "/responses/resp_1"],
      ["GET", "/mcp/readonly"],
      ["DELETE", "/models"],
    ] as const) {
      const reply = await send(`${gateway.api}${path}`, {
        method,
        ...(method === "POST" ? { body: { secret: "prompt" } } : {}),
      });
      expect(reply.status).toBe(404);
      expect(errorOf(reply.text).code).toBe("not_found");
    }
    expect(gateway.upstream.requests).toEqual([]);
    const rows = await recordedExchanges(gateway.db);
    expect(rows.map((row) => [row.method, row.path, row.status, row.format])).toContainEqual([
      "POST",
      "/agents/runs",
      "refused",
      "agents",
    ]);
    expect(rows).toHaveLength(5);
    expect((await listSessions(gateway.db, {})).items).toEqual([]);
  });

  test.each([
    ["no JSON", Buffer.from("hello"), {}, "request_malformed"],
    [
      "repeated names",
      Buffer.from('{"model":"m","messages":[],"messages":[{"role":"user","content":"x"}]}'),
      {},
      "request_malformed",
    ],
    ["no UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), {}, "request_malformed"],
    ["no conversation", Buffer.from("{}"), {}, "request_malformed"],
    ["compressed", Buffer.from("x"), { "content-encoding": "gzip" }, "request_malformed"],
    ["too large", Buffer.alloc(70_000, 0x20), {}, "limit_exceeded"],
  ])("a body with %s: 400, on record, and nothing sent on", async (_what, body, headers, code) => {
    const gateway = await startGateway({ limits: { requestBytes: 65_536 } });
    const reply = await send(`${gateway.api}/chat/completions`, { body, headers });
    expect(reply.status).toBe(400);
    expect(errorOf(reply.text).code).toBe(code);
    expect(gateway.upstream.requests).toEqual([]);
    const [row] = await recordedExchanges(gateway.db);
    expect(row).toMatchObject({ status: "refused", httpStatus: 400, format: "chat-completions" });
    expect(row?.id).toBe(reply.headers["x-github-request-id"]);
  });

  test("a body that grows past the limit without saying its length", async () => {
    const gateway = await startGateway({ limits: { requestBytes: 65_536 } });
    const request = httpRequest(`${gateway.api}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${ANA}` },
    });
    request.on("error", () => {});
    const answered = once(request, "response");
    for (let sent = 0; sent < 3; sent += 1) request.write(Buffer.alloc(30_000, 0x20));
    const [response] = (await answered) as [{ statusCode: number }];
    expect(response.statusCode).toBe(400);
    request.destroy();
  });

  test("ids that the upstream keeps, under a credential that everybody shares", async () => {
    const gateway = await startGateway();
    const body = { model: "m", input: "Hi", previous_response_id: "resp_of_somebody" };
    const reply = await send(`${gateway.api}/responses`, { body });
    expect(reply.status).toBe(400);
    expect(errorOf(reply.text)).toMatchObject({ code: "shared_credential" });
    expect(gateway.upstream.requests).toEqual([]);
    const own = await startGateway({ credential: { kind: "passthrough" } });
    expect((await send(`${own.url}/u/${ANA}/copilot/copilot/responses`, { token: "own", body })).status).toBe(200);
  });

  test("the database away: 503 with a clear text, and the upstream hears nothing", async () => {
    const gateway = await startGateway({ limits: { beginMs: 1_000 } });
    await gateway.handle.close();
    const reply = await send(`${gateway.api}/chat/completions`, { body: ask("my words") });
    expect(reply.status).toBe(503);
    expect(errorOf(reply.text).code).toBe("database_unavailable");
    expect(gateway.upstream.requests).toEqual([]);
    expect(JSON.stringify(gateway.log)).not.toContain("my words");
  });

  test("the database stuck: the same, within its time", async () => {
    const gateway = await startGateway({ limits: { beginMs: 200 } });
    await gateway.db.transaction(async (tx) => {
      await tx.execute(sql`lock table sessions in access exclusive mode`);
      const reply = await send(`${gateway.api}/chat/completions`, { body: ask("Hello") });
      expect(reply.status).toBe(503);
    });
    expect(gateway.upstream.requests).toEqual([]);
  });
});

describe("upstreams that fail", () => {
  const errorOf = (text: string) => (JSON.parse(text) as { error: { message: string; code: string } }).error;

  test("not there", async () => {
    const listener = createServer().listen(0, "127.0.0.1");
    await once(listener, "listening");
    const { port } = listener.address() as AddressInfo;
    listener.close();
    const gateway = await startGateway({ upstreamUrl: `http://127.0.0.1:${port}` });
    const reply = await send(`${gateway.api}/chat/completions`, { body: ask("Hello") });
    expect(reply.status).toBe(502);
    expect(errorOf(reply.text)).toMatchObject({
      code: "upstream_unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "upstream_failed", httpStatus: null }]);
  });

  test("refuses the gateway's credential: the client is not told that its own token is bad", async () => {
    const gateway = await startGateway({ credential: { kind: "bearer", token: "old" } });
    for (const path of ["/chat/completions", "/models"]) {
      const reply = await send(`${gateway.api}${path}`, path === "/models" ? {} : { body: ask("Hello") });
      expect(reply.status).toBe(502);
      expect(errorOf(reply.text).code).toBe("upstream_unauthorized");
    }
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "upstream_failed", httpStatus: 401 }, {}]);
  });

  test("answers with a web page", async () => {
    const gateway = await startGateway();
    gateway.upstream.respond({ status: 200, rawBody: "<h1>Maintenance</h1>", contentType: "text/html; charset=utf-8" });
    const reply = await send(`${gateway.api}/chat/completions`, { body: ask("Hello") });
    expect(reply.status).toBe(502);
    expect(errorOf(reply.text).code).toBe("upstream_misbehaved");
  });

  test.each([429, 500])("answers %i: passed on as it is", async (status) => {
    const gateway = await startGateway();
    gateway.upstream.respond({ status, error: { message: "no", code: "why" }, headers: { "retry-after": "7" } });
    const reply = await send(`${gateway.api}/chat/completions`, { body: ask("Hello") });
    expect(reply.status).toBe(status);
    expect(errorOf(reply.text)).toMatchObject({ message: "no", code: "why" });
    expect(reply.headers["retry-after"]).toBe("7");
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "upstream_failed", httpStatus: status }]);
  });

  test.each(WIRES)(
    "%s: breaks off in the middle of a stream: so does the client's answer, and the record has what came",
    async (path, body) => {
      const gateway = await startGateway();
      gateway.upstream.respond({ text: Array.from({ length: 20 }, (_, index) => `w${index} `), cutAfter: 10 });
      const reply = await send(`${gateway.api}${path}`, { headers: CLI, body: { ...body, stream: true } });
      expect(reply.broken).toBe(true);
      const [row] = await recordedExchanges(gateway.db);
      expect(row).toMatchObject({ status: "truncated", error: "The upstream broke the answer off." });
      const { response } = await findExchangeMessages(gateway.db, row?.id ?? "");
      expect(JSON.stringify(response)).toContain("w0 w1 ");
      expect(JSON.stringify(response)).not.toContain("w19");
    },
  );

  test("breaks off in the middle of a plain body", async () => {
    const gateway = await startGateway();
    gateway.upstream.respond({ cutAfter: 0 });
    const reply = await send(`${gateway.api}/chat/completions`, { body: ask("Hello") });
    expect(reply.broken).toBe(true);
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "truncated" }]);
  });

  test("closes kept-alive connections just as they are used again: one more try, on a new one", async () => {
    let connections = 0;
    const waiting: (() => void)[] = [];
    const fickle = createHttpServer((request, response) => {
      request.resume().once("end", () => {
        waiting.push(() =>
          response.end(JSON.stringify({ choices: [{ message: { role: "assistant", content: "Hi" } }] })),
        );
        // The first two at once: each has a connection of its own.
        if (waiting.length === 2 || connections > 2) for (const answer of waiting.splice(0)) answer();
      });
    });
    fickle.on("connection", (socket) => {
      connections += 1;
      let requests = 0;
      const isEarly = connections <= 2;
      socket.on("data", () => {
        requests += 1;
        if (isEarly && requests > 1) socket.resetAndDestroy();
      });
    });
    fickle.listen(0, "127.0.0.1");
    await once(fickle, "listening");
    onTestFinished(() => {
      fickle.closeAllConnections();
      fickle.close();
    });
    const gateway = await startGateway({ upstreamUrl: `http://127.0.0.1:${(fickle.address() as AddressInfo).port}` });
    const status = async (prompt: string) =>
      (await send(`${gateway.api}/chat/completions`, { body: ask(prompt) })).status;
    expect(await Promise.all([status("one"), status("two")])).toEqual([200, 200]);
    expect(connections).toBe(2);
    expect(await status("three")).toBe(200);
    expect(connections).toBe(3);
  });
});

describe("clients that leave", () => {
  test("in the middle of a stream: the upstream is told, the record has what was sent", async () => {
    const gateway = await startGateway();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    gateway.upstream.respond({
      text: ["one ", "two ", "three"],
      beforeChunk: (index) => (index === 3 ? held : undefined),
    });
    const openai = new OpenAI({ baseURL: gateway.api, apiKey: ANA, maxRetries: 0 });
    const stream = await openai.chat.completions.create({
      model: "m",
      stream: true,
      messages: [{ role: "user", content: "Hello" }],
    });
    let got = "";
    for await (const chunk of stream) {
      got += chunk.choices[0]?.delta.content ?? "";
      if (got === "one two ") break;
    }
    expect(await gateway.upstream.requests[0]?.finished).toBe(false);
    release();
    await until(async () => (await recordedExchanges(gateway.db))[0]?.status === "client_gone");
    const [row] = await recordedExchanges(gateway.db);
    const { response } = await findExchangeMessages(gateway.db, row?.id ?? "");
    expect(response).toEqual([{ role: "assistant", parts: [{ type: "text", text: "one two " }] }]);
  });

  test("before the answer begins", async () => {
    const gateway = await startGateway();
    gateway.upstream.respond({ firstByteMs: 60_000 });
    const request = httpRequest(`${gateway.api}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${ANA}` },
    });
    request.on("error", () => {});
    request.end(JSON.stringify(ask("Hello")));
    await until(() => gateway.upstream.requests.length === 1);
    request.destroy();
    expect(await gateway.upstream.requests[0]?.finished).toBe(false);
    await until(async () => (await recordedExchanges(gateway.db))[0]?.status === "client_gone");
    expect(gateway.log).toEqual([]);
  });

  test("before the request is whole: nothing is sent on", async () => {
    const gateway = await startGateway();
    const request = httpRequest(`${gateway.api}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${ANA}`, "content-length": "1000" },
    });
    request.on("error", () => {});
    request.write('{"model":');
    await sleep(50);
    request.destroy();
    await sleep(50);
    expect((await send(`${gateway.api}/chat/completions`, { body: ask("Hello") })).status).toBe(200);
    expect(gateway.upstream.requests).toHaveLength(1);
    expect(gateway.log).toEqual([]);
  });

  test("slow readers slow the upstream down, instead of filling the gateway's memory", async () => {
    const gateway = await startGateway();
    const piece = "x".repeat(64 * 1024);
    let written = 0;
    gateway.upstream.respond({
      text: Array.from({ length: 1_500 }, () => piece),
      beforeChunk: () => {
        written += 1;
      },
    });
    const request = httpRequest(`${gateway.api}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${ANA}` },
    });
    request.end(JSON.stringify(ask("Hello", { stream: true })));
    const [response] = (await once(request, "response")) as [NodeJS.ReadableStream & { destroy(): void }];
    let before = -1;
    // Nobody reads: at some point nothing moves any more.
    await until(async () => {
      const standing = written === before;
      before = written;
      await sleep(300);
      return standing && written === before && written > 0;
    });
    expect(written).toBeLessThan(600);
    let bytes = 0;
    for await (const chunk of response) bytes += (chunk as Buffer).length;
    expect(bytes).toBeGreaterThan(1_500 * piece.length);
    // More than is recorded of an answer: relayed whole, and the record says so. So large a record may be written after the answer's end.
    await expect.poll(async () => (await recordedExchanges(gateway.db))[0]?.status).not.toBe("open");
    const [row] = await recordedExchanges(gateway.db);
    expect(row).toMatchObject({ status: "truncated", responseBytes: bytes, error: expect.stringContaining("longer") });
  });
});

describe("a gateway that was killed", () => {
  test("leaves open records, which a job closes; what finishes after all is put right", async () => {
    const gateway = await startGateway();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    gateway.upstream.respond({ text: ["one ", "two"], beforeChunk: (index) => (index === 2 ? held : undefined) });
    const reply = send(`${gateway.api}/chat/completions`, { headers: CLI, body: ask("Hello", { stream: true }) });
    await until(() => gateway.upstream.requests.length === 1);
    const self = { id: gateway.id, startedAt: new Date(0) };
    const soon = new Date(Date.now() + 1_000);
    const close = (own: typeof self, seen: Date) => {
      return gateway.db.transaction(async (tx) => {
        await touchGateway(tx, gateway.id, seen);
        return closeAbandonedExchanges(tx, own, new Date());
      });
    };
    // Its own of this run, and another gateway's that is there.
    expect(await close(self, new Date(0))).toBe(0);
    expect(await close({ id: newId(), startedAt: soon }, soon)).toBe(0);
    // Another gateway's that is not; the start of the next run is below.
    expect(await close({ id: newId(), startedAt: new Date(0) }, new Date(0))).toBe(1);
    await gateway.db.update(exchangeRows).set({ status: "open", error: null });
    expect(await close({ ...self, startedAt: soon }, soon)).toBe(1);
    const [closed] = await recordedExchanges(gateway.db);
    expect(closed).toMatchObject({ status: "truncated", error: expect.stringContaining("gateway stopped") });
    // The request is on record all the same.
    expect((await findExchangeMessages(gateway.db, closed?.id ?? "")).request).toHaveLength(2);
    release();
    expect((await reply).broken).toBe(false);
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "complete", error: null }]);
  });
});
