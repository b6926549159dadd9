/** What policy does with requests and answers on their way: models, limits, secrets, the kill switch. Real sockets, real database. */
import { request as httpRequest } from "node:http";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import type { ExchangeDependencies } from "../../src/flows/exchange.ts";
import { createStopWatch, orderLift, orderStop, type StopWatch } from "../../src/flows/stopping.ts";
import { findExchangeMessages } from "../../src/store/messages.ts";
import { findStandingStops } from "../../src/store/stops.ts";
import { createDetector } from "../../src/secrets/detector.ts";
import { parseRules } from "../../src/secrets/rules.ts";
import { createScanner } from "../../src/secrets/scanner.ts";
import { ANA, BEN, dumpDatabase, type Gateway, recordedExchanges, send, startGateway } from "../copilot/gateway.ts";
import { sdkStory } from "../copilot/sdk-story.ts";
import { plantedAwsKey } from "../harness/planted.ts";

const errorOf = (text: string) => (JSON.parse(text) as { error: { message: string; code: string } }).error;
const ask = (content: string, more: object = {}) => ({
  model: "gpt-4.1",
  messages: [{ role: "user", content }],
  ...more,
});
const POSTS = "/chat/completions";

const SOFT = "MAYBE-0123456789abcdef";
const rule = (id: string, severity: string, regex: string, match: string) => ({
  id,
  description: id,
  severity,
  reference: "https://example.com/",
  regex,
  examples: { match: [match], noMatch: ["nothing"] },
});
const parsed = parseRules(
  JSON.stringify({
    rules: [
      rule("aws", "block", "\\bAKIA[A-Z0-9]{16}\\b", plantedAwsKey),
      rule("soft", "warn", "\\bMAYBE-[0-9a-f]{16}\\b", SOFT),
    ],
  }),
);
if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
const scanner = createScanner(createDetector(parsed.value), Buffer.alloc(32, 3));
const MASK = scanner.mask(plantedAwsKey).text;

type Sent = NonNullable<ExchangeDependencies["sent"]>;
const sent = (what: Partial<Pick<Sent, "prompts" | "answers">>): Sent => ({
  prompts: "pass",
  answers: "pass",
  ...what,
  find: (text) => scanner.find(text),
  maskStream: () => scanner.maskStream(),
});
const masking = (what: Partial<Pick<Sent, "prompts" | "answers">>) => ({
  mask: (text: string) => scanner.mask(text),
  sent: sent(what),
});

describe("models", () => {
  const models = [
    { names: ["gpt-4*", "**/small"], allow: ["*"] },
    { names: ["*"], allow: ["research"] },
  ];

  test.each([
    ["gpt-4.1", 200],
    ["vendor/small", 200],
    ["gpt-5", 400],
    ["GPT-4.1", 400],
    ["vendor/gpt-4.1", 400],
    [undefined, 400],
  ])("%s: %i", async (model, status) => {
    const gateway = await startGateway({ policy: { models } });
    const reply = await send(`${gateway.api}${POSTS}`, { body: ask("Hello", { model }) });
    expect(reply.status).toBe(status);
    if (status === 200) return;
    expect(errorOf(reply.text).code).toBe("model_not_allowed");
    expect(gateway.upstream.requests).toEqual([]);
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "refused", refusal: "model_not_allowed" }]);
  });

  test("are a question for what asks one: the model list is open", async () => {
    const gateway = await startGateway({ policy: { models: [] } });
    expect((await send(`${gateway.api}/models`)).status).toBe(200);
    expect((await send(`${gateway.api}${POSTS}`, { body: ask("Hello") })).status).toBe(400);
  });
});

