/** The WebSocket of `/responses` through the gateway; `ws` judges both of its sides. */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Attended, StopReason } from "../../src/flows/stopping.ts";
import { WebSocket } from "ws";
import { findExchangeMessages } from "../../src/store/messages.ts";
import { encodeFrame, OPCODE } from "../../src/copilot/streams/websocket.ts";
import {
  ANA,
  BEN,
  dumpDatabase,
  type Gateway,
  plantedMask,
  recordedExchanges,
  SECRETS,
  startGateway,
  UPSTREAM_KEY,
} from "../copilot/gateway.ts";

const RELAY = { rules: { websocket: "relay" } } as const;

interface Client {
  readonly socket: WebSocket;
  /** Every message so far, as text. */
  readonly messages: string[];
  ask(json: object): void;
  /** Resolves with the messages once one of this type has come `count` times. */
  until(type: string, count?: number): Promise<readonly string[]>;
  readonly closed: Promise<{ code: number; reason: string }>;
}

async function open(url: string, token = ANA, headers: Record<string, string> = {}): Promise<Client> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), {
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  onTestFinished(() => socket.terminate());
  const messages: string[] = [];
  const waiting: (() => void)[] = [];
  socket.on("message", (data: Buffer) => {
    messages.push(data.toString());
    for (const wake of waiting.splice(0)) wake();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => {
      resolve({ code, reason: reason.toString() });
      for (const wake of waiting.splice(0)) wake();
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("error", reject);
  });
  const typed = (type: string) => messages.filter((text) => (JSON.parse(text) as { type: string }).type === type);
  return {
    socket,
    messages,
    closed,
    ask: (json) => socket.send(JSON.stringify(json)),
    until: async (type, count = 1) => {
      while (typed(type).length < count) {
        if (socket.readyState === WebSocket.CLOSED) throw new Error(`closed before ${type}: ${messages.join("\n")}`);
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      return typed(type);
    },
  };
}

/** Holds a text back to its end: the least that a mask of streams may do. */
const holdingMask = () => {
  let held = "";
  return {
    push: (text: string) => {
      held += text;
      return "";
    },
    end: () => plantedMask(held).text,
  };
};

const ask = (text: string, more: object = {}) => ({
  type: "response.create",
  model: "gpt-5.4",
  input: [{ role: "user", content: text }],
  store: false,
  ...more,
});
/** Without the handshakes, which have records of their own. */
const askedExchanges = async (db: Gateway["db"]) =>
  (await recordedExchanges(db)).filter(({ format }) => format !== "other");
const said = async (gateway: Gateway, index: number) => {
  const rows = await askedExchanges(gateway.db);
  const { request, response } = await findExchangeMessages(gateway.db, rows[index]?.id ?? "");
  const texts = (list: typeof request) =>
    list.flatMap(({ parts }) => parts).flatMap((part) => (part.type === "text" ? [part.text] : []));
  return { row: rows[index], request: texts(request), response: texts(response) };
};

describe("a conversation", () => {
  test("each message is an exchange of its own, with its own initiator and task, and the client gets the very messages", async () => {
    const gateway = await startGateway(RELAY);
    gateway.sockets.respondAlways({ text: "Hello äöü 🦊.", reasoning: "hm", usage: { input: 5, output: 7 } });
    const client = await open(`${gateway.api}/responses?x=1`, ANA, {
      "x-client-session-id": "c-1",
      "user-agent": "copilot/1",
    });
    client.ask(ask("One", { initiator: "user", agent_task_id: "t-1", headers: { "X-Interaction-Id": "i-1" } }));
    await client.until("response.completed");
    // On record before the client has the end.
    expect((await said(gateway, 0)).row).toMatchObject({
      status: "complete",
      initiator: "user",
      agentTask: "t-1",
      interaction: "i-1",
    });
    client.ask(ask("Two", { initiator: "agent" }));
    await client.until("response.completed", 2);
    const second = await said(gateway, 1);
    expect(second.row).toMatchObject({
      status: "complete",
      method: "GET",
      path: "/responses",
      format: "responses",
      model: "gpt-5.4",
      initiator: "agent",
      httpStatus: 101,
      inputTokens: 5,
      outputTokens: 7,
      streamed: true,
    });
    expect(second).toMatchObject({ request: ["Two"], response: ["Hello äöü 🦊."] });
    expect(second.row?.sessionId).toBe((await said(gateway, 0)).row?.sessionId);

    const direct = new WebSocket(`${gateway.upstream.url.replace("http", "ws")}/responses`, {
      headers: { authorization: `Bearer ${UPSTREAM_KEY}` },
    });
    onTestFinished(() => direct.terminate());
    const wanted: string[] = [];
    direct.on("message", (data: Buffer) => wanted.push(data.toString()));
    await once(direct, "open");
    for (const { text } of gateway.sockets.requests.slice(0, 2)) direct.send(text);
    while (wanted.length < client.messages.length) await once(direct, "message");
    expect(client.messages).toEqual(wanted);
    expect(gateway.sockets.requests[0]?.text).toBe(
      JSON.stringify(ask("One", { initiator: "user", agent_task_id: "t-1", headers: { "X-Interaction-Id": "i-1" } })),
    );
    // The gateway's credential goes on, the person's stays, and no extension is agreed on.
    expect(gateway.sockets.handshakes[0]).toMatchObject({
      authorization: `Bearer ${UPSTREAM_KEY}`,
      "x-client-session-id": "c-1",
    });
    expect(gateway.sockets.handshakes[0]?.["sec-websocket-extensions"]).toBeUndefined();
    expect(client.socket.extensions).toBe("");
  });

  test("a response is continued by its id on the connection that gave it, and the record has the conversation", async () => {
    const gateway = await startGateway(RELAY);
    const client = await open(`${gateway.api}/responses`);
    client.ask(ask("One"));
    const [completed = ""] = await client.until("response.completed");
    const { response } = JSON.parse(completed) as { response: { id: string } };
    client.ask(ask("Two", { previous_response_id: response.id }));
    await client.until("response.completed", 2);
    expect(await said(gateway, 1)).toMatchObject({ request: ["One", "Hello from the fixture.", "Two"] });
    const [first, second] = await askedExchanges(gateway.db);
    expect(second?.sessionId).toBe(first?.sessionId);
    // Not stored upstream: another connection has no use for it, nor has another person.
    const other = await open(`${gateway.api}/responses`, BEN);
    other.ask(ask("Three", { previous_response_id: response.id }));
    const [error = ""] = await other.until("error");
    expect(JSON.parse(error)).toMatchObject({ status: 400, error: { code: "shared_credential" } });
    expect(gateway.sockets.requests).toHaveLength(2);
  });

  test("lanes run beside each other, and each answer goes to its own record", async () => {
    const gateway = await startGateway(RELAY);
    gateway.sockets.respondAlways({ text: "x" });
    const client = await open(`${gateway.api}/responses`);
    client.ask(ask("A", { stream_id: "a" }));
    client.ask(ask("B", { stream_id: "b" }));
    client.ask(ask("A2", { stream_id: "a" }));
    await client.until("response.completed", 3);
    expect((await askedExchanges(gateway.db)).map(({ status }) => status)).toEqual([
      "complete",
      "complete",
      "complete",
    ]);
  });

  test("an upstream that knows no lanes is recorded all the same, in the order in which it was asked", async () => {
    const gateway = await startGateway(RELAY);
    gateway.sockets.respondAlways({ text: "said", knowsLanes: false });
    const client = await open(`${gateway.api}/responses`);
    for (const [text, stream_id] of [
      ["A", "a"],
      ["B", "b"],
      ["A2", "a"],
    ])
      client.ask(ask(text ?? "", { stream_id }));
    await client.until("response.completed", 3);
    for (const index of [0, 1, 2]) {
      expect(await said(gateway, index)).toMatchObject({ row: { status: "complete" }, response: ["said"] });
    }
  });

  test("secrets stay out of the record", async () => {
    const gateway = await startGateway(RELAY);
    gateway.sockets.respondAlways({ text: `The key is ${SECRETS[0]}.` });
    const client = await open(`${gateway.api}/responses`);
    client.ask(ask(`Use ${SECRETS[1]}`));
    await client.until("response.completed");
    const dump = await dumpDatabase(gateway.db);
    for (const secret of SECRETS) expect(dump).not.toContain(secret);
    expect(client.messages.join("")).toContain(SECRETS[0]);
  });

  test("secrets in answers are masked on their way, cut over events and frames, each lane by itself", async () => {
    const find = () => [];
    const gateway = await startGateway({
      sent: { prompts: "pass", answers: "mask", find, maskStream: holdingMask },
    });
    const pieces = SECRETS[0]?.match(/.{1,3}/g) ?? [];
    gateway.sockets.respondAlways({ text: ["Use ", ...pieces, " here"] });
    const client = await open(`${gateway.api}/responses`);
    client.ask(ask("One", { stream_id: "a" }));
    client.ask(ask("Two", { stream_id: "b" }));
    await client.until("response.completed", 2);
    const events = client.messages.map(
      (text) => JSON.parse(text) as { type: string; delta?: string; stream_id?: string },
    );
    for (const lane of ["a", "b"]) {
      const deltas = events.filter(({ type, stream_id }) => type.endsWith(".delta") && stream_id === lane);
      expect(deltas.map(({ delta }) => delta).join("")).toBe("Use ⟦planted-0⟧ here");
    }
    expect(client.messages.join("")).not.toContain(SECRETS[0]);
    const rows = await askedExchanges(gateway.db);
    expect(rows.map(({ status, answerMasked }) => [status, answerMasked])).toEqual([
      ["complete", true],
      ["complete", true],
    ]);
  });

  test("pings and close codes pass both ways", async () => {
    const gateway = await startGateway(RELAY);
    const client = await open(`${gateway.api}/responses`);
    const ponged = once(client.socket, "pong");
    client.socket.ping("ahoy");
    expect((await ponged)[0]?.toString()).toBe("ahoy");
    gateway.sockets.sockets[0]?.close(4321, "enough");
    expect(await client.closed).toEqual({ code: 4321, reason: "enough" });
    const next = await open(`${gateway.api}/responses`);
    next.socket.close(4000, "done");
    await next.closed;
    await expect.poll(() => gateway.sockets.closes).toContain(4000);
  });
});

describe("endings", () => {
  const held = () => {
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => (go = resolve));
    return {
      go,
      script: {
        text: "one two three four five six seven",
        beforeChunk: (index: number) => (index < 6 ? undefined : gate),
      },
    };
  };

  test("the upstream breaks off: so does the client's connection, and the record has what came", async () => {
    const gateway = await startGateway(RELAY);
    gateway.sockets.respondAlways({ text: "one two three four", cutAfter: 5 });
    const client = await open(`${gateway.api}/responses`);
    client.ask(ask("Go"));
    expect((await client.closed).code).toBe(1006);
    await gateway.records.drain();
    await expect.poll(async () => (await said(gateway, 0)).row?.status).toBe("truncated");
    expect((await said(gateway, 0)).response.join("")).toContain("one two");
  });

  test("the client leaves: so does the gateway, upstream", async () => {
    const gateway = await startGateway(RELAY);
    const { go, script } = held();
    onTestFinished(go);
    gateway.sockets.respondAlways(script);
    const client = await open(`${gateway.api}/responses`);
    client.ask(ask("Go"));
    await client.until("response.output_text.delta");
    client.socket.terminate();
    await expect.poll(() => gateway.sockets.closes.length).toBe(1);
    await expect.poll(async () => (await said(gateway, 0)).row?.status).toBe("client_gone");
  });

  test("a token that is taken away ends it at the next message", async () => {
    const gateway = await startGateway(RELAY);
    const client = await open(`${gateway.api}/responses`);
    client.ask(ask("One"));
    await client.until("response.completed");
    gateway.revoke(ANA);
    client.ask(ask("Two"));
    expect((await client.closed).code).toBe(1008);
    expect(gateway.sockets.requests).toHaveLength(1);
  });

  test("who may not go on is ended in the middle of an answer: it is known by which token it began", async () => {
    const attended: { readonly subject: Attended; readonly end: (stop: StopReason) => void }[] = [];
    const gateway = await startGateway({
      ...RELAY,
      stops: () => ({
        standing: () => null,
        attend: (subject, end) => {
          attended.push({ subject, end });
          return () => {};
        },
        refresh: () => Promise.resolve(),
      }),
    });
    const { go, script } = held();
    onTestFinished(go);
    gateway.sockets.respondAlways(script);
    const client = await open(`${gateway.api}/responses`);
    client.ask(ask("Go"));
    await client.until("response.output_text.delta");
    expect(attended.map(({ subject }) => subject.tokenId)).toEqual([expect.any(String)]);
    attended[0]?.end({ reason: "the token that this began with has been revoked", sessionId: null });
    await client.closed;
    await expect.poll(async () => (await said(gateway, 0)).row?.status).toBe("refused");
  });

  test("the gateway stops: what is idle is closed, what runs may end", async () => {
    const gateway = await startGateway(RELAY);
    const { go, script } = held();
    gateway.sockets.respondAlways(script);
    const [busy, idle] = [await open(`${gateway.api}/responses`), await open(`${gateway.api}/responses`)];
    busy.ask(ask("Go"));
    await busy.until("response.output_text.delta");
    gateway.stopping.abort();
    expect((await idle.closed).code).toBe(1001);
    go();
    await busy.until("response.completed");
    expect((await busy.closed).code).toBe(1001);
    expect((await said(gateway, 0)).row?.status).toBe("complete");
  });
});

describe("what is said beside the messages", () => {
  const WORDS = "the launch code is in the drawer";

  test("a handshake is on record by itself before anything is asked, its headers and its query masked", async () => {
    const gateway = await startGateway();
    const query = `q=${encodeURIComponent(`${WORDS} ${SECRETS[0]}`)}`;
    const client = await open(`${gateway.api}/responses?${query}`, ANA, { "x-note": `${WORDS} ${SECRETS[1]}` });
    client.socket.terminate();
    await expect.poll(async () => (await recordedExchanges(gateway.db))[0]?.status).toBe("complete");
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ method: "GET", path: "/responses", httpStatus: 101 }]);
    const dump = await dumpDatabase(gateway.db);
    for (const secret of SECRETS) expect(dump).not.toContain(secret);
    expect(dump).toContain(`${WORDS} ⟦planted-0⟧`);
    expect(dump).toContain(`${WORDS} ⟦planted-1⟧`);
  });

  test("so are a message's own headers, and what stands beside its response", async () => {
    const gateway = await startGateway();
    const client = await open(`${gateway.api}/responses`);
    const { type, ...response } = ask("One");
    client.ask({ type, response, note: `${WORDS} ${SECRETS[0]}`, headers: { "X-Note": `${WORDS} ${SECRETS[1]}` } });
    await client.until("response.completed");
    const dump = await dumpDatabase(gateway.db);
    for (const secret of SECRETS) expect(dump).not.toContain(secret);
    expect(dump).toContain(`${WORDS} ⟦planted-0⟧`);
    expect(dump).toContain(`${WORDS} ⟦planted-1⟧`);
  });
});

