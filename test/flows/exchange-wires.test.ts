/** Every wire through the gateway: the client's bytes are those of a direct call, and the record has what was said. */
import { createHash } from "node:crypto";
import * as zlib from "node:zlib";
import { brotliCompressSync, deflateRawSync, deflateSync, gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type PlainReply, startCopilotUpstream } from "../../fixtures/copilot-upstream/server.ts";
import { findToolUses } from "../../src/store/tool-uses.ts";
import { findExchangeMessages } from "../../src/store/messages.ts";
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
  UPSTREAM_KEY,
} from "../copilot/gateway.ts";

const errorOf = (reply: Reply) => (JSON.parse(reply.text) as { error: { code: string; message: string } }).error;
const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const direct = (gateway: Gateway, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  send(`${gateway.upstream.url}${path}`, { token: UPSTREAM_KEY, body, headers });
const relay = (path: string, more: object = {}) =>
  ({ path, methods: [], action: "relay", ids: "own", ...more }) as const;
const textsOf = async (gateway: Gateway, index: number) => {
  const rows = await recordedExchanges(gateway.db);
  const { request, response } = await findExchangeMessages(gateway.db, rows[index]?.id ?? "");
  const texts = (list: typeof request) =>
    list.flatMap(({ parts }) => parts).map((part) => (part.type === "tool_call" ? part.arguments : part.text));
  return { row: rows[index], request: texts(request).join("\n"), response: texts(response).join("\n") };
};

const CHAT = { model: "gpt-4.1", messages: [{ role: "user", content: "Hi" }] };
const WIRES: readonly (readonly [string, object])[] = [
  ["/chat/completions", CHAT],
  ["/responses", { model: "gpt-5.4", input: "Hi", store: false }],
  ["/v1/messages", { model: "claude", max_tokens: 10, messages: CHAT.messages }],
];

describe("bytes", () => {
  test.each(
    WIRES.flatMap(([path, body]) =>
      [true, false].flatMap((stream) =>
        (["identity", "gzip", "deflate", "br"] as const).map(
          (encoding) => [path, stream, encoding, { ...body, stream }] as const,
        ),
      ),
    ),
  )("%s streamed %s, %s", async (path, _stream, encoding, body) => {
    const gateway = await startGateway();
    const script = { text: "Packed äöü 🦊. ".repeat(40), toolCalls: [{ name: "bash", arguments: { command: "ls" } }] };
    gateway.upstream.respondAlways(encoding === "identity" ? script : { ...script, encoding });
    const headers = { "accept-encoding": "gzip, deflate, br, zstd" };
    const through = await send(`${gateway.api}${path}`, { body, headers });
    const wanted = await direct(gateway, path, body, headers);
    expect(hash(through.body)).toBe(hash(wanted.body));
    expect(through.headers["content-encoding"]).toBe(wanted.headers["content-encoding"]);
    expect(through.broken).toBe(false);
    // What the recorder cannot undo is not asked for.
    expect(gateway.upstream.requests[0]?.headers["accept-encoding"]).toBe("gzip, deflate, br");
    const { row, response } = await textsOf(gateway, 0);
    expect(row?.status).toBe("complete");
    // The packing's own end comes behind the last event.
    expect(row?.responseBytes).toBeGreaterThan(through.body.length - 20);
    expect(response).toContain("Packed äöü 🦊.");
    expect(response).toContain('{"command":"ls"}');
  });

  const MORE: readonly (readonly [string, string, unknown, PlainReply, string])[] = [
    [
      "POST",
      "/embeddings",
      { model: "e", input: ["one text"] },
      { body: { data: [{ embedding: [1, 2] }] } },
      "one text",
    ],
    ["GET", "/embeddings/models", undefined, { body: { models: [] } }, ""],
    ["POST", "/chunks", { content: "cut me", embed: true }, { body: { chunks: [{ text: "cut me" }] } }, "cut me"],
    [
      "POST",
      "/models/session",
      { auto_mode: { model_hints: ["auto"] } },
      { body: { selected_model: "m", session_token: "st" } },
      "auto",
    ],
    ["POST", "/v1/messages/count_tokens", { model: "c", messages: CHAT.messages }, { body: { input_tokens: 3 } }, "Hi"],
    ["POST", "/v1/responses/compact", { model: "c", input: "Long" }, { body: { output: [] } }, "Long"],
    [
      "POST",
      "/v1/engines/copilot-codex/completions",
      { prompt: "const a", suffix: ";", stream: true },
      {
        headers: { "content-type": "text/event-stream" },
        body: 'data: {"choices":[{"index":0,"text":" = 1","finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
      },
      "const a",
    ],
  ];
  test.each(MORE)("%s %s", async (method, path, body, reply, said) => {
    const gateway = await startGateway();
    gateway.upstream.respondAt(`${method} ${path}`, reply);
    const through = await send(`${gateway.api}${path}`, { method, body });
    const wanted = await direct(gateway, path, body);
    expect(hash(through.body)).toBe(hash(wanted.body));
    expect(through.status).toBe(200);
    const { row, request } = await textsOf(gateway, 0);
    expect(row).toMatchObject({ status: "complete", path });
    expect(request).toContain(said);
    // A model's choice is a key: it is nowhere in clear.
    expect(await dumpDatabase(gateway.db)).not.toContain('"st"');
  });

  test("ghost text goes to its own host, and is filed under the editor's process", async () => {
    const proxy = await startCopilotUpstream();
    const gateway = await startGateway({ connection: { proxyUrl: `${proxy.url}/` } });
    const path = "/v1/engines/copilot-codex/completions";
    proxy.respondAt(`POST ${path}`, { body: { choices: [{ index: 0, text: " = 1;\nconst b = 2;" }] } });
    const headers = { "vscode-sessionid": "process-1" };
    for (const prompt of ["const a", "const c"]) await send(`${gateway.api}${path}`, { body: { prompt }, headers });
    await proxy.close();
    expect(gateway.upstream.requests).toEqual([]);
    const rows = await recordedExchanges(gateway.db);
    expect(rows.map((row) => row.format)).toEqual(["completions", "completions"]);
    expect(new Set(rows.map((row) => row.sessionId)).size).toBe(1);
  });

  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["deflate", deflateRawSync],
    ["br", brotliCompressSync],
  ] as const)("a packed request is read, and goes on unpacked: %s", async (encoding, pack) => {
    const gateway = await startGateway();
    const reply = await send(`${gateway.api}/chat/completions`, {
      body: pack(JSON.stringify(CHAT)),
      headers: { "content-encoding": encoding },
    });
    expect(reply.status).toBe(200);
    const [request] = gateway.upstream.requests;
    expect(request?.json).toEqual(CHAT);
    expect(request?.headers["content-encoding"]).toBeUndefined();
    expect((await textsOf(gateway, 0)).request).toContain("Hi");
  });

  /** `{"model":"m","messages":[{"role":"user","content":"Packed by zstd"}]}` */
  const ZSTD = "KLUv/SBFDQIAUkQPF4An6kDQsb2tGdCkyf8BDAkbUDAImjsCr3ifloVBAIxTgSnDeFNtapnJrDkYL1psR+DZQMlsmpzGUc9KuwA=";

  test("zstd is read where this Node can, and is told apart from a request that is wrong where it cannot", async () => {
    const gateway = await startGateway();
    const headers = { "content-encoding": "zstd" };
    const asked = { body: Buffer.from(ZSTD, "base64"), headers };
    const reply = await send(`${gateway.api}/chat/completions`, asked);
    const isReadable = "createZstdDecompress" in zlib;
    expect(reply.status).toBe(isReadable ? 200 : 400);
    if (isReadable) {
      expect((await textsOf(gateway, 0)).request).toContain("Packed by zstd");
      expect(gateway.upstream.requests[0]?.headers["content-encoding"]).toBeUndefined();
    } else {
      expect(reply.text).toContain("its content encoding is not one of gzip, deflate, br; send it plain");
    }
    const half = { ...asked, body: asked.body.subarray(0, 40) };
    expect((await send(`${gateway.api}/chat/completions`, half)).status).toBe(400);
  });
});