describe("limits", () => {
  const limit = { people: ["*"], requestBytes: null, requestsPerMinute: null, streams: null };

  test("a request's size, of the people whom the first entry names", async () => {
    const limits = [
      { ...limit, people: ["user:ben@example.com"], requestBytes: 10_000 },
      { ...limit, requestBytes: 200 },
    ];
    const gateway = await startGateway({ policy: { limits } });
    const body = ask("x".repeat(500));
    const reply = await send(`${gateway.api}${POSTS}`, { body });
    expect([reply.status, errorOf(reply.text).code]).toEqual([400, "limit_exceeded"]);
    expect((await send(`${gateway.api}${POSTS}`, { body, token: BEN })).status).toBe(200);
  });

  test("requests a minute, each person's own; told with the time to wait, in a form that clients show", async () => {
    const gateway = await startGateway({ policy: { limits: [{ ...limit, requestsPerMinute: 2 }] } });
    const statuses = async (token: string) => {
      const replies = [];
      for (let at = 0; at < 3; at += 1)
        replies.push(await send(`${gateway.api}${POSTS}`, { body: ask("Hello"), token }));
      return replies;
    };
    const replies = await statuses(ANA);
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 400]);
    expect(errorOf(replies[2]?.text ?? "").code).toBe("rate_limited");
    expect(Number(replies[2]?.headers["retry-after"])).toBeGreaterThan(20);
    expect((await statuses(BEN)).map(({ status }) => status)).toEqual([200, 200, 400]);
    expect((await recordedExchanges(gateway.db)).map(({ refusal }) => refusal)).toContain("rate_limited");
  });

  test("answers at once: one that has ended, however it did, makes room", async () => {
    const gateway = await startGateway({ policy: { limits: [{ ...limit, streams: 1 }] } });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    gateway.upstream.respond({ text: ["one ", "two"], beforeChunk: (index) => (index === 2 ? held : undefined) });
    const first = send(`${gateway.api}${POSTS}`, { body: ask("Hello", { stream: true }) });
    await expect.poll(() => gateway.upstream.requests.length).toBe(1);
    const second = await send(`${gateway.api}${POSTS}`, { body: ask("Again") });
    expect([second.status, errorOf(second.text).code]).toEqual([400, "limit_exceeded"]);
    release();
    expect((await first).status).toBe(200);
    gateway.upstream.respond({ status: 500 });
    expect((await send(`${gateway.api}${POSTS}`, { body: ask("Fails") })).status).toBe(500);
    expect((await send(`${gateway.api}${POSTS}`, { body: ask("Works") })).status).toBe(200);
  });
});

/** The same secret in every form in which a body can hold it. */
const FORMS: readonly (readonly [string, (secret: string) => string])[] = [
  ["plain", (secret) => JSON.stringify(ask(`key ${secret}`))],
  [
    "in JSON escapes",
    (secret) =>
      JSON.stringify(ask("@")).replace("@", Array.from(secret, (c) => `\\u00${c.charCodeAt(0).toString(16)}`).join("")),
  ],
  ["as a property's name", (secret) => JSON.stringify(ask("x", { metadata: { [secret]: "x" } }))],
  [
    "in a tool call's arguments",
    (secret) =>
      JSON.stringify({
        ...ask("x"),
        messages: [
          {
            role: "assistant",
            tool_calls: [
              {
                id: "1",
                type: "function",
                function: { name: "f", arguments: JSON.stringify({ a: JSON.stringify([secret]) }) },
              },
            ],
          },
        ],
      }),
  ],
  [
    "in base64",
    (secret) => JSON.stringify(ask(`echo ${Buffer.from(`export KEY=${secret} # the key`).toString("base64")}`)),
  ],
  [
    "in a tool's description",
    (secret) =>
      JSON.stringify(ask("x", { tools: [{ type: "function", function: { name: "f", description: secret } }] })),
  ],
];

describe("secrets on their way to a model", () => {
  test.each(FORMS)("%s: masked, also in the record, and the record says so", async (_form, body) => {
    const gateway = await startGateway(masking({ prompts: "mask" }));
    const reply = await send(`${gateway.api}${POSTS}`, { body: Buffer.from(body(plantedAwsKey)) });
    expect(reply.status).toBe(200);
    const [request] = gateway.upstream.requests;
    const text = request?.body.toString("utf8") ?? "";
    expect(request?.headers["content-length"]).toBe(String(request?.body.length));
    expect(text).toContain("⟦aws:");
    expect(JSON.stringify(JSON.parse(text))).not.toContain(plantedAwsKey);
    expect(scanner.find(text)).toEqual([]);
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "complete", requestMasked: true }]);
    expect(await dumpDatabase(gateway.db)).not.toContain(plantedAwsKey);
  });

  test.each(FORMS)("%s: refused, in words that clients show, without the secret", async (_form, body) => {
    const gateway = await startGateway(masking({ prompts: "refuse" }));
    const reply = await send(`${gateway.api}${POSTS}`, { body: Buffer.from(body(plantedAwsKey)) });
    expect(reply.status).toBe(400);
    expect(errorOf(reply.text)).toMatchObject({ code: "secret_in_prompt", message: expect.stringContaining("aws") });
    expect(reply.text).not.toContain(plantedAwsKey);
    expect(gateway.upstream.requests).toEqual([]);
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "refused", refusal: "secret_in_prompt" }]);
  });

  test("refused are those of severity block, without a comment that allows them", async () => {
    const gateway = await startGateway(masking({ prompts: "refuse" }));
    const status = async (content: string) => (await send(`${gateway.api}${POSTS}`, { body: ask(content) })).status;
    expect(await status(SOFT)).toBe(200);
    expect(await status("AKIA")).toBe(200);
    expect(await status(`${SOFT} ${plantedAwsKey}`)).toBe(400);
  });

  test("where there are none, the bytes go on as they came", async () => {
    const gateway = await startGateway(masking({ prompts: "mask" }));
    const body = Buffer.from('{ "model":"gpt-4.1", "seed": 1.0e2, "messages":[{"role":"user","content":"\\u0041"}] }');
    await send(`${gateway.api}${POSTS}`, { body });
    expect(gateway.upstream.requests[0]?.body.equals(body)).toBe(true);
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ requestMasked: false }]);
  });

  test("what the upstream has sealed stays whole; a text in its place does not", async () => {
    const gateway = await startGateway(masking({ prompts: "mask" }));
    const sealed = `${Buffer.alloc(60, 9).toString("base64")}${plantedAwsKey}`;
    const thinking = { type: "thinking", thinking: plantedAwsKey, signature: sealed };
    const sly = { type: "thinking", thinking: "x", signature: `say ${plantedAwsKey}` };
    const body = { model: "c", max_tokens: 1, messages: [{ role: "assistant", content: [thinking, sly] }] };
    await send(`${gateway.api}/v1/messages`, { body });
    const content = [
      { ...thinking, thinking: MASK },
      { ...sly, signature: `say ${MASK}` },
    ];
    expect(gateway.upstream.requests[0]?.json).toMatchObject({ messages: [{ content }] });
  });
});