test("a person's own token for a tool that runs upstream goes on, and is in no record", async () => {
  const gateway = await startGateway();
  const client = await open(`${gateway.api}/responses`);
  const { type, ...response } = ask("One");
  const tools = [{ type: "mcp", server_label: "tickets", authorization: "own-token-of-a-server" }];
  client.ask({ ...ask("Two"), tools });
  await client.until("response.completed");
  client.ask({ type, response: { ...response, tools }, tools });
  await client.until("response.completed");
  expect(JSON.stringify(gateway.sockets.requests)).toContain("own-token-of-a-server");
  const dump = await dumpDatabase(gateway.db);
  expect(dump).toContain("tickets");
  expect(dump).not.toContain("own-token-of-a-server");
});

describe("what is not let through", () => {
  const refused = (url: string, token = ANA, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const socket = new WebSocket(url.replace(/^http/, "ws"), {
        headers: { authorization: `Bearer ${token}`, ...headers },
      });
      socket.on("unexpected-response", (_request, response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      });
      socket.on("open", () => reject(new Error("it opened")));
      socket.on("error", () => {});
    });

  test("no token, a wrong path, a closed connection, a configuration that refuses it, an upstream that does", async () => {
    const gateway = await startGateway(RELAY);
    expect((await refused(`${gateway.api}/responses`, "gho_none")).status).toBe(401);
    expect((await refused(`${gateway.url}/copilot/closed/responses`)).status).toBe(403);
    expect((await refused(`${gateway.url}/copilot/none/responses`)).status).toBe(404);
    expect((await refused(`${gateway.api}/responses/resp_1`)).status).toBe(404);
    expect((await refused(`${gateway.api}/agents`)).status).toBe(404);
    expect((await refused(`${gateway.url}/copilot/copilot/..%2fresponses`)).status).toBe(400);
    expect(gateway.sockets.handshakes).toEqual([]);
    const off = await startGateway({ rules: { websocket: "refuse" } });
    const { status, body } = await refused(`${off.api}/responses`);
    expect([status, body]).toEqual([400, expect.stringContaining("relays no WebSockets")]);
    const lost = await startGateway({ ...RELAY, upstreamUrl: "http://127.0.0.1:1" });
    expect((await refused(`${lost.api}/responses`)).status).toBe(502);
    expect((await askedExchanges(off.db)).map((row) => row.status)).toEqual(["refused"]);
  });

  test("messages that could carry words past the record are answered, not relayed, and the connection goes on", async () => {
    const gateway = await startGateway(RELAY);
    const client = await open(`${gateway.api}/responses`);
    const bad = [
      "not json",
      "[]",
      '{"type":"response.create","model":"m","input":"a","input":"b"}',
      '{"type":"conversation.item.create","item":{}}',
      '{"type":"response.create","model":"m","input":5}',
      '{"type":"response.create","model":"m","input":"a","headers":{"Authorization":"Bearer x"}}',
      '{"type":"response.create","model":"m","input":"a","headers":{"OpenAI-Project":"proj_other"}}',
      '{"type":"response.create","model":"m","input":"a","headers":{"Copilot-Session-Token":"of somebody"}}',
      `{"type":"response.cancel","why":"${"x".repeat(2_000)}"}`,
    ];
    for (const text of bad) client.socket.send(text);
    const errors = await client.until("error", bad.length);
    for (const text of errors)
      expect(JSON.parse(text)).toMatchObject({ status: 400, error: { message: expect.any(String) } });
    client.socket.send('{"type":"response.cancel"}');
    client.ask(ask("Go"));
    await client.until("response.completed");
    expect(gateway.sockets.requests.map(({ json }) => json["type"])).toEqual(["response.cancel", "response.create"]);
    expect((await askedExchanges(gateway.db)).map((row) => row.status)).toEqual([
      ...bad.map(() => "refused"),
      "complete",
    ]);
  });

  test("binary messages, broken frames and messages that are too large end the connection", async () => {
    const gateway = await startGateway({ ...RELAY, limits: { requestBytes: 10_000 } });
    const binary = await open(`${gateway.api}/responses`);
    binary.socket.send(Buffer.from("{}"));
    expect((await binary.closed).code).toBe(1003);
    const large = await open(`${gateway.api}/responses`);
    large.ask(ask("x".repeat(20_000)));
    expect((await large.closed).code).toBe(1009);
    const broken = await open(`${gateway.api}/responses`);
    (broken.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(
      encodeFrame(OPCODE.text, Buffer.from("x"), null),
    );
    expect((await broken.closed).code).toBe(1002);
    expect(gateway.sockets.requests).toEqual([]);
  });

  test("a handshake that is not one, or that smuggles a request behind it", async () => {
    const gateway = await startGateway(RELAY);
    const raw = async (head: string): Promise<string> => {
      const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
      let text = "";
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      socket.write(head);
      await once(socket, "close");
      return text;
    };
    const handshake = (more: string, key = "dGhlIHNhbXBsZSBub25jZQ==", path = "/copilot/copilot/responses") =>
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ANA}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${more}\r\n`;
    expect(await raw(handshake("", "short"))).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(handshake("Content-Length: 5\r\n"))).toMatch(/^HTTP\/1\.1 400 /);
    // What stands behind a refused handshake is never read as a request.
    const smuggled = `GET /copilot/copilot/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ANA}\r\n\r\n`;
    const answer = await raw(handshake("", undefined, "/copilot/copilot/agents") + smuggled);
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    // Nor behind one that succeeds: it is a broken frame.
    const opened = await raw(handshake("") + smuggled);
    expect(opened).toMatch(/^HTTP\/1\.1 101 /);
    expect(opened.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("another protocol than WebSocket is not asked for: the request is answered as if it had not been", async () => {
    const gateway = await startGateway(RELAY);
    const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
    const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hi" }] });
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.write(
      `POST /copilot/copilot/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ANA}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await expect.poll(() => text).toContain("Hello from the fixture.");
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    socket.write(
      `GET /copilot/copilot/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ANA}\r\nConnection: close\r\n\r\n`,
    );
    await once(socket, "close");
    expect(text.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
  });
});