describe("ids that the upstream gives out", () => {
  const first = { model: "gpt-5.4", input: "One" };

  test("work for who got them, on every gateway, and for nobody else", async () => {
    const gateway = await startGateway();
    const { id } = JSON.parse((await send(`${gateway.api}/responses`, { body: first })).text) as { id: string };
    const next = { ...first, previous_response_id: id };
    expect((await send(`${gateway.api}/responses`, { body: next })).status).toBe(200);
    const theirs = await send(`${gateway.api}/responses`, { body: next, token: BEN });
    expect([theirs.status, errorOf(theirs).code]).toEqual([400, "shared_credential"]);
    expect(errorOf(theirs).message).toContain("previous_response_id");
    expect(gateway.upstream.requests).toHaveLength(2);
    expect(await dumpDatabase(gateway.db)).not.toMatch(new RegExp(`upstream_ids.*${id}`));
  });

  test("what the upstream was asked not to keep is nobody's", async () => {
    const gateway = await startGateway();
    const { id } = JSON.parse((await send(`${gateway.api}/responses`, { body: { ...first, store: false } })).text) as {
      id: string;
    };
    expect((await send(`${gateway.api}/responses`, { body: { ...first, previous_response_id: id } })).status).toBe(400);
  });

  test("with their own credential, people point at what they like", async () => {
    const gateway = await startGateway({ credential: { kind: "passthrough" } });
    const headers = { "sallyport-token": ANA };
    const body = { ...first, previous_response_id: "resp_of_mine" };
    expect((await send(`${gateway.api}/responses`, { body, headers, token: "own" })).status).toBe(200);
  });

  test("in paths, where a line relays them: the one who made the job, no other, and no other job", async () => {
    const gateway = await startGateway({ rules: { paths: [relay("/agents/jobs"), relay("/agents/jobs/**")] } });
    gateway.upstream.respondAt("POST /agents/jobs", { body: { id: "Job-42", status: "queued" } });
    gateway.upstream.respondAt("GET /agents/jobs/Job-42", { body: { id: "Job-42", log: "done" } });
    gateway.upstream.respondAt("GET /agents/jobs", { body: [{ id: "Job-7" }] });
    expect((await send(`${gateway.api}/agents/jobs`, { body: { prompt: "Fix" } })).status).toBe(200);
    expect((await send(`${gateway.api}/agents/jobs/Job-42`)).text).toContain("done");
    expect((await send(`${gateway.api}/agents/jobs/Job-42`, { token: BEN })).status).toBe(400);
    expect((await send(`${gateway.api}/agents/jobs/Job-7`)).status).toBe(400);
    // Looking at a list makes nothing in it one's own.
    expect((await send(`${gateway.api}/agents/jobs`)).status).toBe(200);
    expect((await send(`${gateway.api}/agents/jobs/Job-7`)).status).toBe(400);
    expect((await recordedExchanges(gateway.db)).map((row) => row.format)).toEqual(Array(6).fill("agents"));
  });

  test("in bodies that no codec reads, by the names of their fields; unless the line says that they are everybody's", async () => {
    const gateway = await startGateway({
      rules: { paths: [relay("/v1/files"), relay("/v1/batches"), relay("/shared", { ids: "any" })] },
    });
    gateway.upstream.respondAt("POST /v1/files", { body: { id: "file-1" } });
    for (const path of ["/v1/batches", "/shared"]) gateway.upstream.respondAt(`POST ${path}`, { body: {} });
    await send(`${gateway.api}/v1/files`, { body: Buffer.from("x"), headers: { "content-type": "text/plain" } });
    const batch = (fields: object, path = "/v1/batches", token = ANA) =>
      send(`${gateway.api}${path}`, { body: { endpoint: "/v1/responses", ...fields }, token });
    expect((await batch({ input_file_id: "file-1" })).status).toBe(200);
    expect((await batch({ input_file_id: "file-1" }, "/v1/batches", BEN)).status).toBe(400);
    expect((await batch({ deep: [{ file_ids: ["file-1", "file-2"] }] })).status).toBe(400);
    expect((await batch({ file_id: { nested: "file-2" } })).status).toBe(400);
    expect((await batch({ input_file_id: "file-2" }, "/shared")).status).toBe(200);
  });

  test("an MCP session works for who began it", async () => {
    const gateway = await startGateway({ rules: { paths: [relay("/mcp")] } });
    const result = { jsonrpc: "2.0", id: 1, result: {} };
    gateway.upstream.respondAt("POST /mcp", { body: result, headers: { "mcp-session-id": "s-1" } });
    gateway.upstream.respondAt("GET /mcp", {
      body: 'data: {"jsonrpc":"2.0"}\n\n',
      headers: { "content-type": "text/event-stream" },
    });
    await send(`${gateway.api}/mcp`, { body: { jsonrpc: "2.0", id: 1, method: "initialize" } });
    const headers = { "mcp-session-id": "s-1" };
    expect((await send(`${gateway.api}/mcp`, { headers })).text).toContain("jsonrpc");
    expect((await send(`${gateway.api}/mcp`, { headers, token: BEN })).status).toBe(400);
  });

  test("in headers: an MCP session, a model session", async () => {
    const gateway = await startGateway({ rules: { paths: [relay("/mcp")] } });
    gateway.upstream.respondAt("POST /models/session", { body: { session_token: "st-1" } });
    await send(`${gateway.api}/models/session`, { body: {} });
    const headers = { "copilot-session-token": "st-1" };
    expect((await send(`${gateway.api}/chat/completions`, { body: CHAT, headers })).status).toBe(200);
    expect((await send(`${gateway.api}/chat/completions`, { body: CHAT, headers, token: BEN })).status).toBe(400);
    expect(gateway.upstream.requests.at(-1)?.headers["copilot-session-token"]).toBe("st-1");
    expect(
      (
        await send(`${gateway.api}/mcp`, {
          body: { jsonrpc: "2.0", id: 1, method: "ping" },
          headers: { "mcp-session-id": "s" },
        })
      ).status,
    ).toBe(400);
  });
});

