/** What both official SDKs do with one base URL: used against the fixture itself, and through the gateway. */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { expect } from "vitest";
import type { CopilotUpstream } from "../../fixtures/copilot-upstream/server.ts";

const TOOL_SCRIPT = {
  reasoning: "Thinking it over.",
  text: "Here is äöü 🦊 the file.",
  toolCalls: [{ name: "create", id: "call_1", arguments: { path: "a.py", file_text: "print('hi')\n" } }],
  usage: { input: 12, output: 34 },
};
const ARGUMENTS = { path: "a.py", file_text: "print('hi')\n" };
const TEXT = TOOL_SCRIPT.text;

/** @param token what the clients send as Bearer */
export async function sdkStory(baseURL: string, token: string, upstream: CopilotUpstream): Promise<void> {
  upstream.respondAlways(TOOL_SCRIPT);
  const openai = new OpenAI({ baseURL, apiKey: token, maxRetries: 0 });
  const anthropic = new Anthropic({ baseURL, authToken: token, apiKey: null, maxRetries: 0 });
  await chatCompletions(openai);
  await responses(openai);
  await messages(anthropic);
  const list = await openai.models.list();
  expect(list.data.map((model) => model.id)).toContain("gpt-5.4");
}

async function chatCompletions(openai: OpenAI): Promise<void> {
  const body = { model: "gpt-4.1", messages: [{ role: "user" as const, content: "Write a.py" }] };
  const whole = await openai.chat.completions.create(body);
  const stream = openai.chat.completions.stream({ ...body, stream_options: { include_usage: true } });
  const deltas: string[] = [];
  stream.on("content.delta", ({ delta }) => deltas.push(delta));
  for (const completion of [whole, await stream.finalChatCompletion()]) {
    const [choice] = completion.choices;
    expect(choice?.finish_reason).toBe("tool_calls");
    expect(choice?.message.content).toBe(TEXT);
    const [call] = choice?.message.tool_calls ?? [];
    expect(call).toMatchObject({ id: "call_1", type: "function", function: { name: "create" } });
    expect(JSON.parse(call?.type === "function" ? call.function.arguments : "")).toEqual(ARGUMENTS);
    expect(completion.usage).toMatchObject({ prompt_tokens: 12, completion_tokens: 34 });
  }
  expect(deltas.join("")).toBe(TEXT);
  expect(deltas.length).toBeGreaterThan(1);
}

async function responses(openai: OpenAI): Promise<void> {
  const body = { model: "gpt-5.4", input: "Write a.py" };
  const whole = await openai.responses.create(body);
  const stream = openai.responses.stream(body);
  const deltas: string[] = [];
  stream.on("response.output_text.delta", ({ delta }) => deltas.push(delta));
  for (const response of [whole, await stream.finalResponse()]) {
    expect(response.status).toBe("completed");
    expect(response.output_text).toBe(TEXT);
    const call = response.output.find((item) => item.type === "function_call");
    expect(call).toMatchObject({ call_id: "call_1", name: "create" });
    expect(JSON.parse(call?.type === "function_call" ? call.arguments : "")).toEqual(ARGUMENTS);
    expect(response.usage).toMatchObject({ input_tokens: 12, output_tokens: 34 });
    expect(response.output[0]).toMatchObject({ type: "reasoning", summary: [{ text: TOOL_SCRIPT.reasoning }] });
  }
  expect(deltas.join("")).toBe(TEXT);
}

async function messages(anthropic: Anthropic): Promise<void> {
  const body = {
    model: "claude-sonnet-4.5",
    max_tokens: 100,
    messages: [{ role: "user" as const, content: "Write a.py" }],
  };
  const whole = await anthropic.messages.create(body);
  const stream = anthropic.messages.stream(body);
  const deltas: string[] = [];
  stream.on("text", (delta) => deltas.push(delta));
  for (const message of [whole, await stream.finalMessage()]) {
    expect(message.stop_reason).toBe("tool_use");
    expect(message.content.map((block) => block.type)).toEqual(["thinking", "text", "tool_use"]);
    expect(message.content[1]).toMatchObject({ text: TEXT });
    expect(message.content[2]).toMatchObject({ id: "call_1", name: "create", input: ARGUMENTS });
    expect(message.usage).toMatchObject({ input_tokens: 12, output_tokens: 34 });
  }
  expect(deltas.join("")).toBe(TEXT);
}
