/** The fixture's upstream speaks what the official SDKs read, so that it is no private dialect. */
import { readFile } from "node:fs/promises";
import Anthropic, { RateLimitError as AnthropicRateLimitError } from "@anthropic-ai/sdk";
import OpenAI, { RateLimitError } from "openai";
import { expect, onTestFinished, test } from "vitest";
import { type CopilotUpstream, startCopilotUpstream } from "../../fixtures/copilot-upstream/server.ts";
import { sdkStory } from "./sdk-story.ts";

async function start(): Promise<CopilotUpstream> {
  const upstream = await startCopilotUpstream();
  onTestFinished(() => upstream.close());
  return upstream;
}

test("the OpenAI and the Anthropic SDK, streamed and whole, on all three wires", async () => {
  const upstream = await start();
  await sdkStory(upstream.url, "any", upstream);
  expect(upstream.requests).toHaveLength(7);
});

test("errors arrive as the SDKs' own errors", async () => {
  const upstream = await start();
  upstream.respondAlways({ status: 429, error: { message: "Too fast", code: "rate_limited" } });
  const openai = new OpenAI({ baseURL: upstream.url, apiKey: "x", maxRetries: 0 });
  const anthropic = new Anthropic({ baseURL: upstream.url, authToken: "x", apiKey: null, maxRetries: 0 });
  await expect(openai.responses.create({ model: "m", input: "Hi" })).rejects.toThrow(RateLimitError);
  await expect(
    anthropic.messages.create({ model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] }),
  ).rejects.toThrow(AnthropicRateLimitError);
});

test("scripts answer in the order they were given, then the standing one; a function sees the request", async () => {
  const upstream = await start();
  upstream.respond({ text: "first" });
  upstream.respond((request) => ({ text: `second, for ${request.model}` }));
  upstream.respondAlways({ text: "always" });
  const openai = new OpenAI({ baseURL: upstream.url, apiKey: "x" });
  const ask = async () => (await openai.responses.create({ model: "m", input: "Hi" })).output_text;
  expect([await ask(), await ask(), await ask(), await ask()]).toEqual(["first", "second, for m", "always", "always"]);
  expect(upstream.requests.map((request) => request.json["input"])).toEqual(["Hi", "Hi", "Hi", "Hi"]);
});

test("it imports nothing from the product", async () => {
  for (const file of ["server", "script", "models", "wires/chat-completions", "wires/responses", "wires/messages"]) {
    const source = await readFile(new URL(`../../fixtures/copilot-upstream/${file}.ts`, import.meta.url), "utf8");
    expect(source).not.toMatch(/from "[^"]*src\//);
  }
});