describe("paths", () => {
  test("what no line names is refused with the line that it would take, and recorded as touched", async () => {
    const gateway = await startGateway();
    const reply = await send(`${gateway.api}/agents/jobs`, { body: { prompt: "Fix" } });
    expect(reply.status).toBe(404);
    expect(errorOf(reply).message).toContain('{ path: "/agents/jobs", do: relay }');
    const other = await send(`${gateway.api}/files`);
    expect(other.status).toBe(404);
    expect((await recordedExchanges(gateway.db)).map((row) => [row.path, row.status])).toEqual([
      ["/agents/jobs", "refused"],
      ["/files", "refused"],
    ]);
  });

  test("the first line that matches decides; a refusal counts whatever the spelling, and closes inference too", async () => {
    const gateway = await startGateway({
      rules: {
        paths: [
          { ...relay("/custom/secret/**"), action: "refuse" },
          { ...relay("/v1/messages"), action: "refuse" },
          relay("/custom/**", { methods: ["GET"] }),
        ],
      },
    });
    gateway.upstream.respondAt("GET /custom/list", { body: { some: "json" } });
    gateway.upstream.respondAt("GET /custom/text", { body: "not json", headers: { "content-type": "text/plain" } });
    expect((await send(`${gateway.api}/custom/list`)).text).toBe('{"some":"json"}');
    expect((await send(`${gateway.api}/custom/text`)).text).toBe("not json");
    for (const path of ["/custom/secret/x", "/custom/SECRET/x", "/v1/messages", "/V1/Messages"]) {
      expect((await send(`${gateway.api}${path}`)).status).toBe(400);
    }
    expect((await send(`${gateway.api}/custom/list`, { body: {} })).status).toBe(404);
    expect((await send(`${gateway.api}/Custom/list`)).status).toBe(404);
    expect((await send(`${gateway.api}/v1/messages`, { body: WIRES[2]?.[1] })).status).toBe(400);
    expect(gateway.upstream.requests.map(({ url }) => url)).toEqual(["/custom/list", "/custom/text"]);
  });

  test("bodies that are no JSON go on as they are, and the record has their size and hash", async () => {
    const gateway = await startGateway({ rules: { paths: [relay("/upload")] } });
    const bytes = Buffer.concat([Buffer.from(SECRETS[0] ?? ""), Buffer.alloc(300, 0xff)]);
    gateway.upstream.respondAt("POST /upload", { body: {} });
    await send(`${gateway.api}/upload`, { body: bytes, headers: { "content-type": "application/octet-stream" } });
    expect(gateway.upstream.requests[0]?.body.equals(bytes)).toBe(true);
    const { request } = await textsOf(gateway, 0);
    expect(request).toContain(`${bytes.length} bytes of application/octet-stream, sha256 ${hash(bytes).slice(0, 16)}`);
    expect(await dumpDatabase(gateway.db)).not.toContain(SECRETS[0]);
  });
});

