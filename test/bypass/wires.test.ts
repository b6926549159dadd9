/** Tricks against the wires of models' APIs: words past the record, another's state, a gateway that falls over. Append-only. */
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import * as zlib from "node:zlib";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  ANA,
  BEN,
  dumpDatabase,
  type Gateway,
  type GatewayOptions,
  type Reply,
  recordedExchanges,
  SECRETS,
  send,
  startGateway,
} from "../copilot/gateway.ts";

/** Of Node 22.15 and later. */
const { zstdCompressSync } = zlib as typeof zlib & { readonly zstdCompressSync?: (bytes: Buffer) => Buffer };
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

/** The same from a client that waits for its answer: the gateway closes. */
async function talk(gateway: Gateway, bytes: string | Buffer): Promise<string> {
  const socket = connect(Number(new URL(gateway.url).port), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => {});
  socket.write(bytes);
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

describe("a client that chooses who is billed", () => {
  const accounts = {
    "openai-organization": "org-other",
    "openai-project": "proj_other",
    "x-goog-user-project": "other",
  };
  const ask = { model: "gpt-4.1", messages: [{ role: "user", content: "Hi" }] };
  const path = "/chat/completions";

  async function heard(options: GatewayOptions): Promise<Record<string, unknown>> {
    const gateway = await startGateway(options);
    const reply = await send(gateway.api + path, { headers: { ...accounts, "sallyport-token": ANA }, body: ask });
    expect(reply.status).toBe(200);
    const headers = gateway.upstream.requests[0]?.headers ?? {};
    return Object.fromEntries(Object.entries(headers).filter(([name]) => name in accounts));
  }

  test("has no choice under a credential that all share", async () => {
    expect(await heard({})).toEqual({});
  });

  test.each<[string, GatewayOptions]>([
    ["where its connection lets it", { rules: { clientAccount: "pass" } }],
    ["under its own credential", { credential: { kind: "passthrough" } }],
  ])("has it %s", async (_, options) => {
    expect(await heard(options)).toEqual(accounts);
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

describe("words beside the body", () => {
  const WORDS = "the launch code is in the drawer";
  const ask = { body: CHAT, headers: { "content-type": "application/json" } };
  const withHeader = (name: string, value: string) => ({ ...ask, headers: { ...ask.headers, [name]: value } });

  test.each([
    ["a header of nobody's", "/chat/completions", withHeader("x-note", `${WORDS} ${SECRET}`)],
    ["a header that clients send", "/chat/completions", withHeader("editor-version", `${WORDS} ${SECRET}`)],
    ["an id that is none", "/chat/completions", withHeader("x-interaction-id", `${WORDS} ${SECRET}`)],
    ["a wish for languages", "/chat/completions", withHeader("accept-language", `${WORDS} ${SECRET}`)],
    ["a type with words in it", "/models", { headers: { accept: `text/x; note="${WORDS} ${SECRET}"` } }],
    [
      "an agent longer than its column",
      "/models",
      { headers: { "user-agent": `${"x".repeat(300)} ${WORDS} ${SECRET}` } },
    ],
    ["a query", `/chat/completions?q=${encodeURIComponent(`${WORDS} ${SECRET}`)}`, ask],
    ["a query in escapes", `/chat/completions?q=${encodeURIComponent(WORDS)}+${SECRET.replace("A", "%41")}`, ask],
    ["a parameter's name", `/models?${encodeURIComponent(`${WORDS} ${SECRET}`)}`, {}],
    ["a list of models", "/models", { headers: { "x-note": `${WORDS} ${SECRET}` } }],
  ] as const)("%s: on record, masked", async (_what, path, options) => {
    const gateway = await startGateway();
    expect((await send(`${gateway.api}${path}`, options)).status).toBe(200);
    expect(gateway.upstream.requests).toHaveLength(1);
    const dump = await dumpDatabase(gateway.db);
    expect(dump).not.toContain(SECRET);
    expect(dump).toContain(`${WORDS} ⟦planted-0⟧`);
  });

  test("a wish for an encoding carries no words", async () => {
    const gateway = await startGateway();
    await send(`${gateway.api}/chat/completions`, withHeader("accept-encoding", `gzip;q=${WORDS}, br;q=0.5`));
    expect(gateway.upstream.requests[0]?.headers["accept-encoding"]).toBe("br;q=0.5");
  });

  test("trailers and the extensions of chunks go nowhere", async () => {
    const gateway = await startGateway();
    const body = JSON.stringify(CHAT);
    const text = await talk(
      gateway,
      `POST /copilot/copilot/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ANA}\r\nContent-Type: application/json\r\n` +
        `Trailer: X-Note\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n` +
        `${body.length.toString(16)};note="${WORDS}"\r\n${body}\r\n0\r\nX-Note: ${WORDS}\r\nAuthorization: Bearer x\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    const [request] = gateway.upstream.requests;
    expect(request?.body.toString()).toBe(body);
    expect(JSON.stringify(request?.headers)).not.toContain(WORDS);
    expect(request?.headers.trailer).toBeUndefined();
  });

  test("ids that change with each request are no message of their own", async () => {
    const gateway = await startGateway();
    for (const id of ["11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"]) {
      await send(`${gateway.api}/chat/completions`, {
        ...ask,
        headers: {
          ...ask.headers,
          session_id: "s-1",
          "x-request-id": id,
          "idempotency-key": `stainless-node-retry-${id}`,
        },
      });
    }
    const dump = await dumpDatabase(gateway.db);
    expect(dump.match(/""kind"": ""head""/g)).toHaveLength(1);
  });

  const sent = (prompts: "mask" | "refuse"): NonNullable<Parameters<typeof startGateway>[0]>["sent"] => ({
    prompts,
    answers: "pass",
    find: (text) => (text.includes(SECRET) ? [{ rule: "planted-0", severity: "block", allowed: null }] : []),
    maskStream: () => ({ push: (text: string) => text, end: () => "" }),
  });
  const OUTSIDE = [
    ["a header", "/chat/completions", withHeader("x-note", `a ${SECRET}`)],
    ["a query", `/chat/completions?a=1&q=${SECRET}`, ask],
  ] as const;

  test.each(OUTSIDE)("%s with a secret, where prompts are masked: it stays here", async (_what, path, options) => {
    const gateway = await startGateway({ sent: sent("mask") });
    expect((await send(`${gateway.api}${path}`, options)).status).toBe(200);
    const [request] = gateway.upstream.requests;
    expect(`${request?.url} ${JSON.stringify(request?.headers)}`).not.toContain(SECRET);
    expect(request?.url).toBe(path.startsWith("/chat/completions?") ? "/chat/completions?a=1" : "/chat/completions");
    expect(request?.headers["content-type"]).toBe("application/json");
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ requestMasked: true }]);
  });

  test.each([...OUTSIDE, ["a path", `/models/${SECRET}`, {}]] as const)(
    "%s with a secret, where such prompts are refused",
    async (_what, path, options) => {
      const gateway = await startGateway({ sent: sent("refuse") });
      const reply = await send(`${gateway.api}${path}`, options);
      expect([reply.status, errorOf(reply).code]).toEqual([400, "secret_in_prompt"]);
      expect(gateway.upstream.requests).toEqual([]);
    },
  );

  test("a path with a secret is refused where prompts are masked: without it, it would be another request", async () => {
    const gateway = await startGateway({ sent: sent("mask") });
    expect((await send(`${gateway.api}/models/${SECRET.replace("A", "%2541").replace("%25", "%")}`)).status).toBe(400);
    expect((await send(`${gateway.api}/models/${SECRET}`)).status).toBe(400);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("a report of telemetry has no words beside it", async () => {
    const gateway = await startGateway({ rules: { telemetry: "mask" } });
    gateway.upstream.respondAt("POST /telemetry", { body: {} });
    const headers = { "content-type": "application/json", "x-note": WORDS, "user-agent": WORDS };
    await send(`${gateway.api}/telemetry?q=${encodeURIComponent(WORDS)}`, { body: [], headers });
    const seen = gateway.upstream.requests.map((request) => `${request.url} ${JSON.stringify(request.headers)}`).join();
    expect(seen).not.toContain("launch");
  });
});

describe("requests made to be misread", () => {
  const WORDS = "the launch code is in the drawer";
  const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: WORDS }] });
  const request = (target: string, lines: readonly string[], content = body, method = "POST") =>
    [
      `${method} ${target} HTTP/1.1`,
      "Host: x",
      `Authorization: Bearer ${ANA}`,
      "Content-Type: application/json",
      ...lines,
      "",
      content,
    ].join("\r\n");
  const CHAT_PATH = "/copilot/copilot/chat/completions";
  const length = `Content-Length: ${body.length}`;

  test("several on one connection at once: each is judged, and each on record", async () => {
    const gateway = await startGateway();
    const text = await talk(
      gateway,
      request(CHAT_PATH, [length]) +
        request("/copilot/copilot/agents/jobs", [length]) +
        request(CHAT_PATH, [length, "Connection: close"]),
    );
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(["200", "404"]);
    // The third has come as well, and nobody hears its answer: whether it got as far as the upstream is a matter of moments.
    const statuses = async () => (await recordedExchanges(gateway.db)).map(({ status }) => status);
    await expect.poll(statuses).not.toContain("open");
    // Counted first: it may still come, and then is on record before it goes upstream.
    const relayed = gateway.upstream.requests.length;
    const recorded = await statuses();
    expect(recorded.slice(0, 2)).toEqual(["complete", "refused"]);
    expect(relayed).toBeLessThan(recorded.length);
  });

  test.each([
    ["an address as a proxy is asked for it", `http://evil.example${CHAT_PATH}`],
    ["two slashes before it", `/${CHAT_PATH}`],
    ["two slashes within it", "/copilot/copilot//chat/completions"],
    ["another case of the root", CHAT_PATH.replace("/copilot/", "/Copilot/")],
    ["another case of the connection", "/copilot/Copilot/chat/completions"],
    ["another case of the path", "/copilot/copilot/Chat/Completions"],
    ["a way up", "/copilot/copilot/x/../chat/completions"],
    ["a way up in escapes", "/copilot/copilot/x/%2e%2e/chat/completions"],
    ["a slash behind it", `${CHAT_PATH}/`],
    ["a fragment", `${CHAT_PATH}#x`],
    ["a backslash", "/copilot/copilot\\chat/completions"],
    ["an asterisk", "*"],
  ])("%s: nothing goes upstream", async (_what, target) => {
    const gateway = await startGateway();
    const text = await talk(gateway, request(target, [length, "Connection: close"]));
    expect(text).not.toMatch(/^HTTP\/1\.1 200 /);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test.each(["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])(
    "%s of a path of inference: refused, and on record",
    async (method) => {
      const gateway = await startGateway();
      const text = await talk(gateway, request(CHAT_PATH, [length, "Connection: close"], body, method));
      expect(text).toMatch(/^HTTP\/1\.1 404 /);
      expect(gateway.upstream.requests).toEqual([]);
      expect(await recordedExchanges(gateway.db)).toMatchObject([{ method, status: "refused" }]);
    },
  );

  test("another host's name, or none, changes neither where it goes nor what the upstream is called", async () => {
    const gateway = await startGateway();
    const text = await talk(
      gateway,
      request(CHAT_PATH, [length, "Connection: close", "X-Forwarded-Host: evil.example"]).replace(
        "Host: x",
        "Host: evil.example:1@y",
      ),
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(gateway.upstream.requests[0]?.headers.host).toBe(new URL(gateway.upstream.url).host);
    const twice = await talk(gateway, request(CHAT_PATH, [length, "Connection: close", "Host: y"]));
    expect(twice).toMatch(/^HTTP\/1\.1 (?:200|400) /);
    expect(gateway.upstream.requests.every(({ headers }) => headers.host === new URL(gateway.upstream.url).host)).toBe(
      true,
    );
  });

  test.each([
    ["a byte order mark", Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(body)]), []],
    ["gzip within gzip", gzipSync(gzipSync(body)), ["Content-Encoding: gzip, gzip"]],
    ["an encoding twice", gzipSync(body), ["Content-Encoding: gzip", "Content-Encoding: gzip"]],
    ["an encoding in capitals behind identity", gzipSync(body), ["Content-Encoding: identity, GZIP"]],
  ] as const)("%s before it is JSON: refused, or on record", async (_what, content, lines) => {
    const gateway = await startGateway();
    const head = request(CHAT_PATH, [`Content-Length: ${content.length}`, "Connection: close", ...lines], "");
    const text = await talk(gateway, Buffer.concat([Buffer.from(head), content]));
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(gateway.upstream.requests).toEqual([]);
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "refused" }]);
  });

  test.each(["\r", "\r\n", "\n"])("lines of a stream that end in %j are read, and masked", async (end) => {
    const events = [SECRET.slice(0, 9), SECRET.slice(9)].map(
      (content) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}${end}${end}`,
    );
    const pieces = [...events, `data: [DONE]${end}${end}`];
    const gateway = await startGateway({
      upstreamUrl: await upstreamOf({ "content-type": "text/event-stream" }, pieces),
    });
    const reply = await send(`${gateway.api}/chat/completions`, { body: { ...CHAT, stream: true } });
    expect(reply.text).toBe(pieces.join(""));
    const dump = await dumpDatabase(gateway.db);
    expect(dump).not.toContain(SECRET);
    expect(dump).toContain("⟦planted-0⟧");
    expect((await recordedExchanges(gateway.db))[0]?.status).toBe("complete");
  });
});

describe("a header that stands there twice", () => {
  const body = JSON.stringify(CHAT);
  const request = (...lines: readonly string[]) =>
    [
      "POST /copilot/copilot/chat/completions HTTP/1.1",
      "Host: x",
      `Content-Length: ${body.length}`,
      "Connection: close",
      ...lines,
      "",
      body,
    ].join("\r\n");
  const [ana, ben] = [`Authorization: Bearer ${ANA}`, `Authorization: Bearer ${BEN}`];

  test.each([
    ["two people", 401, [ana, ben]],
    ["the same person", 401, [ana, ana]],
    ["nobody, and then somebody", 401, ["Authorization:", ana]],
    ["a token of the gateway's, twice", 401, [`Sallyport-Token: ${ANA}`, `Sallyport-Token: ${BEN}`]],
    ["two types of a body", 400, [ana, "Content-Type: application/json", "Content-Type: text/plain; charset=utf-16"]],
  ] as const)("%s: refused, since who reads the one may not read the other", async (_what, status, lines) => {
    const gateway = await startGateway();
    expect(await talk(gateway, request(...lines))).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("an agent in two lines is on record in both", async () => {
    const gateway = await startGateway();
    const lines = [ana, "Content-Type: application/json", "User-Agent: one", `User-Agent: two ${SECRET}`];
    expect(await talk(gateway, request(...lines))).toMatch(/^HTTP\/1\.1 200 /);
    expect(gateway.upstream.requests[0]?.headers["user-agent"]).toBe(`one, two ${SECRET}`);
    expect(await dumpDatabase(gateway.db)).toContain("one, two ⟦planted-0⟧");
  });
});

describe("what another person got, under another name", () => {
  const ask = (item: object, more: object = {}) => ({ body: { model: "m", input: [item], ...more } });
  const text = { type: "summary_text", text: "Thinking." };

  test.each([
    ["an item without a type", ask({ id: "msg_theirs" })],
    ["an item of no type", ask({ type: null, id: "msg_theirs" })],
    ["a message that says nothing", ask({ type: "message", role: "user", id: "msg_theirs", content: [] })],
    ["a call that says nothing", ask({ type: "function_call", id: "fc_theirs", status: "completed" })],
    ["a picture that was made", ask({ type: "image_generation_call", id: "ig_theirs", revised_prompt: "A cat" })],
    ["reasoning", ask({ type: "reasoning", id: "rs_theirs", summary: [] }, { store: false })],
    ["reasoning that the upstream keeps", ask({ type: "reasoning", id: "rs_theirs", summary: [text] })],
    [
      "reasoning in a request that is not kept",
      ask({ type: "reasoning", id: "rs_theirs", summary: [text] }, { store: false }),
    ],
    [
      "the container of a call",
      ask({ type: "code_interpreter_call", id: "ci_mine", code: "1", container_id: "cntr_theirs" }, { store: false }),
    ],
    [
      "a skill",
      {
        body: {
          model: "m",
          input: "Hi",
          tools: [
            {
              type: "shell",
              environment: { type: "container_auto", skills: [{ type: "skill_reference", skill_id: "skill_theirs" }] },
            },
          ],
        },
      },
    ],
  ])("%s", async (_what, options) => {
    const gateway = await startGateway();
    const reply = await send(`${gateway.api}/responses`, options);
    expect([reply.status, errorOf(reply).code]).toEqual([400, "shared_credential"]);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test.each([
    ["a message with its words", ask({ type: "message", role: "assistant", id: "msg_1", content: "Hello" })],
    ["words without a type", ask({ role: "user", id: "x", content: "Hello" })],
    ["reasoning with its ciphertext", ask({ type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAAA" })],
    ["reasoning in clear that has no id", ask({ type: "reasoning", summary: [text] }, { store: false })],
    ["a call", ask({ type: "function_call", id: "fc_1", call_id: "c", name: "n", arguments: "{}" })],
    ["a result", ask({ type: "function_call_output", id: "fco_1", call_id: "c", output: "done" })],
    ["a result without words", ask({ type: "function_call_output", id: "fco_1", call_id: "c", output: "" })],
    ["a picture with its bytes", ask({ type: "image_generation_call", id: "ig_1", result: "iVBOR" })],
  ])("%s stands for itself, and is let through", async (_what, options) => {
    const gateway = await startGateway();
    expect((await send(`${gateway.api}/responses`, options)).status).toBe(200);
  });

  test("one's own is one's own", async () => {
    const gateway = await startGateway();
    const first = JSON.parse((await send(`${gateway.api}/responses`, { body: { model: "m", input: "Hi" } })).text) as {
      output: { id: string }[];
    };
    const id = first.output[0]?.id ?? "";
    expect((await send(`${gateway.api}/responses`, ask({ id }))).status).toBe(200);
    expect((await send(`${gateway.api}/responses`, { ...ask({ id }), token: BEN })).status).toBe(400);
  });

  test.each([true, false])(
    "one's own reasoning in clear is, where nothing is kept, too (streamed: %s)",
    async (stream) => {
      const gateway = await startGateway();
      gateway.upstream.respond({ reasoning: "Let me think.", text: "Done." });
      const asked = { body: { model: "m", input: "Hi", store: false, stream } };
      const said = (await send(`${gateway.api}/responses`, asked)).text;
      const again = ask({ type: "reasoning", id: /rs_\w+/.exec(said)?.[0], summary: [text] }, { store: false });
      expect((await send(`${gateway.api}/responses`, again)).status).toBe(200);
      expect((await send(`${gateway.api}/responses`, { ...again, token: BEN })).status).toBe(400);
    },
  );
});

describe("what another person got, on Anthropic's wire", () => {
  const asked = (content: unknown, more: object = {}) => ({
    body: { model: "m", max_tokens: 9, messages: [{ role: "user", content }], ...more },
  });
  const skill = (type: string, id: string) => ({ type, skill_id: id, version: "latest" });

  test.each([
    ["a file", asked([{ type: "document", source: { type: "file", file_id: "file_theirs" } }])],
    [
      "a file within a tool's result",
      asked([{ type: "tool_result", content: [{ source: { file_id: "file_theirs" } }] }]),
    ],
    [
      "a file in what a tool upstream was given",
      asked([{ type: "server_tool_use", input: { file_id: "file_theirs" } }]),
    ],
    ["a file in content that is no list", asked({ type: "document", source: { file_id: "file_theirs" } })],
    ["a container", asked("Hi", { container: "container_theirs" })],
    ["a container with skills", asked("Hi", { container: { id: "container_theirs", skills: [] } })],
    ["a skill in a new container", asked("Hi", { container: { skills: [skill("custom", "skill_theirs")] } })],
    ["a skill of no type", asked("Hi", { container: { skills: [{ skill_id: "skill_theirs" }] } })],
    ["a skill that is none", asked("Hi", { container: { skills: ["skill_theirs"] } })],
    ["an id that is none", asked("Hi", { container: { id: 7, skills: [] } })],
  ])("%s", async (_what, options) => {
    const gateway = await startGateway();
    const reply = await send(`${gateway.api}/v1/messages`, options);
    expect([reply.status, errorOf(reply).code]).toEqual([400, "shared_credential"]);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("a container of one's own does not carry along another's skill", async () => {
    const gateway = await startGateway();
    gateway.upstream.respond({
      status: 200,
      rawBody: JSON.stringify({ type: "message", role: "assistant", content: [], container: { id: "container_1" } }),
      contentType: "application/json",
    });
    await send(`${gateway.api}/v1/messages`, asked("Hi"));
    const own = (skills: readonly object[]) => asked("Hi", { container: { id: "container_1", skills } });
    const sent = async (skills: readonly object[]) => (await send(`${gateway.api}/v1/messages`, own(skills))).status;
    expect(await sent([skill("anthropic", "pptx")])).toBe(200);
    expect(await sent([skill("anthropic", "pptx"), skill("custom", "skill_theirs")])).toBe(400);
  });

  test.each([
    ["the vendor's own skills", asked("Hi", { container: { skills: [skill("anthropic", "pptx")] } })],
    [
      "an id that a client's own tool is given",
      asked([{ type: "tool_use", id: "t", name: "read", input: { file_id: "F1" } }]),
    ],
    ["nothing", asked("Hi", { container: null })],
  ])("%s points at nothing of anybody's, and is let through", async (_what, options) => {
    const gateway = await startGateway();
    expect((await send(`${gateway.api}/v1/messages`, options)).status).toBe(200);
  });
});

describe("a person's own token for a tool that runs upstream", () => {
  /** In no form that a rule knows. */
  const OWN = "own-token-of-a-server";
  const server = { server_url: "https://mcp.example.com/sse", require_approval: "never" };
  const mcp = { type: "mcp", server_label: "tickets", ...server };

  test.each([
    ["/responses", { input: "Hi", tools: [{ ...mcp, authorization: OWN }] }],
    ["/responses", { input: "Hi", tools: [{ ...mcp, headers: { Authorization: `Bearer ${OWN}`, "X-Team": "blue" } }] }],
    [
      "/responses",
      {
        input: "Hi",
        tools: [
          { type: "function", name: "f", parameters: {} },
          { ...mcp, headers: { "x-api-key": OWN } },
        ],
      },
    ],
    [
      "/v1/messages",
      {
        max_tokens: 9,
        messages: [{ role: "user", content: "Hi" }],
        mcp_servers: [{ type: "url", name: "tickets", url: server.server_url, authorization_token: OWN }],
      },
    ],
  ] as const)("goes on by %s, and is in no record: %#", async (path, body) => {
    const gateway = await startGateway();
    expect((await send(`${gateway.api}${path}`, { body: { model: "m", ...body } })).status).toBe(200);
    expect(gateway.upstream.requests[0]?.body.toString()).toContain(OWN);
    const dump = await dumpDatabase(gateway.db);
    expect(dump).toContain("tickets");
    expect(dump).not.toContain(OWN);
  });

  test("is no place to say something past the record: what is no credential is recorded there, too", async () => {
    const gateway = await startGateway();
    const said = {
      ...mcp,
      authorization: `say this ${SECRET}`,
      headers: { "X-Team": "blue", "X-Token": "two words more" },
    };
    await send(`${gateway.api}/responses`, { body: { model: "m", input: "Hi", tools: [said] } });
    const dump = await dumpDatabase(gateway.db);
    for (const words of ["say this ⟦planted-0⟧", "blue", "two words more"]) expect(dump).toContain(words);
  });
});

describe("a body that says it is no JSON, where a line relays a path without a codec", () => {
  const WORDS = "the launch code is in the drawer";
  const BOUNDARY = "-".repeat(24) + "b1a4c7e2d9f0";
  const parts = (...fields: readonly string[]) =>
    Buffer.from(`${fields.map((field) => `--${BOUNDARY}\r\n${field}\r\n`).join("")}--${BOUNDARY}--\r\n`, "latin1");
  const part = (name: string, value: string) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`;
  const file = (name: string, value: string, type = "application/jsonl") =>
    `Content-Disposition: form-data; name="${name}"; filename="x"\r\nContent-Type: ${type}\r\n\r\n${value}`;
  const typed = (type: string, body: string | Buffer) => ({
    body: Buffer.from(body),
    headers: { "content-type": type },
  });
  const MULTIPART = `multipart/form-data; boundary=${BOUNDARY}`;
  const FORM = "application/x-www-form-urlencoded";
  const start = async (more: NonNullable<Parameters<typeof startGateway>[0]> = {}) => {
    const gateway = await startGateway({ rules: { paths: [relay("/jobs"), relay("/jobs/*")] }, ...more });
    gateway.upstream.respondAt("POST /jobs", { body: { id: "Job-1" } });
    return gateway;
  };
  const JSON_BODY = JSON.stringify({ job_id: "Job-1", prompt: WORDS, key: SECRET });
  const ITEM = JSON.stringify({
    body: { input: [{ type: "item_reference", id: "Job-1" }], note: `${WORDS} ${SECRET}` },
  });

  const BODIES = [
    ["JSON as plain text", typed("text/plain", JSON_BODY)],
    ["JSON as bytes", typed("application/octet-stream", JSON_BODY)],
    ["JSON in another charset", typed("application/json; charset=utf-16", JSON_BODY)],
    ["JSON in UTF-16", typed("text/plain", Buffer.from(JSON_BODY, "utf16le"))],
    ["JSON in UTF-16, high bytes first", typed("text/plain", Buffer.from(JSON_BODY, "utf16le").swap16())],
    ["a file of JSON in UTF-16", typed("application/octet-stream", Buffer.from(`{"a":1}\n${ITEM}\n`, "utf16le"))],
    ["a form", typed(FORM, new URLSearchParams({ job_id: "Job-1", prompt: WORDS, key: SECRET }).toString())],
    [
      "a form's list",
      typed(FORM, new URLSearchParams({ "job_ids[]": "Job-1", prompt: `${WORDS} ${SECRET}` }).toString()),
    ],
    ["a form whose field is JSON", typed(FORM, new URLSearchParams({ request: JSON_BODY }).toString())],
    ["parts", typed(MULTIPART, parts(part("job_id", "Job-1"), part("prompt", `${WORDS} ${SECRET}`)))],
    [
      "a file of JSON lines",
      typed(MULTIPART, parts(part("purpose", "batch"), file("file", `{"custom_id":"Job-1"}\n${ITEM}`))),
    ],
    ["JSON lines", typed("application/x-ndjson", `{"a":1}\n${ITEM}\n`)],
    ["JSON lines behind a byte order mark", typed("application/x-ndjson", `\ufeff${ITEM}\n{"a":1}\n`)],
    ["a name in the middle of a word", typed("text/plain", JSON_BODY.replace("job_id", "parentJobId"))],
    ["a conversation", typed("text/plain", JSON_BODY.replace("job_id", "conversation"))],
  ] as const;

  test.each(BODIES)("%s: what it says is on record, masked", async (_what, options) => {
    const gateway = await start({ rules: { paths: [relay("/jobs", { ids: "any" })] } });
    expect((await send(`${gateway.api}/jobs`, options)).status).toBe(200);
    expect(gateway.upstream.requests[0]?.body.equals(options.body)).toBe(true);
    const dump = await dumpDatabase(gateway.db);
    expect(dump).toContain(WORDS);
    expect(dump).toContain("⟦planted-0⟧");
    expect(dump).not.toContain(SECRET);
  });

  test.each(BODIES)("%s: it points at nothing that somebody else got", async (_what, options) => {
    const gateway = await start();
    await send(`${gateway.api}/jobs`, { body: {} });
    const theirs = await send(`${gateway.api}/jobs`, { ...options, token: BEN });
    expect([theirs.status, errorOf(theirs).code]).toEqual([400, "shared_credential"]);
    expect(gateway.upstream.requests).toHaveLength(1);
    expect((await send(`${gateway.api}/jobs`, options)).status).toBe(200);
  });

  const sent = (prompts: "mask" | "refuse"): NonNullable<Parameters<typeof startGateway>[0]>["sent"] => ({
    prompts,
    answers: "pass",
    find: (text) => (text.includes(SECRET) ? [{ rule: "planted-0", severity: "block", allowed: null }] : []),
    maskStream: () => ({ push: (text: string) => text, end: () => "" }),
  });

  test.each(["mask", "refuse"] as const)("a secret in it does not leave, where prompts are to %s", async (prompts) => {
    const gateway = await start({
      rules: { paths: [relay("/jobs", { ids: "any" })] },
      sent: sent(prompts),
    });
    const binary = Buffer.concat([Buffer.from([0xff, 0xfe, 0]), Buffer.from(SECRET)]);
    const bodies = [
      ...BODIES.map(([, options]) => options),
      typed("image/png", binary),
      typed(MULTIPART, parts(file("image", binary.toString("latin1"), "image/png"))),
    ];
    for (const options of bodies) {
      const reply = await send(`${gateway.api}/jobs`, options);
      expect([reply.status, errorOf(reply).code]).toEqual([400, "secret_in_prompt"]);
    }
    expect(gateway.upstream.requests).toEqual([]);
    expect((await send(`${gateway.api}/jobs`, typed("text/plain", "nothing of it"))).status).toBe(200);
  });

  test.each([
    ["JSON with a name twice", typed("text/plain", '{"job_id":"mine","job_id":"Job-1"}')],
    ["millions of fields", typed(FORM, "a&".repeat(1_000_000))],
    ["thousands of parts", typed(MULTIPART, parts(...Array<string>(2_000).fill(part("a", "b"))))],
    ["parts without their boundary", typed("multipart/form-data", parts(part("job_id", "Job-1")))],
    ["parts that do not end", typed(MULTIPART, parts(part("job_id", "Job-1")).subarray(0, -8))],
  ])("%s: refused", async (_what, options) => {
    const gateway = await start();
    const reply = await send(`${gateway.api}/jobs`, options);
    expect([reply.status, errorOf(reply).code]).toEqual([400, "request_malformed"]);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test.each([
    ["a text of empty lines", "\n".repeat(1_000_000), 200],
    ["a line of blanks", " ".repeat(1_000_000), 200],
    // Nobody looks through all of them, so that none of them is one's own.
    ["a text of very many lines of JSON", "[]\n".repeat(60_000), 400],
  ])("%s keeps the gateway from nothing", async (_what, body, status) => {
    const gateway = await start();
    expect((await send(`${gateway.api}/jobs`, typed("text/plain", body))).status).toBe(status);
  });

  test("an id far down is looked for there, too", async () => {
    const gateway = await start();
    const nested = JSON.parse(`${'{"a":'.repeat(150)}{"job_id":"Job-1"}${"}".repeat(150)}`) as object;
    expect((await send(`${gateway.api}/jobs`, { body: nested })).status).toBe(400);
  });

  test.each([
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["deflate", deflateSync],
    ...(zstdCompressSync === undefined ? [] : [["zstd", zstdCompressSync] as const]),
  ] as const)("packed by %s and cut short: refused wherever it is cut", async (encoding, pack) => {
    const gateway = await start({ rules: { paths: [relay("/jobs", { ids: "any" })] } });
    const packed = pack(Buffer.from(JSON.stringify({ text: WORDS.repeat(20) })));
    for (const length of [1, 4, 9, packed.length >> 1, packed.length - 5, packed.length - 1]) {
      for (const type of ["application/json", "application/octet-stream", "text/plain"]) {
        const body = packed.subarray(0, length);
        const reply = await send(`${gateway.api}/jobs`, {
          body,
          headers: { "content-type": type, "content-encoding": encoding },
        });
        expect([length, type, reply.status]).toEqual([length, type, 400]);
      }
    }
    expect(gateway.upstream.requests).toEqual([]);
  });
});

describe("a person's own token for a tool, in headers that are a list", () => {
  const OWN = "own-token-of-a-server";
  const tool = { type: "mcp", server_label: "tickets", server_url: "https://mcp.example.com/sse" };
  test.each([
    [
      "of names and values",
      [
        { name: "Authorization", value: `Bearer ${OWN}` },
        { name: "X-Team", value: "blue" },
      ],
    ],
    [
      "of keys and values",
      [
        { key: "x-api-key", value: OWN },
        { key: "X-Team", value: "blue" },
      ],
    ],
    [
      "of pairs",
      [
        ["Cookie", OWN],
        ["X-Team", "blue"],
      ],
    ],
    ["of objects", [{ Authorization: OWN }, { "X-Team": "blue" }]],
    ["of lists, by name", { Authorization: [OWN], "X-Team": "blue" }],
  ])("%s: it goes on, and is in no record", async (_what, headers) => {
    const gateway = await startGateway();
    const body = { model: "m", input: "Hi", tools: [{ ...tool, headers }] };
    expect((await send(`${gateway.api}/responses`, { body })).status).toBe(200);
    expect(gateway.upstream.requests[0]?.body.toString()).toContain(OWN);
    const dump = await dumpDatabase(gateway.db);
    expect(dump).toContain("blue");
    expect(dump).not.toContain(OWN);
  });
});
