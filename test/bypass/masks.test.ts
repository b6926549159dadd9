/** Ways for a secret to pass where prompts and answers are masked: in pieces, in copies, in places beside the text. Append-only. */
import { describe, expect, test } from "vitest";
import { createDetector } from "../../src/secrets/detector.ts";
import { parseRules } from "../../src/secrets/rules.ts";
import { createScanner } from "../../src/secrets/scanner.ts";
import { findExchangeMessages } from "../../src/store/messages.ts";
import { recordedExchanges, type Reply, send, startGateway } from "../copilot/gateway.ts";
import { plantedAwsKey as SECRET } from "../harness/planted.ts";

const parsed = parseRules(
  JSON.stringify({
    rules: [
      {
        id: "aws",
        description: "aws",
        severity: "block",
        reference: "https://example.com/",
        regex: "\\bAKIA[A-Z0-9]{16}\\b",
        examples: { match: [SECRET], noMatch: ["nothing"] },
      },
    ],
  }),
);
if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
const scanner = createScanner(createDetector(parsed.value), Buffer.alloc(32, 3));
const masking = (prompts: "pass" | "mask", answers: "pass" | "mask") => ({
  mask: (text: string) => scanner.mask(text),
  sent: {
    prompts,
    answers,
    find: (text: string) => scanner.find(text),
    maskStream: () => scanner.maskStream(),
  },
});

const SSE = "text/event-stream";
const PATHS = {
  chat: ["/chat/completions", { model: "m", messages: [{ role: "user", content: "Hi" }] }],
  responses: ["/responses", { model: "m", input: "Hi" }],
  messages: ["/v1/messages", { model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] }],
  ghost: ["/v1/engines/copilot-codex/completions", { prompt: "const a = " }],
} as const;
type Wire = keyof typeof PATHS;

/** What the client gets where the upstream answers this. */
async function answered(wire: Wire, answer: object | readonly object[]): Promise<Reply> {
  const gateway = await startGateway(masking("pass", "mask"));
  const [path, body] = PATHS[wire];
  const stream = Array.isArray(answer);
  const rawBody = stream
    ? answer.map((event: object) => `data: ${JSON.stringify(event)}\n\n`).join("")
    : JSON.stringify(answer);
  gateway.upstream.respond({ status: 200, rawBody, contentType: stream ? SSE : "application/json" });
  const reply = await send(`${gateway.api}${path}`, { body: { ...body, stream } });
  expect([reply.status, reply.broken]).toEqual([200, false]);
  expect((await recordedExchanges(gateway.db))[0]?.answerMasked).toBe(true);
  return reply;
}

/** What an answer says under each name, one piece behind the other; numbers as the characters that they may stand for. */
function saidIn(text: string): string {
  const byName = new Map<string, string>();
  const collect = (name: string, value: unknown): void => {
    if (typeof value === "object" && value !== null) {
      for (const [inner, one] of Object.entries(value)) collect(Array.isArray(value) ? name : inner, one);
    } else {
      const char = typeof value === "number" ? String.fromCharCode(value & 0xffff) : "";
      byName.set(name, (byName.get(name) ?? "") + (typeof value === "string" ? value : char));
    }
  };
  const bodies = text.startsWith("{") ? [text] : text.split("\n").filter((line) => line.startsWith("data: {"));
  for (const body of bodies) collect("", JSON.parse(body.replace(/^data: /, "")));
  return [...byName.values()].join("\n");
}

const HALVES = [SECRET.slice(0, 9), SECRET.slice(9)] as const;
const tokens = (pieces: readonly string[]) =>
  pieces.map((token) => ({ token, logprob: -0.1, bytes: null, top_logprobs: [] }));
const bytesOf = [{ token: "?", logprob: -0.1, bytes: [...Buffer.from(SECRET)], top_logprobs: [] }];
const said = (text: string, more: object = {}) => ({ type: "output_text", text, annotations: [], ...more });
const message = (part: object) => ({ type: "message", id: "msg_1", role: "assistant", content: [part] });