describe("MCP", () => {
  const call = (name: string) => ({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name, arguments: { n: 1 } },
  });
  const result = { jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text: "an issue" }] } };

  test("only by an explicit line; what writes only where it is listed", async () => {
    const closed = await startGateway();
    expect(errorOf(await send(`${closed.api}/mcp/readonly`, { body: call("get_issue") })).message).toContain(
      "/mcp/readonly",
    );
    const gateway = await startGateway({ rules: { paths: [relay("/mcp")], mcpTools: ["add_*"] } });
    gateway.upstream.respondAt("POST /mcp", { body: result });
    for (const name of ["get_issue", "list_issues", "search_code", "pull_request_read", "add_comment"]) {
      expect((await send(`${gateway.api}/mcp`, { body: call(name) })).text).toBe(JSON.stringify(result));
    }
    for (const name of ["create_issue", "merge_pull_request", "getaway", "ADD_comment", ""]) {
      const reply = await send(`${gateway.api}/mcp`, { body: call(name) });
      expect([reply.status, errorOf(reply).code]).toEqual([400, "tool_refused"]);
    }
    const batch = await send(`${gateway.api}/mcp`, { body: [call("get_issue"), call("delete_file")] });
    expect(batch.status).toBe(400);
    expect(gateway.upstream.requests).toHaveLength(5);
    const { row, request, response } = await textsOf(gateway, 0);
    expect([row?.format, request, response]).toEqual(["mcp", '{"n":1}', "an issue"]);
    const uses = await findToolUses(gateway.db, row?.sessionId ?? "");
    expect(uses.map(({ name }) => name).sort()).toEqual(
      ["add_comment", "get_issue", "list_issues", "pull_request_read", "search_code"].sort(),
    );
  });
});