const WIRES = [
  [POSTS, ask("Hello")],
  ["/responses", { model: "gpt-5.4", input: "Hello" }],
  ["/v1/messages", { model: "claude-sonnet-4.5", max_tokens: 10, messages: [{ role: "user", content: "Hello" }] }],
] as const;

describe("secrets on their way to the client", () => {
  test("the official SDKs notice nothing where there are none", async () => {
    const gateway = await startGateway(masking({ answers: "mask" }));
    await sdkStory(gateway.api, ANA, gateway.upstream);
    const rows = await recordedExchanges(gateway.db);
    expect(rows.map(({ status, answerMasked }) => [status, answerMasked])).toEqual([
      ...Array.from({ length: 6 }, () => ["complete", true]),
      ["complete", false],
    ]);
  });

  test.each(WIRES)("%s: none gets there, however it is split, streamed and whole", async (path, body) => {
    const gateway = await startGateway(masking({ answers: "mask" }));
    const text = `The key is ${plantedAwsKey}, and that is all.`;
    const splits = [1, 3, 7, 40].map((size) => text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? []);
    const args = JSON.stringify({ env: { KEY: plantedAwsKey }, note: "ü" });
    for (const stream of [true, false]) {
      for (const pieces of splits) {
        gateway.upstream.respond({
          text: pieces,
          reasoning: pieces,
          toolCalls: [{ name: "run", arguments: args.match(/[^]{1,5}/g) ?? [] }],
        });
        const reply = await send(`${gateway.api}${path}`, { body: { ...body, stream } });
        expect(reply.status).toBe(200);
        expect(reply.broken).toBe(false);
        expect(textIn(reply.text)).not.toContain(plantedAwsKey);
        expect(textIn(reply.text)).toContain(`The key is ${MASK}, and that is all.`);
        // In a whole answer of Anthropic's the arguments are no text.
        const kept =
          stream || path !== "/v1/messages" ? JSON.stringify({ env: { KEY: MASK }, note: "ü" }) : `\n${MASK}\n`;
        expect(textIn(reply.text)).toContain(kept);
      }
    }
    const rows = await recordedExchanges(gateway.db);
    expect(rows).toHaveLength(8);
    for (const row of rows) {
      expect(row).toMatchObject({ status: "complete", answerMasked: true });
      const { response } = await findExchangeMessages(gateway.db, row.id);
      expect(JSON.stringify(response)).toContain(MASK);
    }
    expect(await dumpDatabase(gateway.db)).not.toContain(plantedAwsKey);
  });

  test("ghost text, streamed and whole, however it is split", async () => {
    const gateway = await startGateway(masking({ answers: "mask" }));
    const body = { prompt: "const key = ", max_tokens: 50 };
    for (const stream of [true, false]) {
      for (const size of [1, 5, 40]) {
        gateway.upstream.respond({
          text: `"${plantedAwsKey}";`.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [],
        });
        const path = "/v1/engines/copilot-codex/completions";
        const reply = await send(`${gateway.api}${path}`, { body: { ...body, stream } });
        expect(reply.status).toBe(200);
        const texts = [...reply.text.matchAll(/"text":("(?:[^"\\]|\\.)*")/g)];
        const said = texts.map(([, text = ""]) => JSON.parse(text) as string).join("");
        expect(said).toBe(`"${MASK}";`);
      }
    }
    expect((await recordedExchanges(gateway.db)).map(({ status, answerMasked }) => [status, answerMasked])).toEqual(
      Array.from({ length: 6 }, () => ["complete", true]),
    );
  });

  test("an answer in which a name stands twice does not get there: the first could be what the client reads", async () => {
    const gateway = await startGateway(masking({ answers: "mask" }));
    gateway.upstream.respond({
      status: 200,
      rawBody: `{"choices":[],"note":"${plantedAwsKey}","note":"x"}`,
      contentType: "application/json",
    });
    const reply = await send(`${gateway.api}${POSTS}`, { body: ask("Hello") });
    expect([reply.status, errorOf(reply.text).code]).toEqual([502, "upstream_misbehaved"]);
  });

  test("an SDK reads the masked stream as one answer", async () => {
    const gateway = await startGateway(masking({ answers: "mask" }));
    gateway.upstream.respondAlways({ text: ["Use AKIA", plantedAwsKey.slice(4), " here"] });
    const openai = new OpenAI({ baseURL: gateway.api, apiKey: ANA, maxRetries: 0 });
    const chat = openai.chat.completions.stream({ model: "m", messages: [{ role: "user", content: "x" }] });
    expect((await chat.finalChatCompletion()).choices[0]?.message.content).toBe(`Use ${MASK} here`);
    const responses = await openai.responses.stream({ model: "m", input: "x" }).finalResponse();
    expect(responses.output_text).toBe(`Use ${MASK} here`);
  });

  test("an answer that cannot be masked does not get there", async () => {
    const gateway = await startGateway(masking({ answers: "mask" }));
    for (const answer of [
      { rawBody: `not JSON ${plantedAwsKey}`, contentType: "application/json" },
      { rawBody: `{"a":"${plantedAwsKey}"`, contentType: "text/plain" },
      { rawBody: '{"a":1}', contentType: "application/json", headers: { "content-encoding": "x-own" } },
    ]) {
      gateway.upstream.respond({ status: 200, ...answer });
      const reply = await send(`${gateway.api}${POSTS}`, { body: ask("Hello") });
      expect([reply.status, errorOf(reply.text).code]).toEqual([502, "upstream_misbehaved"]);
    }
    // In a stream, what is no JSON is left out.
    gateway.upstream.respond({
      status: 200,
      rawBody: `data: ${plantedAwsKey}\n\ndata: {"choices":[]}\n\ndata: [DONE]\n\n`,
      contentType: "text/event-stream",
    });
    const reply = await send(`${gateway.api}${POSTS}`, { body: ask("Hello", { stream: true }) });
    expect(reply.text).toBe('data: {"choices":[]}\n\ndata: [DONE]\n\n');
  });

  test("without it, the client gets what the model said", async () => {
    const gateway = await startGateway(masking({}));
    gateway.upstream.respond({ text: plantedAwsKey });
    expect((await send(`${gateway.api}${POSTS}`, { body: ask("Hello") })).text).toContain(plantedAwsKey);
  });
});

interface StreamEvent {
  readonly delta?: string | { readonly text?: string; readonly partial_json?: string };
  readonly choices?: readonly {
    readonly delta?: {
      readonly content?: string;
      readonly tool_calls?: readonly { readonly function: { readonly arguments?: string } }[];
    };
  }[];
}

/** The text of an answer on any wire: of a stream, its deltas one after the other. */
function textIn(body: string): string {
  const events = body.startsWith("{")
    ? [body]
    : body
        .split("\n")
        .filter((line) => line.startsWith("data: {"))
        .map((line) => line.slice(6));
  const strings: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === "string") strings.push(value);
    else if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) collect(inner);
  };
  // A text of its own for each kind: what is held back of one may come after another has begun.
  const deltas = { plain: "", text: "", partial_json: "", content: "", arguments: "" };
  for (const event of events) {
    const json = JSON.parse(event) as StreamEvent;
    collect(json);
    const { delta, choices = [] } = json;
    const [choice] = choices;
    if (typeof delta === "string") deltas.plain += delta;
    else deltas.text += delta?.text ?? "";
    if (typeof delta === "object") deltas.partial_json += delta.partial_json ?? "";
    deltas.content += choice?.delta?.content ?? "";
    for (const call of choice?.delta?.tool_calls ?? []) deltas.arguments += call.function.arguments ?? "";
  }
  return [...Object.values(deltas), ...strings].join("\n");
}

