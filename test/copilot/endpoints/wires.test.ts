/** Each wire format against the answers of the fixture's upstream, whose dialect the official SDKs judge (upstream-fixture.test.ts). */
import { describe, expect, test } from "vitest";
import { answerOf, type Script, type Wire } from "../../../fixtures/copilot-upstream/script.ts";
import { chatCompletionsWire } from "../../../fixtures/copilot-upstream/wires/chat-completions.ts";
import { messagesWire } from "../../../fixtures/copilot-upstream/wires/messages.ts";
import { responsesWire } from "../../../fixtures/copilot-upstream/wires/responses.ts";
import { chatCompletions } from "../../../src/copilot/endpoints/chat-completions.ts";
import type { ConversationFormat, Endpoint } from "../../../src/copilot/endpoints/endpoint.ts";
import { messages } from "../../../src/copilot/endpoints/messages.ts";
import { models, withoutWebSockets } from "../../../src/copilot/endpoints/models.ts";
import { other } from "../../../src/copilot/endpoints/other.ts";
import { ENDPOINTS, findEndpoint } from "../../../src/copilot/endpoints/registry.ts";
import { responses } from "../../../src/copilot/endpoints/responses.ts";
import type { Message } from "../../../src/model/exchange.ts";

const conversation = (endpoint: Endpoint): ConversationFormat => {
  if (endpoint.conversation === undefined) throw new Error(`${endpoint.format} is no conversation`);
  return endpoint.conversation;
};

const SCRIPT: Script = {
  text: "I will write it — für dich 🦊.",
  toolCalls: [
    { name: "create", arguments: { path: "/w/a.py", file_text: "print('hi')\n" } },
    { name: "view", arguments: { path: "/w/b.py" } },
  ],
  usage: { input: 11, output: 22 },
};
const answer = answerOf(SCRIPT, "abc", "model-x");

const streamed = (endpoint: Endpoint, wire: Wire, upTo = Number.POSITIVE_INFINITY) => {
  const assembler = conversation(endpoint).assembleAnswer();
  const frames = wire.frames(answer, { stream_options: { include_usage: true } });
  const last = frames.slice(0, upTo).map((frame) => {
    const event = { type: frame.event ?? "message", data: frame.data };
    assembler.takeEvent(event);
    return conversation(endpoint).endsStream?.(event) ?? false;
  });
  return { last, result: assembler.result() };
};

const parts = (list: readonly Message[]) => list.flatMap((message) => message.parts);

describe.each([
  ["chat-completions", chatCompletions, chatCompletionsWire],
  ["responses", responses, responsesWire],
  ["messages", messages, messagesWire],
] as const)("%s", (_name, endpoint, wire) => {
  test("a stream is put together to what the plain body says", () => {
    const assembler = conversation(endpoint).assembleAnswer();
    assembler.takeBody(wire.body(answer));
    const whole = assembler.result();
    const { result, last } = streamed(endpoint, wire);
    expect(result).toEqual(whole);
    expect(last.indexOf(true)).toBe(last.length - 1);
    expect(result).toMatchObject({
      model: "model-x",
      inputTokens: 11,
      outputTokens: 22,
      outcome: "finished",
      error: null,
    });
    expect(parts(result.messages)).toEqual([
      { type: "text", text: "I will write it — für dich 🦊." },
      {
        type: "tool_call",
        id: "call_abc_0",
        name: "create",
        arguments: '{"path":"/w/a.py","file_text":"print(\'hi\')\\n"}',
      },
      { type: "tool_call", id: "call_abc_1", name: "view", arguments: '{"path":"/w/b.py"}' },
    ]);
  });

  test("cut after any event, it keeps what had come, and says that it is unfinished", () => {
    const frames = wire.frames(answer, {});
    let grown = 0;
    for (let upTo = 0; upTo < frames.length; upTo += 1) {
      const { result } = streamed(endpoint, wire, upTo);
      const text = JSON.stringify(result.messages);
      expect(text.length).toBeGreaterThanOrEqual(grown === 0 ? 0 : 2);
      grown = Math.max(grown, text.length);
      // Chat completions may end without [DONE], once every choice has its finish_reason.
      const said = frames.slice(0, upTo).some((frame) => frame.data.includes('"finish_reason":"'));
      expect(result.outcome).toBe(said ? "finished" : "unfinished");
    }
    expect(grown).toBeGreaterThan(200);
  });

  test("events that are no JSON, or another JSON, change nothing and do not throw", () => {
    const assembler = conversation(endpoint).assembleAnswer();
    for (const data of [
      "",
      "not json",
      "[]",
      "null",
      "1",
      '{"choices":[null,{"delta":5}]}',
      '{"type":"message_start"}',
    ]) {
      assembler.takeEvent({ type: "message", data });
      expect(conversation(endpoint).endsStream?.({ type: "message", data })).toBe(false);
    }
    expect(assembler.result()).toMatchObject({ messages: [], outcome: "unfinished" });
  });

  test("requests that are no conversation are refused", () => {
    for (const json of [null, [], 5, {}, { messages: "x", input: 5 }]) {
      expect(conversation(endpoint).parseRequest(json).ok).toBe(false);
    }
  });
});

