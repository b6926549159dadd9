/** The unmodified Copilot CLI holds a conversation through the gateway, and notices nothing of it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Script } from "../../fixtures/copilot-upstream/script.ts";
import { listExchanges } from "../../src/store/exchanges.ts";
import { findTranscript } from "../../src/store/messages.ts";
import { findSession, listSessions } from "../../src/store/sessions.ts";
import { ANA, dumpDatabase, type Gateway, startGateway } from "../copilot/gateway.ts";
import { startCopilotCli } from "../harness/copilot-cli.ts";
import { plantedAwsKey } from "../harness/planted.ts";

const FILE = "def greet(name):\n    return f'Hello, {name}!'\n";

/** The two wires that the CLI picks by the model's name, each with the tool that it offers there for writing files. */
const WIRES = [
  {
    model: "gpt-5.4",
    format: "responses",
    write: (path: string): Script => {
      const lines = FILE.trimEnd().split("\n");
      const patch = ["*** Begin Patch", `*** Add File: ${path}`, ...lines.map((line) => `+${line}`), "*** End Patch"];
      return { text: "I will write it.", toolCalls: [{ name: "apply_patch", input: patch.join("\n") }] };
    },
  },
  {
    model: "claude-sonnet-4.5",
    format: "messages",
    write: (path: string): Script => ({
      text: "I will write it.",
      toolCalls: [{ name: "create", arguments: { path, file_text: FILE } }],
    }),
  },
] as const;

const said = async (gateway: Gateway, sessionId: string) =>
  (await findTranscript(gateway.db, sessionId)).flatMap(({ role, parts }) =>
    parts.map((part) => ({ role, type: part.type, text: part.type === "tool_call" ? part.arguments : part.text })),
  );

test.each(WIRES)(
  "two turns and a tool call on $model",
  async ({ model, format, write }) => {
    const gateway = await startGateway({ rules: { websocket: "refuse" } });
    const cli = await startCopilotCli(gateway.api, ANA);
    const path = join(cli.directory, "greet.py");

    gateway.upstream.respond(write(path));
    gateway.upstream.respond({ text: "greet.py is written." });
    const first = await cli.prompt(`Write greet.py. The key is ${plantedAwsKey}.`, ["--model", model]);
    expect(first.stdout).toContain("greet.py is written.");
    expect(first.code).toBe(0);
    expect(await readFile(path, "utf8")).toBe(FILE);

    gateway.upstream.respond({ text: "You are welcome." });
    const second = await cli.prompt("Thank you", ["--model", model, "--continue"]);
    expect(second.stdout).toContain("You are welcome.");
    expect(second.code).toBe(0);

    const { items } = await listSessions(gateway.db, {});
    const [session] = items;
    expect(items).toHaveLength(1);
    expect(session).toMatchObject({ user: "ana@example.com", client: "copilot-cli" });
    expect(session?.title).toMatch(/^Write greet\.py\./);
    // The session's id is what the CLI itself calls it, and what its trailers quote.
    expect(first.stdout + first.stderr).toContain(`--resume=${session?.clientKey}`);

    const exchanges = (await listExchanges(gateway.db, {})).items.filter((exchange) => exchange.format !== "models");
    expect(exchanges.filter((one) => one.status !== "refused")).toMatchObject([
      { format, status: "complete", model, streamed: true, initiator: "user", sessionId: session?.id },
      { format, status: "complete", model, streamed: true, initiator: "agent", sessionId: session?.id },
      { format, status: "complete", model, streamed: true, initiator: "user", sessionId: session?.id },
    ]);
    // Nothing else was asked for, WebSockets in particular.
    expect(exchanges).toHaveLength(3);

    const transcript = await said(gateway, session?.id ?? "");
    const conversation = transcript.filter(({ type }) => ["text", "tool_call", "tool_result"].includes(type));
    const order = [
      /Write greet\.py\. The key is ⟦planted-0⟧/,
      /^I will write it\.$/,
      /def greet/,
      /greet\.py/,
      /^greet\.py is written\.$/,
      /Thank you/,
      /^You are welcome\.$/,
    ];
    const places = order.map((pattern) =>
      conversation.findIndex(({ role, text }) => role !== "system" && pattern.test(text)),
    );
    expect(places).not.toContain(-1);
    expect(conversation.filter(({ text }) => /^I will write it\.$/.test(text))).toHaveLength(1);
    expect(conversation.filter(({ text }) => text.includes("Thank you"))).toHaveLength(1);
    expect(transcript.filter(({ type }) => type === "tools")).toHaveLength(1);

    const [suggested] = gateway.finished.flatMap((exchange) => exchange.suggestions);
    expect(suggested).toEqual({ path, kind: "edit", lines: FILE.trimEnd().split("\n") });
    expect(await findSession(gateway.db, session?.id ?? "")).toMatchObject({ exchanges: 3 });
    expect(await dumpDatabase(gateway.db)).not.toContain(plantedAwsKey);
    // What it wanted from GitHub itself got no further than this machine.
    expect(
      cli.refused.filter((target) => !/^(?:[\w.-]+\.)?github(?:usercontent|copilot)?\.com:443$/.test(target)),
    ).toEqual([]);
  },
  180_000,
);

test("the CLI shows why the gateway refuses", async () => {
  const gateway = await startGateway({ limits: { requestBytes: 1_000 } });
  const cli = await startCopilotCli(gateway.api, ANA);
  const run = await cli.prompt("Hello", ["--model", "gpt-5.4"]);
  expect(run.stdout + run.stderr).toContain("larger than 1000 bytes");
  const [refused] = (await listExchanges(gateway.db, { status: "refused" })).items;
  expect(run.stdout + run.stderr).toContain(refused?.id);
  expect(gateway.upstream.requests.filter((request) => request.method === "POST")).toEqual([]);
});