describe("the probabilities of tokens, which spell the text", () => {
  test.each([
    [
      "chat",
      { choices: [{ index: 0, message: { role: "assistant", content: "x" }, logprobs: { content: tokens(HALVES) } }] },
    ],
    ["chat", { choices: [{ index: 0, message: { role: "assistant", content: "x" }, logprobs: { content: bytesOf } }] }],
    ["chat", [{ choices: [{ index: 0, delta: { content: "x" }, logprobs: { content: tokens(HALVES) } }] }]],
    ["ghost", { choices: [{ index: 0, text: "x", logprobs: { tokens: HALVES, token_logprobs: [-0.1, -0.1] } }] }],
    ["ghost", [{ choices: [{ index: 0, text: "x", logprobs: { tokens: HALVES } }] }]],
    ["responses", { id: "r", status: "completed", output: [message(said("x", { logprobs: tokens(HALVES) }))] }],
    [
      "responses",
      [{ type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "x", logprobs: tokens(HALVES) }],
    ],
    [
      "responses",
      [{ type: "response.output_text.done", output_index: 0, content_index: 0, text: "x", logprobs: tokens(HALVES) }],
    ],
    [
      "responses",
      [{ type: "response.content_part.done", output_index: 0, part: said("x", { logprobs: tokens(HALVES) }) }],
    ],
    [
      "responses",
      [
        {
          type: "response.completed",
          response: { id: "r", output: [message(said("x", { logprobs: tokens(HALVES) }))] },
        },
      ],
    ],
  ] as const)("%s %#", async (wire, answer) => {
    const { text } = await answered(wire, answer);
    expect(saidIn(text)).not.toContain(SECRET);
  });
});

describe("beside a text that streams", () => {
  const delta = (more: object, outside: object = {}) => ({
    type: "content_block_delta",
    index: 0,
    delta: more,
    ...outside,
  });
  test.each([
    ["messages", [delta({ type: "text_delta", text: "x", note: SECRET })]],
    ["messages", [delta({ type: "text_delta", text: "x", thinking: SECRET })]],
    ["messages", [delta({ type: "text_delta", text: "x" }, { note: SECRET })]],
    ["messages", [delta({ type: "signature_delta", signature: "x", note: SECRET })]],
    ["messages", [delta({ type: "signature_delta", signature: `x ${SECRET}` })]],
    ["messages", [delta({ type: "text_delta", text: "x" }), { type: "content_block_stop", index: 0, note: SECRET }]],
    [
      "responses",
      [{ type: "response.output_text.delta", output_index: 0, content_index: 0, delta: "x", note: SECRET }],
    ],
  ] as const)("%s %#", async (wire, answer) => {
    const { text } = await answered(wire, answer);
    expect(saidIn(text)).not.toContain(SECRET);
    expect(saidIn(text)).toContain("x");
  });
});

describe("in pieces under a name that another vendor gives the model's thinking", () => {
  const piece = (delta: object) => ({ choices: [{ index: 0, delta, finish_reason: null }] });
  test.each([
    ["reasoning", HALVES.map((reasoning) => piece({ reasoning }))],
    ["thinking", HALVES.map((thinking) => piece({ thinking }))],
    ["cot_summary", HALVES.map((cot_summary) => piece({ cot_summary }))],
    [
      "reasoning_details",
      HALVES.map((text) => piece({ reasoning_details: [{ type: "reasoning.text", text, index: 0 }] })),
    ],
    ["content in parts", HALVES.map((text) => piece({ content: [{ type: "text", text }] }))],
  ] as const)("%s", async (_what, answer) => {
    const { text } = await answered("chat", answer);
    expect(saidIn(text)).not.toContain(SECRET);
  });
});

