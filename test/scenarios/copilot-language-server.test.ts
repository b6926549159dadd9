/** The unmodified Copilot language server, which editors run: sign-in, ghost text, and chat on all three wires. */
import { expect, test } from "vitest";
import { listExchanges } from "../../src/store/exchanges.ts";
import { findTranscript } from "../../src/store/messages.ts";
import { listSessions } from "../../src/store/sessions.ts";
import { listTokens } from "../../src/store/tokens.ts";
import { startLanguageServer, type LanguageServer } from "../harness/copilot-language-server.ts";
import { startNamedGateway, type NamedGateway } from "../harness/named-gateway.ts";
import { startOutside } from "../harness/outside.ts";
import { plantedAwsKey } from "../harness/planted.ts";
import { startWorld } from "../harness/world.ts";

interface SignInStarted {
  readonly status: string;
  readonly userCode: string;
  readonly verificationUri: string;
  readonly command: { readonly command: string; readonly arguments: readonly unknown[] };
}

/** As an editor signs in: shows the code, opens the page, waits. */
async function signIn(server: LanguageServer, gateway: NamedGateway, account: string): Promise<unknown> {
  const browser = await gateway.browser(account);
  const started = await server.request<SignInStarted>("signIn", {});
  expect(started).toMatchObject({ status: "PromptUserDeviceFlow", verificationUri: `${gateway.url}/login/device` });
  await gateway.approve(browser, started.userCode);
  return server.request("workspace/executeCommand", started.command);
}

async function ghostText(server: LanguageServer): Promise<readonly { readonly insertText: string }[]> {
  const uri = server.fileUrl("add.py");
  const text = "def add(a, b):\n    ";
  server.notify("textDocument/didOpen", { textDocument: { uri, languageId: "python", version: 0, text } });
  server.notify("textDocument/didFocus", { textDocument: { uri } });
  const { items } = await server.request<{ items: readonly { insertText: string }[] }>(
    "textDocument/inlineCompletion",
    {
      textDocument: { uri, version: 0 },
      position: { line: 1, character: 4 },
      context: { triggerKind: 2 },
      formattingOptions: { tabSize: 4, insertSpaces: true },
    },
  );
  return items;
}

/** One question; the end of its answer, as the editor is told. */
async function endOf(server: LanguageServer, model: string, question: string): Promise<unknown> {
  const token = `chat-${model}-${question}`;
  await server.request("conversation/create", {
    workDoneToken: token,
    turns: [{ request: question }],
    capabilities: { skills: [], allSkills: false },
    source: "panel",
    computeSuggestions: false,
    model,
  });
  const end = await server.heard("$/progress", ({ token: of, value }) => {
    return of === token && (value as { kind?: unknown }).kind === "end";
  });
  return end["value"];
}

async function ask(server: LanguageServer, model: string, question: string): Promise<void> {
  expect(await endOf(server, model, question)).not.toHaveProperty("error");
}

const WIRES = [
  ["gpt-4.1", "chat-completions"],
  ["gpt-5.4", "responses"],
  ["claude-sonnet-4.5", "messages"],
] as const;

test("sign-in by device code, ghost text, and a question on each wire: the person's, once each", async () => {
  const gateway = await startNamedGateway();
  const { world } = gateway;
  const { db } = world.database;
  const server = await startLanguageServer({
    outside: gateway.outside,
    enterprise: gateway.url,
    env: { NODE_EXTRA_CA_CERTS: gateway.certificateFile },
  });
  expect(await signIn(server, gateway, "ben")).toMatchObject({ status: "OK", user: "ben_example-com" });
  expect(await listTokens(db)).toMatchObject([{ audiences: ["copilot"], principal: { email: "ben@example.com" } }]);

  world.copilot.respond({ text: "return a + b" });
  expect((await ghostText(server)).map(({ insertText }) => insertText).join()).toContain("return a + b");

  for (const [model] of WIRES) {
    world.copilot.respondAlways({ text: `The answer of ${model}.` });
    await ask(server, model, `A question for ${model}`);
  }
  await server.stop();

  const exchanges = (await listExchanges(db, {})).items;
  const { items: sessions } = await listSessions(db, {});
  expect(new Set(sessions.map(({ user }) => user))).toEqual(new Set(["ben@example.com"]));
  for (const [model, format] of WIRES) {
    const asked = exchanges.filter((one) => one.format === format && one.model === model && one.streamed === true);
    expect(
      asked.map(({ status }) => status),
      model,
    ).toContain("complete");
    const of = sessions.filter(({ id }) => asked.some(({ sessionId }) => sessionId === id));
    expect(of, model).toHaveLength(1);
    const texts = (await findTranscript(db, of[0]?.id ?? "")).flatMap(({ parts }) =>
      parts.map((part) => (part.type === "tool_call" ? part.arguments : part.text)),
    );
    expect(texts.filter((text) => text.includes(`A question for ${model}`)).length, model).toBeGreaterThan(0);
    expect(texts, model).toContain(`The answer of ${model}.`);
  }
  expect(exchanges.filter(({ format }) => format === "completions")).toMatchObject([{ status: "complete" }]);
  // Whose short-lived token it was went to nobody else.
  const sent = world.copilot.requests.map(({ headers }) => headers.authorization);
  expect(new Set(sent)).toEqual(new Set(["Bearer copilot-upstream-bearer"]));
});