describe("telemetry", () => {
  const report = (properties: object) => ({
    name: "event",
    time: "2026-01-01T00:00:00Z",
    data: { baseData: { name: "copilot/x", properties, measurements: { ms: 5 } } },
  });
  const REPORTS = [report({ prompt: `write a poem with ${SECRETS[0]}`, model: "gpt-5", key: SECRETS[1] ?? "" })];
  const post = (gateway: Gateway, body: Buffer, headers: Record<string, string> = {}) =>
    send(`${gateway.api}/telemetry`, { method: "POST", body, headers: { "content-encoding": "gzip", ...headers } });

  test("the settings of experiments are answered here, in the form that clients can stop at", async () => {
    const gateway = await startGateway();
    const reply = await send(`${gateway.api}/telemetry?tas-endpoint=x`);
    expect(JSON.parse(reply.text)).toMatchObject({
      Features: [],
      Flights: {},
      Configs: [{ Id: "vscode", Parameters: {} }],
    });
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("reports are dropped, and clients are told that they were taken", async () => {
    const gateway = await startGateway();
    const reply = await post(gateway, gzipSync(JSON.stringify(REPORTS)));
    expect([reply.status, JSON.parse(reply.text)]).toEqual([
      200,
      { itemsReceived: 1, itemsAccepted: 1, appId: null, errors: [] },
    ]);
    expect(gateway.upstream.requests).toEqual([]);
    const [row] = await recordedExchanges(gateway.db);
    expect(row).toMatchObject({ format: "telemetry", status: "refused", error: expect.stringContaining("Dropped") });
    expect(await dumpDatabase(gateway.db)).not.toContain("poem");
  });

  test.each(["strip", "mask"] as const)(
    "reports go on by `%s`, without the gateway's credential and without secrets",
    async (mode) => {
      const collector = await startCopilotUpstream();
      collector.respondAt("POST /telemetry", { status: 500 });
      const gateway = await startGateway({ rules: { telemetry: mode, telemetryUrl: `${collector.url}/` } });
      const lines = REPORTS.map((one) => `${JSON.stringify(one)}\n`).join("");
      for (const body of [JSON.stringify(REPORTS), lines, JSON.stringify(REPORTS[0])]) {
        expect((await post(gateway, gzipSync(body))).status).toBe(200);
      }
      await collector.close();
      expect(collector.requests).toHaveLength(3);
      for (const { headers, body } of collector.requests) {
        const text = gunzipSync(body).toString();
        expect(headers.authorization).toBeUndefined();
        for (const secret of SECRETS) expect(text).not.toContain(secret);
        expect(text).toContain('"ms":5');
        expect(text).toContain("gpt-5");
        expect(text.includes("write a poem")).toBe(mode === "mask");
      }
      expect((await recordedExchanges(gateway.db)).map((row) => row.status)).toEqual(Array(3).fill("upstream_failed"));
    },
  );

  test("what cannot be read is dropped, whatever the mode", async () => {
    const gateway = await startGateway({ rules: { telemetry: "mask" }, limits: { requestBytes: 100_000 } });
    const bomb = gzipSync(Buffer.alloc(5_000_000, " "));
    for (const body of [Buffer.from("not gzip"), bomb, gzipSync("no json"), gzipSync('{"a":1,"a":2}')]) {
      expect((await post(gateway, body)).status).toBe(200);
    }
    expect(gateway.upstream.requests).toEqual([]);
  });
});

describe("other vendors' wires", () => {
  test("Anthropic: the key in its own header, the version passed on, the client's key as the gateway's token", async () => {
    const gateway = await startGateway({
      credential: { kind: "header", name: "x-api-key", value: "vendor-key" },
      connection: { kind: "anthropic" },
    });
    const reply = await send(`${gateway.api}/v1/messages`, {
      token: "",
      body: WIRES[2]?.[1],
      headers: {
        "x-api-key": ANA,
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "context-1m-2025-08-07",
        "user-agent": "claude-cli/2.0",
        "x-claude-code-session-id": "11111111-2222-4333-8444-555555555555",
      },
    });
    expect(reply.status).toBe(200);
    const [request] = gateway.upstream.requests;
    expect(request?.headers).toMatchObject({
      "x-api-key": "vendor-key",
      "anthropic-version": "2023-06-01",
      "anthropic-beta": "context-1m-2025-08-07",
    });
    expect(request?.headers.authorization).toBeUndefined();
    expect(JSON.stringify(request?.headers)).not.toContain(ANA);
    const dump = await dumpDatabase(gateway.db);
    expect(dump).toContain("11111111-2222-4333-8444-555555555555");
    expect(dump).toContain("claude-code");
  });

  test("a key beside an Authorization does not choose who it is", async () => {
    const gateway = await startGateway();
    expect(
      (await send(`${gateway.api}/chat/completions`, { token: "gho_none", body: CHAT, headers: { "x-api-key": ANA } }))
        .status,
    ).toBe(401);
  });

  test("Codex: its session header groups", async () => {
    const gateway = await startGateway({ connection: { kind: "openai" } });
    const headers = { session_id: "22222222-2222-4333-8444-555555555555", "user-agent": "codex_cli_rs/0.60" };
    for (const input of ["One", "Two"])
      await send(`${gateway.api}/v1/responses`, { body: { model: "m", input, store: false }, headers });
    const rows = await recordedExchanges(gateway.db);
    expect(new Set(rows.map((row) => row.sessionId)).size).toBe(1);
    expect(rows.map((row) => row.status)).toEqual(["complete", "complete"]);
  });
});

test("the tokens that the upstream had in its cache are on record", async () => {
  const gateway = await startGateway();
  gateway.upstream.respondAt("POST /chat/completions", {
    body: {
      choices: [{ index: 0, message: { role: "assistant", content: "Yes." }, finish_reason: "stop" }],
      usage: { prompt_tokens: 900, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 850 } },
    },
  });
  await send(`${gateway.api}/chat/completions`, {
    body: { model: "m", messages: [{ role: "user", content: "Cached?" }] },
  });
  const [row] = await recordedExchanges(gateway.db);
  expect(row).toMatchObject({ inputTokens: 900, outputTokens: 2, cachedTokens: 850 });
});