describe("in the place of what the upstream has sealed, and looking like it", () => {
  const SEALED = `${"A1b2".repeat(10)}/${SECRET}/${"C3d4".repeat(10)}`;
  const block = (content: object) => ({ ...PATHS.messages[1], messages: [{ role: "assistant", content: [content] }] });
  const input = (given: object) => block({ type: "tool_use", id: "t", name: "post", input: given });
  test.each([
    ["what a tool is given", "messages", input({ signature: SEALED })],
    ["a part within what a tool is given", "messages", input({ a: [{ type: "thinking", signature: SEALED }] })],
    ["a field of that name in a tool's input", "messages", input({ reasoning_opaque: SEALED })],
    ["a result of a tool", "messages", block({ type: "tool_result", tool_use_id: "t", encrypted_content: SEALED })],
    ["a text's own field", "messages", block({ type: "text", text: "Hi", signature: SEALED })],
    ["metadata", "messages", { ...PATHS.messages[1], metadata: { signature: SEALED } }],
    ["data that is not redacted", "messages", block({ type: "thinking", thinking: "x", data: SEALED })],
    [
      "a message's field",
      "responses",
      { model: "m", input: [{ role: "user", content: "Hi", encrypted_content: SEALED }] },
    ],
  ] as const)("%s", async (_what, wire, body) => {
    const gateway = await startGateway(masking("mask", "pass"));
    expect((await send(`${gateway.api}${PATHS[wire][0]}`, { body })).status).toBe(200);
    expect(gateway.upstream.requests[0]?.body.toString()).toContain("⟦aws:");
    expect(gateway.upstream.requests[0]?.body.toString()).not.toContain(SECRET);
  });

  test.each([
    ["messages", block({ type: "thinking", thinking: "x", signature: SEALED })],
    ["messages", block({ type: "redacted_thinking", data: SEALED })],
    [
      "responses",
      { model: "m", store: false, input: [{ type: "reasoning", id: "rs_1", summary: [], encrypted_content: SEALED }] },
    ],
    ["chat", { model: "m", messages: [{ role: "assistant", content: "x", reasoning_opaque: SEALED }] }],
  ] as const)("what is sealed goes on as it was, and comes back so: %s %#", async (wire, body) => {
    const gateway = await startGateway(masking("mask", "pass"));
    const more = { ...body, metadata: { note: SECRET } };
    expect((await send(`${gateway.api}${PATHS[wire][0]}`, { body: more })).status).toBe(200);
    expect(gateway.upstream.requests[0]?.body.toString()).toContain(SEALED);
    expect(gateway.upstream.requests[0]?.body.toString()).toContain("⟦aws:");
  });

  test.each([
    ["messages", [{ type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: SEALED } }]],
    ["chat", [{ choices: [{ index: 0, delta: { reasoning_opaque: SEALED } }] }]],
  ] as const)("and in an answer: %s", async (wire, answer) => {
    expect((await answered(wire, answer)).text).toContain(SEALED);
  });
});

describe("a secret in two parts of a message, which a model reads as one text", () => {
  const texts = (type: string) =>
    ["The key is ", HALVES[0], `${HALVES[1]}.`, " Thanks"].map((text) => ({ type, text }));
  const long = [`${"x ".repeat(5_000)}${HALVES[0]}`, `${HALVES[1]} ${"y ".repeat(5_000)}`];
  const chat = (content: object[]) => ({ ...PATHS.chat[1], messages: [{ role: "user", content }] });
  const REQUESTS: readonly (readonly [string, Wire, object])[] = [
    ["chat", "chat", chat(texts("text"))],
    ["responses", "responses", { model: "m", input: [{ role: "user", content: texts("input_text") }] }],
    ["messages", "messages", { ...PATHS.messages[1], messages: [{ role: "user", content: texts("text") }] }],
    ["a system prompt", "messages", { ...PATHS.messages[1], system: texts("text") }],
    ["long ones", "chat", chat(long.map((text) => ({ type: "text", text })))],
  ];

  test.each(REQUESTS)("is masked on its way and on record: %s", async (_what, wire, body) => {
    const gateway = await startGateway(masking("mask", "pass"));
    expect((await send(gateway.api + PATHS[wire][0], { body })).status).toBe(200);
    const heard = saidIn(String(gateway.upstream.requests[0]?.body));
    expect(heard).toContain(scanner.mask(SECRET).text);
    expect(heard).not.toContain(HALVES[1]);
    const [row] = await recordedExchanges(gateway.db);
    expect(row).toMatchObject({ requestMasked: true });
  });

  test.each(REQUESTS)("is masked on record where prompts pass: %s", async (_what, wire, body) => {
    const gateway = await startGateway(masking("pass", "pass"));
    await send(gateway.api + PATHS[wire][0], { body });
    expect(JSON.parse(String(gateway.upstream.requests[0]?.body))).toEqual(body);
    const [row] = await recordedExchanges(gateway.db);
    const { request } = await findExchangeMessages(gateway.db, row?.id ?? "");
    expect(JSON.stringify(request)).toContain(scanner.mask(SECRET).text);
    expect(JSON.stringify(request)).not.toContain(HALVES[1]);
  });

  test.each(REQUESTS)("is refused: %s", async (_what, wire, body) => {
    const policy = masking("pass", "pass");
    const gateway = await startGateway({ ...policy, sent: { ...policy.sent, prompts: "refuse" } });
    expect((await send(gateway.api + PATHS[wire][0], { body })).status).toBe(400);
    expect(gateway.upstream.requests).toEqual([]);
  });

  test("parts without one go on as they are", async () => {
    const gateway = await startGateway(masking("mask", "pass"));
    const body = chat(["AKIA is", " a prefix", "."].map((text) => ({ type: "text", text })));
    await send(gateway.api + PATHS.chat[0], { body });
    expect(String(gateway.upstream.requests[0]?.body)).toBe(JSON.stringify(body));
  });
});