test("somebody without access is told why, by the client itself", async () => {
  const gateway = await startNamedGateway();
  const server = await startLanguageServer({
    outside: gateway.outside,
    enterprise: gateway.url,
    env: { NODE_EXTRA_CA_CERTS: gateway.certificateFile },
  });
  await signIn(server, gateway, "guest").catch(() => null);
  const shown = await server.heard("didChangeStatus", ({ message }) => String(message).includes("may not use"));
  expect(shown["message"]).toContain("guest@example.com may not use the Copilot connection copilot");
});

test("set up by its environment alone: a gateway token, over plain HTTP on the loopback", async () => {
  const world = await startWorld();
  const ana = await world.person("ana@example.com", []);
  const port = Number(new URL(world.url).port);
  // It goes through the proxy to the loopback as well.
  const outside = await startOutside(new Map([[`127.0.0.1:${port}`, port]]));
  const server = await startLanguageServer({
    outside,
    env: {
      GH_COPILOT_API_URL: `${world.url}/`,
      GH_COPILOT_SERVER_URL: world.url,
      GH_COPILOT_TOKEN: ana.token,
      GH_COPILOT_USER: "ana",
    },
  });
  world.copilot.respondAlways({ text: "It works." });
  await ask(server, "gpt-4.1", "Does it work?");
  const { items } = await listSessions(world.database.db, {});
  expect(items).toMatchObject([{ user: "ana@example.com" }]);
  await server.stop();
  // Its experiments are configured in the shape that it wants: any other one it asks for again at once, without end.
  const experiments = outside.requestLines.filter((line) => line.startsWith("GET /telemetry"));
  expect(experiments.length).toBeGreaterThan(0);
  expect(experiments.length).toBeLessThan(10);
});

test("a prompt with a secret in it is refused on each wire, and the client shows why; what holds none goes on", async () => {
  const world = await startWorld({ config: { recording: { mask: "sent", prompts: "refuse" } } });
  const ana = await world.person("ana@example.com", []);
  const port = Number(new URL(world.url).port);
  const server = await startLanguageServer({
    outside: await startOutside(new Map([[`127.0.0.1:${port}`, port]])),
    env: {
      GH_COPILOT_API_URL: `${world.url}/`,
      GH_COPILOT_SERVER_URL: world.url,
      GH_COPILOT_TOKEN: ana.token,
      GH_COPILOT_USER: "ana",
    },
  });
  world.copilot.respondAlways({ text: "It works." });
  for (const [model] of WIRES) {
    // It shows some two hundred characters of a refusal: what happened has to come first.
    expect(await endOf(server, model, `Why does ${plantedAwsKey} not work?`), model).toMatchObject({
      error: {
        code: 400,
        message: expect.stringContaining(
          "This request holds what looks like a secret (aws-access-key), and nothing of it was sent.",
        ),
      },
    });
  }
  await ask(server, "gpt-4.1", "Does it work?");
  await server.stop();
  expect(world.copilot.requests.map(({ body }) => String(body)).join()).not.toContain(plantedAwsKey);
  const { items } = await listExchanges(world.database.db, { status: "refused" });
  const formats = new Set(items.map(({ format }) => format));
  for (const [, format] of WIRES) expect(formats).toContain(format);
});
