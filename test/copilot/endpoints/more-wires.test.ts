/** The wires beside the three of conversations, in the shapes that the upstreams' own documentation and clients show. */
import { describe, expect, test } from "vitest";
import { chatCompletions } from "../../../src/copilot/endpoints/chat-completions.ts";
import { compaction } from "../../../src/copilot/endpoints/compaction.ts";
import { ghostText } from "../../../src/copilot/endpoints/completions.ts";
import { chunks, embeddings } from "../../../src/copilot/endpoints/embeddings.ts";
import type { Endpoint } from "../../../src/copilot/endpoints/endpoint.ts";
import { mcp } from "../../../src/copilot/endpoints/mcp.ts";
import { messages } from "../../../src/copilot/endpoints/messages.ts";
import { modelSession } from "../../../src/copilot/endpoints/model-session.ts";
import { agents, other } from "../../../src/copilot/endpoints/other.ts";
import { findEndpoint } from "../../../src/copilot/endpoints/registry.ts";
import { responses } from "../../../src/copilot/endpoints/responses.ts";
import { messageTokens } from "../../../src/copilot/endpoints/tokens.ts";

const codec = ({ conversation }: Endpoint) => {
  if (conversation === undefined) throw new Error("no body");
  return conversation;
};
const request = (endpoint: Endpoint, json: unknown) => {
  const parsed = codec(endpoint).parseRequest(json);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};
const whole = (endpoint: Endpoint, json: unknown) => {
  const assembler = codec(endpoint).assembleAnswer();
  assembler.takeBody(json);
  return assembler.result();
};
const streamed = (endpoint: Endpoint, events: readonly unknown[]) => {
  const assembler = codec(endpoint).assembleAnswer();
  const last = events.map((json) => {
    const event = { type: "message", data: typeof json === "string" ? json : JSON.stringify(json) };
    assembler.takeEvent(event);
    return codec(endpoint).endsStream?.(event) ?? false;
  });
  return { ...assembler.result(), last, length: assembler.length?.() };
};
const parts = (list: { readonly messages: readonly { readonly parts: readonly unknown[] }[] }) =>
  list.messages.flatMap((message) => message.parts);

describe("ghost text", () => {
  const chunk = (index: number, text: string, finish: string | null = null) => ({
    id: "cmpl-1",
    model: "gpt-41-copilot",
    choices: [{ index, text, finish_reason: finish, logprobs: null }],
  });

  test("prompt, suffix, and what else is asked", () => {
    const parsed = request(ghostText, {
      prompt: "// Path: src/a.ts\nconst a",
      suffix: ";\n",
      n: 2,
      stream: true,
      extra: { language: "typescript", next_indent: 0, context: ["// other file"] },
      code_annotations: false,
    });
    expect(parsed).toMatchObject({ model: null, streamed: true, references: [], keepsIds: false });
    expect(parts(parsed).slice(1)).toEqual([
      { type: "text", text: "// Path: src/a.ts\nconst a" },
      { type: "opaque", kind: "suffix", text: ";\n" },
    ]);
    expect(JSON.stringify(parsed.messages[0])).toContain("// other file");
    expect(codec(ghostText).parseRequest({ prompt: [1, 2] }).ok).toBe(false);
  });

  test("choices that come interleaved, each to its own end", () => {
    const { last, ...answer } = streamed(ghostText, [
      chunk(0, " = 1"),
      chunk(1, " = two"),
      chunk(0, ";", "stop"),
      chunk(1, "", "length"),
      "[DONE]",
    ]);
    expect(parts(answer)).toEqual([
      { type: "completion", text: " = 1;" },
      { type: "completion", text: " = two" },
    ]);
    expect(answer).toMatchObject({ model: "gpt-41-copilot", outcome: "finished", length: 11 });
    expect(last.at(-1)).toBe(true);
    const { id, model, choices } = chunk(0, " = 1;", "stop");
    expect(parts(whole(ghostText, { id, model, choices }))).toEqual([{ type: "completion", text: " = 1;" }]);
    expect(streamed(ghostText, [chunk(0, "x")]).outcome).toBe("unfinished");
  });
});