describe("bodies that cannot be read", () => {
  const TWICE = Buffer.from('{"model":"m","model":"n","messages":[]}');

  test("are relayed where the connection says so, as they came, with `truncated` on the record", async () => {
    const gateway = await startGateway({ credential: { kind: "passthrough" }, policy: { unreadable: "relay" } });
    const url = `${gateway.url}/u/${ANA}/copilot/copilot${POSTS}`;
    const cases = [
      [TWICE, {}],
      [Buffer.from([0x7b, 0xff, 0x7d]), {}],
      [Buffer.from("x"), { "content-encoding": "zstd" }],
      [Buffer.from("a=b"), { "content-type": "application/x-www-form-urlencoded" }],
    ] as const;
    for (const [body, headers] of cases) await send(url, { token: "own", body, headers: { ...headers } });
    expect(gateway.upstream.requests.map(({ body }) => body.toString("latin1"))).toEqual(
      cases.map(([body]) => body.toString("latin1")),
    );
    expect(gateway.upstream.requests[2]?.headers["content-encoding"]).toBe("zstd");
    const rows = await recordedExchanges(gateway.db);
    expect(rows.map(({ status }) => status)).toEqual(cases.map(() => "truncated"));
    expect(rows[0]?.error).toContain("repeats a name");
    expect(rows[0]?.error).toContain("sent on");
  });

  test.each([
    ["a credential is shared", {}],
    ["models are chosen", { credential: { kind: "none" }, policy: { models: [] } }],
    ["prompts are masked", { credential: { kind: "none" }, ...masking({ prompts: "mask" }) }],
  ] as const)("are refused where %s", async (_what, options) => {
    const policy = { unreadable: "relay" as const, ...("policy" in options ? options.policy : {}) };
    const gateway = await startGateway({ ...options, policy });
    const reply = await send(`${gateway.api}${POSTS}`, { body: TWICE });
    expect(reply.status).toBe(400);
    expect(gateway.upstream.requests).toEqual([]);
  });
});

