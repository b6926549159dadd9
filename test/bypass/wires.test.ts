/** Tricks against the wires of models' APIs: words past the record, another's state, a gateway that falls over. Append-only. */
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  ANA,
  BEN,
  dumpDatabase,
  type Gateway,
  type Reply,
  recordedExchanges,
  SECRETS,
  send,
  startGateway,
} from "../copilot/gateway.ts";

const SECRET = SECRETS[0] ?? "";
const CHAT = { model: "m", messages: [{ role: "user", content: "Hi" }] };
const errorOf = (reply: Reply) => (JSON.parse(reply.text) as { error: { code: string; message: string } }).error;
const relay = (path: string, more: object = {}) =>
  ({ path, methods: [], action: "relay", ids: "own", ...more }) as const;

/** Sends bytes as they are, and reads until the connection closes. */
async function raw(gateway: Gateway, bytes: string | Buffer): Promise<string> {
  const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => {});
  socket.end(bytes);
  await once(socket, "close");
  return text;
}

/** An upstream that answers every request with these pieces, as they are. */
async function upstreamOf(headers: Record<string, string>, pieces: readonly (string | Buffer)[]): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, headers);
    for (const piece of pieces) response.write(piece);
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("bodies that two readers read differently", () => {
  test.each([
    ["a name twice", '{"model":"m","messages":[],"messages":[{"role":"user","content":"x"}]}', {}],
    ["a name twice, one of them in escapes", '{"model":"m","messages":[],"m\\u0065ssages":[]}', {}],
    ["a name twice, deep down", '{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}', {}],
    ["UTF-16", Buffer.from('{"model":"m","messages":[]}', "utf16le"), {}],
    ["UTF-16 by its type", '{"model":"m","messages":[]}', { "content-type": "application/json; charset=utf-16" }],
    ["a form by its type", '{"model":"m","messages":[]}', { "content-type": "application/x-www-form-urlencoded" }],
    ["two types", '{"model":"m","messages":[]}', { "content-type": "application/json, text/xml" }],
    [
      "invalid UTF-8",
      Buffer.concat([Buffer.from('{"model":"m","messages":["'), Buffer.from([0xff]), Buffer.from('"]}')]),
      {},
    ],
    ["gzip by its name alone", '{"model":"m","messages":[]}', { "content-encoding": "gzip" }],
    ["an encoding that is not known", gzipSync("{}"), { "content-encoding": "zstd" }],
    ["two encodings", gzipSync("{}"), { "content-encoding": "gzip, gzip" }],
    ["half of gzip", gzipSync('{"model":"m","messages":[]}').subarray(0, 20), { "content-encoding": "gzip" }],
    ["two values in one body", '{"model":"m","messages":[]}{"model":"m"}', {}],
  ])("%s", async (_what, body, headers) => {
    const gateway = await startGateway();
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const reply = await send(`${gateway.api}/chat/completions`, { body: bytes, headers });
    expect(reply.status).toBe(400);
    expect(errorOf(reply).message).toContain("It was not sent on.");
    expect(gateway.upstream.requests).toEqual([]);
    expect((await recordedExchanges(gateway.db)).map((row) => row.status)).toEqual(["refused"]);
  });

  test("gzip that unpacks to more than is read: refused, and never held", async () => {
    const gateway = await startGateway({ limits: { requestBytes: 200_000 } });
    const body = gzipSync(Buffer.alloc(100_000_000, " "));
    expect(body.length).toBeLessThan(200_000);
    const reply = await send(`${gateway.api}/chat/completions`, { body, headers: { "content-encoding": "gzip" } });
    expect([reply.status, errorOf(reply).code]).toEqual([400, "limit_exceeded"]);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("a second gzip member behind the first: both are what is read, and what goes on", async () => {
    const gateway = await startGateway();
    const [head, tail] = ['{"model":"m","messages":[{"role":"user","content":"seen', ' too"}]}'];
    const body = Buffer.concat([gzipSync(head), gzipSync(tail)]);
    const reply = await send(`${gateway.api}/chat/completions`, { body, headers: { "content-encoding": "gzip" } });
    expect(reply.status).toBe(200);
    expect(gateway.upstream.requests[0]?.body.toString()).toBe(head + tail);
    expect(await dumpDatabase(gateway.db)).toContain("seen too");
  });

  test("U+0000 in a prompt hides no secret, and is kept readable", async () => {
    const gateway = await startGateway();
    const body = { ...CHAT, messages: [{ role: "user", content: `\0${SECRET}\0` }] };
    expect((await send(`${gateway.api}/chat/completions`, { body })).status).toBe(200);
    expect(await dumpDatabase(gateway.db)).not.toContain(SECRET);
  });
});

describe("lengths that lie", () => {
  const head = (length: string) =>
    `POST /copilot/copilot/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ANA}\r\nContent-Type: application/json\r\n${length}\r\n`;
  const body = JSON.stringify(CHAT);

  test("too short: what is behind is no request of anybody's", async () => {
    const gateway = await startGateway();
    const text = await raw(gateway, `${head("Content-Length: 5\r\nConnection: close\r\n")}${body}`);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("too long: the client is gone before its request is whole", async () => {
    const gateway = await startGateway();
    await raw(gateway, `${head("Content-Length: 500\r\n")}${body}`);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("two of them, or one beside chunks", async () => {
    const gateway = await startGateway();
    for (const lengths of [
      `Content-Length: ${body.length}\r\nContent-Length: 5\r\n`,
      `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`,
      "Transfer-Encoding: chunked, identity\r\n",
    ]) {
      expect(await raw(gateway, `${head(lengths)}${body}`)).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect(gateway.upstream.requests).toEqual([]);
  });
});

describe("paths that could mean another one upstream", () => {
  test.each([
    "/agents/%73ecret",
    "/agents/s%65cret",
    "/%61gents/secret",
    "/agents/%2e%2e/models",
    "/agents/%2E%2E/models",
    "/agents/..%2fmodels",
    "/agents/%252e%252e/models",
    "/agents/%25252e",
    "/agents/secret;x",
    "/agents/secret%3Bx",
    "/agents//secret",
    "/agents/./secret",
    "/agents/secret/",
    "/agents\\secret",
    "/agents/secret%00",
    "/agents/%c0%ae%c0%ae/x",
  ])("%s reaches neither a rule nor the upstream", async (path) => {
    const gateway = await startGateway({
      rules: {
        paths: [
          { ...relay("/agents/secret/**"), action: "refuse" },
          { ...relay("/agents/secret"), action: "refuse" },
          relay("/agents/**", { ids: "any" }),
        ],
      },
    });
    const reply = await send(gateway.url, { path: `/copilot/copilot${path}` });
    expect(reply.status).toBe(400);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("a method in another case, or in a header, is not the one that a rule names", async () => {
    const gateway = await startGateway({ rules: { paths: [relay("/custom", { methods: ["GET"] })] } });
    gateway.upstream.respondAt("GET /custom", { body: {} });
    await send(`${gateway.api}/custom`, { headers: { "x-http-method-override": "DELETE" } });
    expect(gateway.upstream.requests[0]?.headers["x-http-method-override"]).toBeUndefined();
    expect((await send(`${gateway.api}/custom`, { method: "DELETE" })).status).toBe(404);
  });
});

describe("what another person got", () => {
  test.each([
    ["a response", { previous_response_id: "resp_theirs" }],
    ["a conversation", { conversation: "conv_theirs" }],
    ["a conversation, as an object", { conversation: { id: "conv_theirs" } }],
    ["an item", { input: [{ type: "item_reference", id: "msg_theirs" }] }],
    ["a file", { input: [{ role: "user", content: [{ type: "input_file", file_id: "file_theirs" }] }] }],
    ["a picture", { input: [{ role: "user", content: [{ type: "input_image", file_id: "file_theirs" }] }] }],
    ["a stored prompt", { prompt: { id: "pmpt_theirs" } }],
    ["a vector store", { tools: [{ type: "file_search", vector_store_ids: ["vs_theirs"] }] }],
    ["a container", { tools: [{ type: "code_interpreter", container: "cntr_theirs" }] }],
    ["an id of no shape", { previous_response_id: { id: ["resp_theirs"] } }],
    ["an empty id", { previous_response_id: "" }],
  ])("%s", async (_what, fields) => {
    const gateway = await startGateway();
    const reply = await send(`${gateway.api}/responses`, { body: { model: "m", input: "Hi", ...fields } });
    expect([reply.status, errorOf(reply).code]).toEqual([400, "shared_credential"]);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("an id of one's own does not carry along another's", async () => {
    const gateway = await startGateway();
    const first = JSON.parse((await send(`${gateway.api}/responses`, { body: { model: "m", input: "Hi" } })).text) as {
      id: string;
    };
    const body = {
      model: "m",
      previous_response_id: first.id,
      input: [{ type: "item_reference", id: "msg_theirs" }],
    };
    expect((await send(`${gateway.api}/responses`, { body })).status).toBe(400);
  });

  test("an upstream that gives the same id twice: it stays with whom it was given to first", async () => {
    const gateway = await startGateway({ rules: { paths: [relay("/jobs"), relay("/jobs/*")] } });
    gateway.upstream.respondAt("POST /jobs", { body: { id: "Job-1" } });
    gateway.upstream.respondAt("GET /jobs/Job-1", { body: {} });
    await send(`${gateway.api}/jobs`, { body: {} });
    await send(`${gateway.api}/jobs`, { body: {}, token: BEN });
    expect((await send(`${gateway.api}/jobs/Job-1`)).status).toBe(200);
    expect((await send(`${gateway.api}/jobs/Job-1`, { token: BEN })).status).toBe(400);
  });

  test("in the query of a path that a line relays", async () => {
    const gateway = await startGateway({ rules: { paths: [relay("/jobs")] } });
    expect((await send(`${gateway.api}/jobs?job_id=Job-1`)).status).toBe(400);
  });
});

describe("answers made to be misread", () => {
  const SSE = { "content-type": "text/event-stream" };
  const delta = (content: string) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;

  test("one line without an end, larger than what is recorded: the client gets it, the memory does not", async () => {
    const pieces = Array.from({ length: 64 }, () => "x".repeat(32_768));
    const upstreamUrl = await upstreamOf(SSE, [delta("kept"), "data: ", ...pieces]);
    const gateway = await startGateway({ upstreamUrl, limits: { answerBytes: 500_000 } });
    const reply = await send(`${gateway.api}/chat/completions`, { body: { ...CHAT, stream: true } });
    expect(reply.body.length).toBe(64 * 32_768 + delta("kept").length + 6);
    const [row] = await recordedExchanges(gateway.db);
    expect(row?.status).toBe("truncated");
    expect(await dumpDatabase(gateway.db)).not.toContain("x".repeat(1_000));
  });

  test("a packed answer that unpacks to more than is recorded", async () => {
    const body = gzipSync(
      JSON.stringify({ choices: [{ message: { role: "assistant", content: "y".repeat(50_000_000) } }] }),
    );
    const upstreamUrl = await upstreamOf({ "content-type": "application/json", "content-encoding": "gzip" }, [body]);
    const gateway = await startGateway({ upstreamUrl, limits: { answerBytes: 500_000 } });
    const reply = await send(`${gateway.api}/chat/completions`, { body: CHAT, headers: { "accept-encoding": "gzip" } });
    expect(reply.body.equals(body)).toBe(true);
    expect((await recordedExchanges(gateway.db))[0]?.status).toBe("truncated");
  });

  test("a packed answer that is not what it says, or in an encoding that nobody asked for", async () => {
    for (const encoding of ["gzip", "zstd", "gzip, br"]) {
      const upstreamUrl = await upstreamOf({ "content-type": "application/json", "content-encoding": encoding }, [
        "{}",
      ]);
      const gateway = await startGateway({ upstreamUrl });
      expect((await send(`${gateway.api}/chat/completions`, { body: CHAT })).text).toBe("{}");
      expect((await recordedExchanges(gateway.db))[0]?.status).toBe("truncated");
    }
  });

  test("a secret split over events, fields and chunks is masked all the same", async () => {
    const [a, b, c] = [SECRET.slice(0, 5), SECRET.slice(5, 11), SECRET.slice(11)];
    const events = [
      delta(a),
      `: comment\ndata: {"choices":[{"index":0,\ndata: "delta":{"content":${JSON.stringify(b)}}}]}\n\n`,
      delta(c),
      "data: [DONE]\n\n",
    ].join("");
    const pieces = Array.from(Buffer.from(events), (byte) => Buffer.from([byte]));
    const gateway = await startGateway({ upstreamUrl: await upstreamOf(SSE, pieces) });
    const reply = await send(`${gateway.api}/chat/completions`, { body: { ...CHAT, stream: true } });
    expect(reply.text).toBe(events);
    const dump = await dumpDatabase(gateway.db);
    expect(dump).not.toContain(SECRET);
    expect(dump).toContain("⟦planted-0⟧");
    expect((await recordedExchanges(gateway.db))[0]?.status).toBe("complete");
  });

  test("invalid UTF-8, U+0000 and lone surrogates in an answer reach the client, and the record", async () => {
    const bad = Buffer.concat([
      Buffer.from('data: {"choices":[{"index":0,"delta":{"content":"a'),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('\\u0000\\ud800b"}}]}\n\ndata: [DONE]\n\n'),
    ]);
    const gateway = await startGateway({ upstreamUrl: await upstreamOf(SSE, [bad]) });
    const reply = await send(`${gateway.api}/chat/completions`, { body: { ...CHAT, stream: true } });
    expect(reply.body.equals(bad)).toBe(true);
    expect((await recordedExchanges(gateway.db))[0]?.status).toBe("complete");
  });

  test("an answer that promises more than it has is broken off for the client, too", async () => {
    const server = createServer((request, response) => {
      request.resume();
      response.writeHead(200, { "content-type": "application/json", "content-length": 1_000 });
      response.write('{"choices":', () => response.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const upstreamUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const gateway = await startGateway({ upstreamUrl });
    expect((await send(`${gateway.api}/chat/completions`, { body: CHAT })).broken).toBe(true);
    await expect.poll(async () => (await recordedExchanges(gateway.db))[0]?.status).toBe("truncated");
  });
});

describe("words in places that no codec reads", () => {
  const WORDS = "the launch code is in the drawer";
  const chat = (message: unknown, more: object = {}) => [
    "/chat/completions",
    { model: "m", messages: [{ role: "user", content: "Hi" }, message], ...more },
  ];
  const responses = (item: unknown, more: object = {}) => ["/responses", { model: "m", input: [item], ...more }];
  const messages = (block: unknown, more: object = {}) => [
    "/v1/messages",
    { model: "m", max_tokens: 9, messages: [{ role: "user", content: [block] }], ...more },
  ];
  const hi = { role: "user", content: "Hi" };
  test.each([
    ["a field of a message", ...chat({ role: "user", content: "Hi", note: WORDS })],
    ["a name of a message", ...chat({ role: "user", content: "Hi", name: WORDS })],
    ["a role", ...chat({ role: WORDS, content: "Hi" })],
    ["content that is an object", ...chat({ role: "user", content: { type: "text", text: WORDS } })],
    ["a text beside another one", ...chat({ role: "user", content: [{ type: "text", text: "Hi", other: WORDS }] })],
    ["behind an empty text", ...chat({ role: "user", content: [{ text: "", image_url: { url: WORDS } }] })],
    ["calls of a tool's own message", ...chat({ role: "tool", content: "x", tool_calls: [{ id: WORDS }] })],
    [
      "the other half of a call",
      ...chat({
        role: "assistant",
        tool_calls: [{ type: "custom", custom: { name: "x", input: "x" }, function: { arguments: WORDS } }],
      }),
    ],
    ["tools that are no list", ...chat(hi, { tools: { name: WORDS } })],
    ["a field's own name", ...chat({ role: "user", content: "Hi", [WORDS]: true })],
    ["a field named __proto__", ...chat(JSON.parse(`{"role":"user","content":"Hi","__proto__":{"x":"${WORDS}"}}`))],
    ["instructions that are no text", ...responses(hi, { instructions: [{ role: "system", content: WORDS }] })],
    ["a message's field", ...responses({ ...hi, note: WORDS })],
    ["ciphertext that is none", ...responses({ type: "reasoning", summary: [], encrypted_content: WORDS })],
    ["a compaction that is none", ...responses({ type: "compaction", encrypted_content: WORDS })],
    ["a call's own output", ...responses({ type: "function_call", call_id: "c", name: "x", output: WORDS })],
    ["an id", ...responses({ type: "function_call_output", call_id: WORDS, output: "x" })],
    ["a block's field", ...messages({ type: "text", text: "Hi", citations: [{ cited_text: WORDS }] })],
    ["thinking that is none", ...messages({ type: "redacted_thinking", data: WORDS })],
    ["a signature that is none", ...messages({ type: "thinking", thinking: "x", signature: WORDS })],
    ["a result's field", ...messages({ type: "tool_result", tool_use_id: "t", content: "x", note: WORDS })],
    ["metadata", ...messages({ type: "text", text: "Hi" }, { metadata: { user_id: WORDS } })],
    ["a prompt that is a list", "/v1/completions", { model: "m", prompt: [WORDS, "b"] }],
    ["beside the texts of vectors", "/embeddings", { model: "m", input: "x", inputs: WORDS }],
  ] as [string, string, object][])("%s: on record, masked", async (_what, path, body) => {
    const gateway = await startGateway();
    const text = JSON.stringify(body).replaceAll(WORDS, `${WORDS} ${SECRET}`);
    const reply = await send(`${gateway.api}${path}`, {
      body: Buffer.from(text),
      headers: { "content-type": "application/json" },
    });
    const dump = await dumpDatabase(gateway.db);
    expect(dump).not.toContain(SECRET);
    // Refused is as good: then nothing went anywhere.
    if (gateway.upstream.requests.length === 0) expect(reply.status).toBe(400);
    else expect(dump).toContain(`${WORDS} ⟦planted-0⟧`);
  });
});