describe("vectors", () => {
  test("texts are kept, numbers are not", () => {
    expect(parts(request(embeddings, { model: "e", inputs: ["one", "two"], dimensions: 2 })).slice(1)).toEqual([
      { type: "text", text: "one" },
      { type: "text", text: "two" },
    ]);
    // Tokens are words that nobody here can read.
    for (const input of [[[1, 2, 3]], [1, 2], ["a", [1]]]) {
      expect(codec(embeddings).parseRequest({ model: "e", input }).ok).toBe(false);
    }
    const answer = whole(embeddings, {
      object: "list",
      model: "text-embedding-3-small",
      data: [
        { index: 0, embedding: [0.5, 0.25] },
        { index: 1, embedding: [1, 2] },
      ],
      usage: { prompt_tokens: 4, total_tokens: 4 },
    });
    expect(answer).toMatchObject({ model: "text-embedding-3-small", inputTokens: 4, outcome: "finished" });
    expect(parts(answer)).toEqual([{ type: "opaque", kind: "vectors", text: "2 × 2" }]);
    expect(codec(embeddings).parseRequest({ model: "e" }).ok).toBe(false);
  });

  test("a file that is cut into chunks", () => {
    expect(parts(request(chunks, { content: "a\nb", path: "src/a.ts", embed: true })).at(-1)).toEqual({
      type: "text",
      text: "a\nb",
    });
    const chunk = { hash: "h", range: { start: 0, end: 3 }, text: "a\nb", embedding: { embedding: [1, 2, 3] } };
    expect(parts(whole(chunks, { chunks: [chunk], embedding_model: "m" }))).toEqual([
      { type: "opaque", kind: "vectors", text: "1 × 3" },
    ]);
  });
});

describe("the choice of a model", () => {
  test("its token is given out, and nowhere kept", () => {
    const answer = whole(modelSession, {
      selected_model: "gpt-5-mini",
      session_token: "secret-session-token",
      expires_at: 1,
      discounted_costs: {},
    });
    expect(answer.issuedIds).toEqual(["secret-session-token"]);
    expect(JSON.stringify(answer.messages)).toContain("gpt-5-mini");
    expect(JSON.stringify(answer.messages)).not.toContain("secret-session-token");
    expect(request(modelSession, { auto_mode: { model_hints: ["auto"] } }).keepsIds).toBe(true);
  });
});

describe("counting and compacting", () => {
  test("a counted request is read like the one that it counts", () => {
    const json = { model: "claude", system: "Be brief.", messages: [{ role: "user", content: "Hi" }] };
    expect(request(messageTokens, json)).toEqual(request(messages, json));
    expect(whole(messageTokens, { input_tokens: 12 })).toMatchObject({ inputTokens: 12, messages: [] });
  });

  test("a shorter conversation", () => {
    const answer = whole(compaction, {
      object: "response.compaction",
      output: [
        { type: "message", role: "user", content: [{ type: "input_text", text: "In short" }] },
        { type: "compaction", encrypted_content: "xyz" },
      ],
    });
    expect(parts(answer)).toEqual([{ type: "text", text: "In short" }]);
  });
});

describe("MCP", () => {
  const call = (id: number | string, name: string, args: object = {}) => ({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: { name, arguments: args },
  });

  test("calls are calls, alone and in a batch; what else is said is kept", () => {
    const one = request(mcp, call(7, "get_issue", { number: 1 }));
    expect(one.calls).toEqual(["get_issue"]);
    expect(parts(one)).toEqual([{ type: "tool_call", id: "7", name: "get_issue", arguments: '{"number":1}' }]);
    const batch = request(mcp, [
      call("a", "get_issue"),
      { jsonrpc: "2.0", method: "initialize", id: 1 },
      call("b", "create_issue"),
    ]);
    expect(batch.calls).toEqual(["get_issue", "create_issue"]);
    expect(parts(batch)[1]).toMatchObject({ type: "opaque", kind: "initialize" });
    for (const json of [[], [5], "x", null, [[]]]) expect(codec(mcp).parseRequest(json).ok).toBe(false);
  });

  test("results, as one body and as a stream", () => {
    const result = {
      jsonrpc: "2.0",
      id: 7,
      result: {
        content: [
          { type: "text", text: "Title" },
          { type: "image", data: "A".repeat(600), mimeType: "image/png" },
        ],
      },
    };
    const expected = [
      { type: "tool_result", id: "7", text: expect.stringMatching(/^Title\n.*600 characters of base64/) },
    ];
    expect(parts(whole(mcp, result))).toEqual(expected);
    expect(parts(streamed(mcp, [{ jsonrpc: "2.0", method: "notifications/progress" }, result])).slice(1)).toEqual(
      expected,
    );
    expect(parts(whole(mcp, { jsonrpc: "2.0", id: 1, result: { tools: [{ name: "get_issue" }] } }))).toEqual([
      { type: "tools", text: '[{"name":"get_issue"}]' },
    ]);
  });
});