describe("the kill switch", () => {
  const SESSION = "5bc86a02-a597-468d-a676-17550f434bc5";
  const OTHER = "6bc86a02-a597-468d-a676-17550f434bc5";
  let watch: StopWatch | null = null;
  const start = () =>
    startGateway({ stops: (db) => (watch = createStopWatch({ db, provider: null, now: () => new Date() })) });
  const stop = async (gateway: Gateway, subject: { user: string } | { session: string }) => {
    const ordered = await orderStop(gateway.db, {
      subject,
      reason: "a leak",
      by: null,
      expiresAt: null,
      at: new Date(),
    });
    await watch?.refresh();
    return ordered;
  };
  const asked = (gateway: Gateway, session: string, token = ANA) =>
    send(`${gateway.api}${POSTS}`, {
      token,
      headers: { "x-client-session-id": session },
      body: ask("Hello", { stream: true }),
    });

  test("a person: what runs breaks off, what follows is refused, others go on; lifted, so do they", async () => {
    const gateway = await start();
    const forever = new Promise<void>(() => {});
    gateway.upstream.respondAlways({
      text: ["one ", "two"],
      beforeChunk: (index) => (index === 2 ? forever : undefined),
    });
    const running = asked(gateway, SESSION);
    await expect.poll(() => gateway.upstream.requests.length).toBe(1);
    // The first words are on record before the stop: it is the answer that ends.
    await expect.poll(async () => (await recordedExchanges(gateway.db))[0]?.status).toBe("open");
    const ordered = await stop(gateway, { user: "ANA@example.com" });
    expect(ordered.ok).toBe(true);
    expect((await running).broken).toBe(true);
    expect(await gateway.upstream.requests[0]?.finished).toBe(false);
    await expect.poll(async () => (await recordedExchanges(gateway.db))[0]?.status).toBe("refused");
    expect((await recordedExchanges(gateway.db))[0]).toMatchObject({
      refusal: "stopped",
      error: expect.stringContaining("a leak"),
    });

    gateway.upstream.respondAlways({});
    const next = await asked(gateway, OTHER);
    expect([next.status, errorOf(next.text).code]).toEqual([400, "stopped"]);
    expect(errorOf(next.text).message).toContain("a leak");
    expect((await asked(gateway, SESSION, BEN)).status).toBe(200);

    const [standing] = await findStandingStops(gateway.db, new Date());
    if (standing === undefined) throw new Error("the stop is gone");
    expect(await orderLift(gateway.db, standing, null, new Date())).toBe(true);
    expect(await orderLift(gateway.db, standing, null, new Date())).toBe(false);
    await watch?.refresh();
    expect((await asked(gateway, SESSION)).status).toBe(200);
  });

  test("a session: only that one, and its refusals are on record in it", async () => {
    const gateway = await start();
    expect((await asked(gateway, SESSION)).status).toBe(200);
    const [row] = await recordedExchanges(gateway.db);
    expect((await stop(gateway, { session: row?.sessionId ?? "" })).ok).toBe(true);
    const refused = await asked(gateway, SESSION);
    expect([refused.status, errorOf(refused.text).code]).toEqual([400, "stopped"]);
    expect((await asked(gateway, OTHER)).status).toBe(200);
    expect(gateway.upstream.requests).toHaveLength(2);
    const rows = await recordedExchanges(gateway.db);
    expect(rows.map(({ status }) => status)).toEqual(["complete", "refused", "complete"]);
    expect(rows[1]?.sessionId).toBe(row?.sessionId);
    expect((await stop(gateway, { session: "nonsense" })).ok).toBe(false);
    expect((await stop(gateway, { user: "nobody@example.com" })).ok).toBe(false);
  });

  test("ends a request that the upstream has not answered yet, with the reason", async () => {
    const gateway = await start();
    gateway.upstream.respond({ firstByteMs: 60_000 });
    const running = asked(gateway, SESSION);
    await expect.poll(() => gateway.upstream.requests.length).toBe(1);
    await stop(gateway, { user: "ana@example.com" });
    const reply = await running;
    expect([reply.status, errorOf(reply.text).code]).toEqual([400, "stopped"]);
    expect(await gateway.upstream.requests[0]?.finished).toBe(false);
    expect(await recordedExchanges(gateway.db)).toMatchObject([{ status: "refused", refusal: "stopped" }]);
  });

  test("a stop for some time ends by itself", async () => {
    const gateway = await start();
    const at = new Date(Date.now() - 60_000);
    const expiresAt = new Date(Date.now() - 1);
    await orderStop(gateway.db, { subject: { user: "ana@example.com" }, reason: "x", by: null, expiresAt, at });
    await watch?.refresh();
    expect((await asked(gateway, SESSION)).status).toBe(200);
    expect(await findStandingStops(gateway.db, at)).toHaveLength(1);
  });
});

test("a request that is stopped, refused or let go: none of them keeps a slot", async () => {
  const limits = [{ people: ["*"], requestBytes: null, requestsPerMinute: null, streams: 1 }];
  const gateway = await startGateway({ policy: { limits }, ...masking({ prompts: "refuse" }) });
  gateway.upstream.respond({ firstByteMs: 60_000 });
  const request = httpRequest(`${gateway.api}${POSTS}`, {
    method: "POST",
    headers: { authorization: `Bearer ${ANA}` },
  });
  request.on("error", () => {});
  request.end(JSON.stringify(ask("Hello")));
  await expect.poll(() => gateway.upstream.requests.length).toBe(1);
  request.destroy();
  await expect.poll(async () => (await recordedExchanges(gateway.db))[0]?.status).toBe("client_gone");
  expect((await send(`${gateway.api}${POSTS}`, { body: ask(plantedAwsKey) })).status).toBe(400);
  await expect.poll(async () => (await send(`${gateway.api}${POSTS}`, { body: ask("Hello") })).status).toBe(200);
});