describe("the model's thinking in parts is on record in clear", () => {
  const text = (said: string) => ({ type: "text", text: said });
  const EVENTS: Record<string, readonly object[]> = {
    "reasoning_details, as text": [
      { reasoning_details: [{ type: "reasoning.text", text: "Let me ", index: 0 }] },
      { reasoning_details: [{ type: "reasoning.text", text: `think of ${SECRET}.`, index: 0 }], content: "Done." },
    ],
    "reasoning_details, as a summary, beside sealed ones": [
      { reasoning_details: [{ type: "reasoning.summary", summary: `Let me think of ${SECRET}.` }], content: "Done." },
      { reasoning_details: [{ type: "reasoning.encrypted", data: "c2VhbGVk" }] },
    ],
    "content in parts": [
      { content: [{ type: "thinking", thinking: [text("Let me "), text("think of ")] }] },
      { content: [{ type: "thinking", thinking: `${SECRET}.` }, text("Do")] },
      { content: [text("ne.")] },
    ],
  };
  const parts = [
    { type: "reasoning", text: `Let me think of ${scanner.mask(SECRET).text}.` },
    { type: "text", text: "Done." },
  ];

  async function onRecord(body: object, contentType: string, rawBody: string) {
    const gateway = await startGateway(masking("pass", "pass"));
    gateway.upstream.respond({ status: 200, rawBody, contentType });
    await send(`${gateway.api}${PATHS.chat[0]}`, { body });
    const [row] = await recordedExchanges(gateway.db);
    return findExchangeMessages(gateway.db, row?.id ?? "");
  }

  test.each(Object.keys(EVENTS))("in a stream: %s", async (name) => {
    const events = (EVENTS[name] ?? []).map((delta) => JSON.stringify({ choices: [{ index: 0, delta }] }));
    const rawBody = [...events, "[DONE]"].map((data) => `data: ${data}\n\n`).join("");
    const { response } = await onRecord({ ...PATHS.chat[1], stream: true }, SSE, rawBody);
    expect(response.flatMap((message) => message.parts)).toEqual(parts);
  });

  test.each(Object.keys(EVENTS))("whole, and sent again: %s", async (name) => {
    const deltas = (EVENTS[name] ?? []) as { reasoning_details?: object[]; content?: string | object[] }[];
    const details = deltas.flatMap((delta) => delta.reasoning_details ?? []);
    const inParts = deltas.flatMap(({ content }) => (Array.isArray(content) ? content : []));
    const message =
      details.length > 0
        ? { role: "assistant", content: "Done.", reasoning_details: details }
        : { role: "assistant", content: inParts };
    const body = { ...PATHS.chat[1], messages: [{ role: "user", content: "Hi" }, message] };
    const rawBody = JSON.stringify({ choices: [{ index: 0, message, finish_reason: "stop" }] });
    const { request, response } = await onRecord(body, "application/json", rawBody);
    for (const { parts: kept } of [...request.filter(({ role }) => role === "assistant"), ...response]) {
      expect(kept[0]).toEqual(parts[0]);
      expect(kept.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("")).toBe("Done.");
    }
    expect(request.flatMap((one) => one.parts).filter((part) => "kind" in part && part.kind === "unread")).toEqual([]);
  });
});

test("the model's thinking is on record under each of its names", async () => {
  for (const name of ["reasoning_text", "reasoning_content", "reasoning", "cot_summary", "cot_text", "thinking"]) {
    const gateway = await startGateway(masking("pass", "pass"));
    const piece = (text: string, more: object = {}) => ({ choices: [{ index: 0, delta: { [name]: text, ...more } }] });
    const events = [piece("Let me "), piece("think.", { content: "Done." })];
    gateway.upstream.respond({
      status: 200,
      rawBody: `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")}data: [DONE]\n\n`,
      contentType: SSE,
    });
    await send(`${gateway.api}${PATHS.chat[0]}`, { body: { ...PATHS.chat[1], stream: true } });
    const [row] = await recordedExchanges(gateway.db);
    const { response } = await findExchangeMessages(gateway.db, row?.id ?? "");
    expect(response.flatMap(({ parts }) => parts)).toEqual([
      { type: "reasoning", text: "Let me think." },
      { type: "text", text: "Done." },
    ]);
  }
});
