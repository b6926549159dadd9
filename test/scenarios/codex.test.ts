/** The unmodified Codex, set up as `/connect` says, holds a conversation through the gateway. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clientSetups } from "../../src/web/client-setup.ts";
import { type CopilotConnection, DEFAULT_MODEL_POLICY, DEFAULT_WIRE_RULES } from "../../src/model/connection.ts";
import { listExchanges } from "../../src/store/exchanges.ts";
import { findTranscript } from "../../src/store/messages.ts";
import { listSessions } from "../../src/store/sessions.ts";
import {
  ANA,
  dumpDatabase,
  type Gateway,
  type GatewayOptions,
  plantedMask,
  SECRETS,
  startGateway,
} from "../copilot/gateway.ts";
import { type Codex, startCodex } from "../harness/codex.ts";
import { plantedAwsKey } from "../harness/planted.ts";

async function start(options: GatewayOptions = {}): Promise<{ gateway: Gateway; codex: Codex }> {
  const gateway = await startGateway({ ...options, connection: { kind: "openai" } });
  const connection: CopilotConnection = {
    kind: "openai",
    name: "copilot",
    url: `${gateway.upstream.url}/`,
    proxyUrl: null,
    policy: DEFAULT_MODEL_POLICY,
    credential: { kind: "bearer", token: "" },
    allow: ["eng"],
    rules: DEFAULT_WIRE_RULES,
  };
  const setups = clientSetups({ publicUrl: gateway.url, connection, isSteered: false, token: ANA, ownToken: "" });
  const settings = setups.find(({ client }) => client === "Codex")?.text;
  return { gateway, codex: await startCodex(settings ?? "", ANA) };
}

test("two turns, an edit and a resume are one session, whole and the person's", async () => {
  const { gateway, codex } = await start();
  // Its way of editing with models that it has no tool of their own for: a command that it carries out by itself.
  const patch = "*** Begin Patch\n*** Add File: greet.py\n+def greet(name):\n+    return name\n*** End Patch";
  gateway.upstream.respond({
    text: "I will write it.",
    toolCalls: [{ name: "exec_command", arguments: { cmd: `apply_patch <<'EOF'\n${patch}\nEOF` } }],
  });
  gateway.upstream.respond({ text: "greet.py is written." });
  const first = await codex.exec([], `Write greet.py. The key is ${plantedAwsKey}.`);
  expect(first.stdout).toContain("greet.py is written.");
  expect(first.code).toBe(0);
  expect(await readFile(join(codex.directory, "greet.py"), "utf8")).toBe("def greet(name):\n    return name\n");

  gateway.upstream.respond({ text: "You are welcome." });
  const second = await codex.exec(["resume", "--last"], "Thank you");
  expect(second.stdout).toContain("You are welcome.");

  const { items } = await listSessions(gateway.db, {});
  const [session] = items;
  expect(items).toHaveLength(1);
  expect(session).toMatchObject({ user: "ana@example.com", userKind: "person", client: "codex", exchanges: 3 });
  expect(session?.title).toBe("Write greet.py. The key is ⟦planted-0⟧.");
  // What it calls the session itself.
  expect(first.stderr).toContain(`session id: ${session?.clientKey}`);
  const exchanges = (await listExchanges(gateway.db, {})).items.filter(({ format }) => format === "responses");
  expect(exchanges.map(({ status, streamed }) => ({ status, streamed }))).toEqual(
    Array.from({ length: 3 }, () => ({ status: "complete", streamed: true })),
  );

  const parts = (await findTranscript(gateway.db, session?.id ?? "")).flatMap((message) => message.parts);
  const texts = parts.flatMap((part) => (part.type === "text" ? [part.text] : []));
  for (const once of ["I will write it.", "greet.py is written.", "Thank you", "You are welcome."]) {
    expect(
      texts.filter((text) => text === once),
      once,
    ).toHaveLength(1);
  }
  expect(parts.filter(({ type }) => type === "tool_call")).toMatchObject([{ name: "exec_command" }]);
  expect(parts.filter(({ type }) => type === "tool_result")).toHaveLength(1);
  expect(gateway.finished.flatMap(({ suggestions }) => suggestions)).toEqual([
    { path: "greet.py", kind: "edit", lines: ["def greet(name):", "    return name"] },
  ]);
  expect(await dumpDatabase(gateway.db)).not.toContain(plantedAwsKey);
});

test("it shows why a secret, or a model, is refused", async () => {
  const { gateway, codex } = await start({
    sent: {
      prompts: "refuse",
      answers: "pass",
      find: (text) =>
        SECRETS.filter((secret) => text.includes(secret)).map(() => ({
          rule: "planted",
          severity: "block",
          allowed: null,
        })),
      maskStream: () => ({ push: (text) => plantedMask(text).text, end: () => "" }),
    },
    policy: { models: [{ names: ["gpt-5.4"], allow: ["eng"] }] },
  });
  const secret = await codex.exec([], `Why does ${plantedAwsKey} not work?`);
  expect(secret.code).toBe(1);
  expect(secret.stderr).toContain("This request holds what looks like a secret (planted), and nothing of it was sent.");
  const model = await codex.exec([], "Hello", "gpt-5.4-pro");
  expect(model.code).toBe(1);
  expect(model.stderr).toContain("You may not use the model gpt-5.4-pro");
  expect(gateway.upstream.requests.filter(({ method }) => method === "POST")).toEqual([]);
  const refused = (await listExchanges(gateway.db, { status: "refused" })).items;
  expect(new Set(refused.map(({ refusal }) => refusal))).toEqual(new Set(["secret_in_prompt", "model_not_allowed"]));
});