const request = (endpoint: Endpoint, json: unknown) => {
  const parsed = conversation(endpoint).parseRequest(json);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
};

describe("requests", () => {
  const tools = [{ name: "create" }];

  test("chat completions", () => {
    const parsed = request(chatCompletions, {
      model: "m",
      stream: true,
      temperature: 0.5,
      tools,
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: [
            { type: "text", text: "Look" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${"A".repeat(2_000)}` } },
          ],
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c1", type: "function", function: { name: "view", arguments: '{ "path": "a" }' } }],
        },
        { role: "tool", tool_call_id: "c1", content: "line" },
      ],
    });
    expect(parsed).toMatchObject({ model: "m", streamed: true, references: [] });
    expect(parsed.messages).toEqual([
      {
        role: "system",
        parts: [{ type: "opaque", kind: "parameters", text: '{"model":"m","stream":true,"temperature":0.5}' }],
      },
      { role: "system", parts: [{ type: "tools", text: '[{"name":"create"}]' }] },
      { role: "system", parts: [{ type: "text", text: "Be brief." }] },
      {
        role: "user",
        parts: [
          { type: "text", text: "Look" },
          {
            type: "opaque",
            kind: "image_url",
            text: '{"type":"image_url","image_url":{"url":"[2022 characters of base64, sha256 05ce5dbe84ff526e]"}}',
          },
        ],
      },
      { role: "assistant", parts: [{ type: "tool_call", id: "c1", name: "view", arguments: '{"path":"a"}' }] },
      { role: "tool", parts: [{ type: "tool_result", id: "c1", text: "line" }] },
    ]);
  });

  test("responses: items one by one, ciphertext left out, references named", () => {
    const parsed = request(responses, {
      model: "m",
      instructions: "Be brief.",
      tools,
      input: [
        { type: "message", role: "user", content: [{ type: "input_text", text: "Go" }] },
        { type: "reasoning", summary: [], encrypted_content: "xyz" },
        { type: "function_call", call_id: "c1", name: "view", arguments: "{}" },
        { type: "function_call_output", call_id: "c1", output: [{ type: "input_text", text: "line" }] },
        { type: "custom_tool_call", call_id: "c2", name: "apply_patch", input: "*** Begin Patch" },
      ],
    });
    expect(parsed.messages.slice(1)).toEqual([
      { role: "system", parts: [{ type: "text", text: "Be brief." }] },
      { role: "system", parts: [{ type: "tools", text: '[{"name":"create"}]' }] },
      { role: "user", parts: [{ type: "text", text: "Go" }] },
      { role: "assistant", parts: [{ type: "tool_call", id: "c1", name: "view", arguments: "{}" }] },
      { role: "tool", parts: [{ type: "tool_result", id: "c1", text: "line" }] },
      {
        role: "assistant",
        parts: [{ type: "tool_call", id: "c2", name: "apply_patch", arguments: "*** Begin Patch" }],
      },
    ]);
    expect(request(responses, { input: "Hi" }).references).toEqual([]);
    expect(request(responses, { input: "Hi", previous_response_id: "r" }).references).toEqual([
      { field: "previous_response_id", id: "r" },
    ]);
    expect(request(responses, { input: [{ type: "item_reference", id: "x" }] }).references).toEqual([
      { field: "item_reference", id: "x" },
    ]);
  });

  test("messages: cache marks do not make another message of the same text", () => {
    const json = (mark: object) => ({
      model: "m",
      system: [{ type: "text", text: "Be brief.", ...mark }],
      messages: [
        { role: "user", content: [{ type: "text", text: "Go", ...mark }] },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "hm", signature: "s" },
            { type: "tool_use", id: "c1", name: "view", input: { path: "a" } },
          ],
        },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "c1", content: "line", ...mark }] },
      ],
    });
    const marked = request(messages, json({ cache_control: { type: "ephemeral" } }));
    expect(marked.messages).toEqual(request(messages, json({})).messages);
    expect(marked.messages.slice(1)).toEqual([
      { role: "system", parts: [{ type: "text", text: "Be brief." }] },
      { role: "user", parts: [{ type: "text", text: "Go" }] },
      {
        role: "assistant",
        parts: [
          { type: "reasoning", text: "hm" },
          { type: "tool_call", id: "c1", name: "view", arguments: '{"path":"a"}' },
        ],
      },
      { role: "user", parts: [{ type: "tool_result", id: "c1", text: "line" }] },
    ]);
  });

  test("an answer that the client sends again is the same messages", () => {
    const again = (endpoint: Endpoint, json: unknown) => request(endpoint, json).messages.slice(1);
    const chat = chatCompletionsWire.body(answer) as { choices: { message: unknown }[] };
    expect(again(chatCompletions, { messages: chat.choices.map((choice) => choice.message) })).toEqual(
      streamed(chatCompletions, chatCompletionsWire).result.messages,
    );
    const response = responsesWire.body(answer) as { output: unknown[] };
    expect(again(responses, { input: response.output })).toEqual(streamed(responses, responsesWire).result.messages);
    const message = messagesWire.body(answer) as { content: unknown };
    expect(again(messages, { messages: [{ role: "assistant", content: message.content }] })).toEqual(
      streamed(messages, messagesWire).result.messages,
    );
  });
});

describe("failures that come within a stream", () => {
  test.each([
    [chatCompletions, "message", { error: { message: "overloaded" } }],
    [
      responses,
      "response.failed",
      { type: "response.failed", response: { status: "failed", error: { message: "overloaded" } } },
    ],
    [responses, "error", { type: "error", message: "overloaded" }],
    [messages, "error", { type: "error", error: { type: "overloaded_error", message: "overloaded" } }],
  ] as const)("%#", (endpoint, type, json) => {
    const assembler = conversation(endpoint).assembleAnswer();
    const event = { type, data: JSON.stringify(json) };
    assembler.takeEvent(event);
    // A stream of chat completions goes on to its own end.
    expect(conversation(endpoint).endsStream?.(event)).toBe(endpoint !== chatCompletions);
    expect(assembler.result()).toMatchObject({ outcome: "failed", error: "overloaded" });
  });
});

describe("the registry", () => {
  test("finds each format by method and path, and nothing else", () => {
    expect(findEndpoint("POST", "/chat/completions")).toBe(chatCompletions);
    expect(findEndpoint("POST", "/v1/chat/completions")).toBe(chatCompletions);
    expect(findEndpoint("POST", "/responses")).toBe(responses);
    expect(findEndpoint("POST", "/v1/messages")).toBe(messages);
    expect(findEndpoint("GET", "/models")).toBe(models);
    // What is left is nobody's own, and relayed only where a line of `paths` names it.
    for (const path of ["/responses/resp_1", "/v1/messages/batches", "/Responses", "/responses/"]) {
      expect(findEndpoint("POST", path)).toBe(other);
    }
    expect(findEndpoint("GET", "/responses")).toBe(other);
    expect(findEndpoint("DELETE", "/chat/completions")).toBe(other);
    expect(other.access).toBe("named");
    expect(findEndpoint("POST", "/agents/jobs").format).toBe("agents");
    expect(findEndpoint("POST", "/mcp/readonly").format).toBe("mcp");
    expect(ENDPOINTS.at(-1)).toBe(other);
  });
});

describe("the model list", () => {
  test("loses its WebSocket endpoints, and nothing else", () => {
    const list = {
      object: "list",
      data: [{ id: "a", supported_endpoints: ["/responses", "ws:/responses"] }, { id: "b" }],
    };
    expect(JSON.parse(withoutWebSockets(Buffer.from(JSON.stringify(list))).toString())).toEqual({
      object: "list",
      data: [{ id: "a", supported_endpoints: ["/responses"] }, { id: "b" }],
    });
  });

  test("stays the very same bytes where there are none, or where it cannot be read", () => {
    for (const text of ['{ "data": [] }', 'broken "ws:/responses"', '["ws:/responses"]']) {
      const body = Buffer.from(text);
      expect(withoutWebSockets(body)).toBe(body);
    }
  });
});