describe("what there is no codec for", () => {
  test("JSON as JSON, without keys; ids are known again", () => {
    const parsed = request(agents, { prompt: "Fix it", access_token: "t-secret" });
    expect(JSON.stringify(parsed.messages)).toContain("Fix it");
    expect(JSON.stringify(parsed.messages)).not.toContain("t-secret");
    expect(whole(other, { id: "job_1", session_id: "s_1", name: "n", number: 5 }).issuedIds).toEqual(["job_1", "s_1"]);
    expect(whole(other, [1, 2]).issuedIds).toEqual([]);
    expect(request(other, undefined).messages).toEqual([]);
  });

  test("each path to its own format", () => {
    for (const [method, path, format] of [
      ["POST", "/v1/engines/copilot-codex/completions", "completions"],
      ["POST", "/v1/completions", "completions"],
      ["POST", "/embeddings", "embeddings"],
      ["GET", "/embeddings/models", "models"],
      ["GET", "/v1/models/gpt-5", "models"],
      ["POST", "/chunks", "chunks"],
      ["POST", "/models/session", "model-session"],
      ["GET", "/models/session", "other"],
      ["POST", "/auto", "model-session"],
      ["POST", "/v1/messages/count_tokens", "tokens"],
      ["POST", "/responses/input_tokens", "tokens"],
      ["POST", "/responses/compact", "compaction"],
      ["POST", "/mcp", "mcp"],
      ["POST", "/mcp/readonly", "mcp"],
      ["GET", "/mcp", "mcp"],
      ["PUT", "/mcp", "other"],
      ["DELETE", "/agents/jobs/1", "agents"],
      ["POST", "/telemetry", "telemetry"],
      ["PUT", "/telemetry", "other"],
      ["POST", "/v1/engines/a/b/completions", "other"],
    ] as const) {
      expect([path, findEndpoint(method, path).format]).toEqual([path, format]);
    }
  });
});

describe("the three wires of conversations, whole", () => {
  test("chat completions: several choices, refusals, audio, custom and legacy calls, cached tokens", () => {
    const delta = (index: number, piece: object, finish: string | null = null) => ({
      id: "chatcmpl-1",
      model: "m",
      choices: [{ index, delta: piece, finish_reason: finish }],
    });
    const answer = streamed(chatCompletions, [
      delta(1, { content: "second" }),
      delta(0, { refusal: "I " }),
      delta(0, { refusal: "won't" }, "content_filter"),
      delta(1, {
        tool_calls: [{ index: 0, id: "c1", type: "custom", custom: { name: "apply_patch", input: "*** " } }],
      }),
      delta(1, { tool_calls: [{ index: 0, custom: { input: "Begin" } }] }),
      delta(1, { tool_calls: [{ index: 1, id: "c2", function: { name: "ls", arguments: "{}" } }] }, "tool_calls"),
      delta(2, { function_call: { name: "old", arguments: '{"a":' } }),
      delta(2, { function_call: { arguments: "1}" } }, "function_call"),
      { choices: [], usage: { prompt_tokens: 9, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 4 } } },
      "[DONE]",
    ]);
    expect(answer.messages.map((message) => message.parts)).toEqual([
      [{ type: "text", text: "I won't" }],
      [
        { type: "text", text: "second" },
        { type: "tool_call", id: "c1", name: "apply_patch", arguments: "*** Begin" },
        { type: "tool_call", id: "c2", name: "ls", arguments: "{}" },
      ],
      [{ type: "tool_call", id: "", name: "old", arguments: '{"a":1}' }],
      [{ type: "opaque", kind: "stop", text: "content_filter" }],
    ]);
    expect(answer).toMatchObject({ inputTokens: 9, outputTokens: 3, cachedTokens: 4, issuedIds: ["chatcmpl-1"] });
    expect(
      request(chatCompletions, {
        messages: [{ role: "user", content: [{ type: "file", file: { file_id: "file-1" } }] }],
      }).references,
    ).toEqual([{ field: "file_id", id: "file-1" }]);
    expect(
      request(chatCompletions, { messages: [{ role: "assistant", audio: { id: "audio_1" } }], store: true }),
    ).toMatchObject({
      references: [{ field: "audio", id: "audio_1" }],
      keepsIds: true,
    });
  });

  test("responses: tools that run upstream, and every way of pointing at what is kept there", () => {
    const answer = whole(responses, {
      id: "resp_1",
      status: "incomplete",
      incomplete_details: { reason: "content_filter" },
      conversation: { id: "conv_1" },
      output: [
        { type: "mcp_call", id: "m1", server_label: "jira", name: "search", arguments: '{"q":1}', output: "found" },
        { type: "web_search_call", id: "w1", action: { type: "search", query: "q" } },
        {
          type: "code_interpreter_call",
          id: "ci",
          code: "1+1",
          container_id: "cntr_1",
          outputs: [{ type: "logs", logs: "2" }],
        },
        { type: "shell_call", call_id: "s1", action: { commands: ["ls"] } },
        { type: "apply_patch_call", call_id: "p1", operation: { type: "update_file", path: "a", diff: "@@" } },
        { type: "message", role: "assistant", content: [{ type: "refusal", refusal: "No." }] },
      ],
      usage: { input_tokens: 5, input_tokens_details: { cached_tokens: 3 }, output_tokens: 1 },
    });
    expect(parts(answer)).toEqual([
      { type: "tool_call", id: "m1", name: "mcp__jira__search", arguments: '{"q":1}' },
      { type: "tool_result", id: "m1", text: "found" },
      { type: "tool_call", id: "w1", name: "web_search", arguments: '{"type":"search","query":"q"}' },
      { type: "tool_call", id: "ci", name: "code_interpreter", arguments: '{"code":"1+1"}' },
      { type: "tool_result", id: "ci", text: '{"type":"logs","logs":"2"}' },
      { type: "tool_call", id: "s1", name: "shell", arguments: '{"commands":["ls"]}' },
      { type: "tool_call", id: "p1", name: "apply_patch", arguments: '{"type":"update_file","path":"a","diff":"@@"}' },
      { type: "text", text: "No." },
      { type: "opaque", kind: "stop", text: "content_filter" },
    ]);
    expect(answer).toMatchObject({ cachedTokens: 3, outcome: "finished" });
    expect(answer.issuedIds).toEqual(expect.arrayContaining(["resp_1", "conv_1", "m1", "cntr_1"]));
    const { references } = request(responses, {
      model: "m",
      previous_response_id: "resp_0",
      conversation: { id: "conv_0" },
      prompt: { id: "pmpt_1" },
      input: [
        { type: "item_reference", id: "msg_0" },
        { role: "user", content: [{ type: "input_file", file_id: "file_0" }] },
        { type: "shell_call_output", call_id: "s1", output: [{ stdout: "x" }] },
      ],
      tools: [
        { type: "file_search", vector_store_ids: ["vs_0"] },
        { type: "code_interpreter", container: "cntr_0" },
        { type: "code_interpreter", container: { type: "auto", file_ids: ["file_1"] } },
        { type: "shell", environment: { type: "container_reference", container_id: "cntr_2" } },
      ],
    });
    expect(references.map(({ id }) => id).sort()).toEqual(
      ["resp_0", "conv_0", "pmpt_1", "msg_0", "file_0", "vs_0", "cntr_0", "file_1", "cntr_2"].sort(),
    );
    // An id of a shape that none has is nobody's.
    expect(request(responses, { model: "m", conversation: 5 }).references).toEqual([{ field: "conversation", id: "" }]);
  });

  test("responses: deltas of every tool, cut before their end", () => {
    const item = (index: number, type: string, more: object = {}) => ({
      type: "response.output_item.added",
      output_index: index,
      item: { type, call_id: `c${index}`, id: `i${index}`, name: "n", server_label: "s", ...more },
    });
    const answer = streamed(responses, [
      item(0, "custom_tool_call"),
      { type: "response.custom_tool_call_input.delta", output_index: 0, delta: "*** Be" },
      item(1, "mcp_call"),
      { type: "response.mcp_call_arguments.delta", output_index: 1, delta: '{"q":1}' },
      item(2, "code_interpreter_call"),
      { type: "response.code_interpreter_call_code.delta", output_index: 2, delta: "1+" },
      item(3, "apply_patch_call", { operation: { type: "create_file", path: "a" } }),
      { type: "response.apply_patch_call_operation_diff.delta", output_index: 3, delta: "+x" },
      { type: "response.audio.delta", output_index: 3, delta: "AAAA" },
    ]);
    expect(parts(answer).map((part) => (part as { arguments: string }).arguments)).toEqual([
      "*** Be",
      '{"q":1}',
      '{"code":"1+"}',
      '{"type":"create_file","path":"a","diff":"+x"}',
    ]);
    expect(answer.outcome).toBe("unfinished");
  });

  test("messages: tools that run upstream, thinking, refusals, containers, cached tokens", () => {
    const answer = streamed(messages, [
      {
        type: "message_start",
        message: {
          id: "msg_1",
          model: "claude",
          usage: { input_tokens: 3, cache_read_input_tokens: 100, cache_creation_input_tokens: 20, output_tokens: 1 },
        },
      },
      { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "hm" } },
      { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "c2ln" } },
      { type: "content_block_start", index: 1, content_block: { type: "redacted_thinking", data: "xyz" } },
      {
        type: "content_block_start",
        index: 2,
        content_block: { type: "server_tool_use", id: "st1", name: "web_search", input: {} },
      },
      { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: '{"query":"q"}' } },
      {
        type: "content_block_start",
        index: 3,
        content_block: {
          type: "web_search_tool_result",
          tool_use_id: "st1",
          content: [{ type: "web_search_result", url: "https://x.example" }],
        },
      },
      {
        type: "content_block_start",
        index: 4,
        content_block: { type: "mcp_tool_use", id: "mt", server_name: "jira", name: "search", input: {} },
      },
      {
        type: "content_block_start",
        index: 5,
        content_block: {
          type: "code_execution_tool_result",
          tool_use_id: "ce",
          content: {
            type: "code_execution_result",
            stdout: "2",
            content: [{ type: "code_execution_output", file_id: "file_9" }],
          },
        },
      },
      {
        type: "message_delta",
        delta: { stop_reason: "refusal", container: { id: "container_1" } },
        usage: { output_tokens: 8 },
      },
      { type: "message_stop" },
    ]);
    expect(parts(answer)).toEqual([
      { type: "reasoning", text: "hm" },
      { type: "tool_call", id: "st1", name: "web_search", arguments: '{"query":"q"}' },
      { type: "tool_result", id: "st1", text: '{"type":"web_search_result","url":"https://x.example"}' },
      { type: "tool_call", id: "mt", name: "mcp__jira__search", arguments: "{}" },
      { type: "tool_result", id: "ce", text: expect.stringContaining('"stdout":"2"') },
      { type: "opaque", kind: "stop", text: "refusal" },
    ]);
    expect(answer).toMatchObject({ inputTokens: 123, cachedTokens: 100, outputTokens: 8, outcome: "finished" });
    expect(answer.issuedIds).toEqual(["container_1", "file_9"]);
    const asked = request(messages, {
      container: { id: "container_0", skills: [] },
      messages: [
        {
          role: "user",
          content: [
            {
              type: "image",
              source: { type: "base64", media_type: "image/png", data: "A".repeat(700) },
              cache_control: { type: "ephemeral" },
            },
            { type: "document", source: { type: "file", file_id: "file_0" } },
          ],
        },
      ],
    });
    expect(asked.references).toEqual([
      { field: "container", id: "container_0" },
      { field: "file_id", id: "file_0" },
    ]);
    expect(JSON.stringify(asked.messages)).toMatch(/700 characters of base64, sha256 [0-9a-f]{16}/);
    expect(JSON.stringify(asked.messages)).not.toContain("cache_control");
  });
});
