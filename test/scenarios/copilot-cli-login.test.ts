/** The unmodified Copilot CLI signs a person in at the gateway, by device code and a real identity provider, and works from there. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listExchanges } from "../../src/store/exchanges.ts";
import { findTranscript } from "../../src/store/messages.ts";
import { listSessions } from "../../src/store/sessions.ts";
import { listTokens } from "../../src/store/tokens.ts";
import { startCopilotCliAt } from "../harness/copilot-cli.ts";
import { startNamedGateway } from "../harness/named-gateway.ts";

const FILE = "def greet(name):\n    return f'Hello, {name}!'\n";
const MODEL = ["--model", "claude-sonnet-4.5"];

test("login, two turns with a tool call, a sub-agent: one session, complete, and the person's", async () => {
  const gateway = await startNamedGateway();
  const { world } = gateway;
  const { db } = world.database;
  const ana = await gateway.browser("ana");
  const cli = await startCopilotCliAt(gateway);

  const login = await cli.login((code) => gateway.approve(ana, code));
  expect(login.stdout + login.stderr).toContain("Signed in successfully as ana_example-com");
  expect(login.code).toBe(0);
  expect(await listTokens(db)).toMatchObject([
    {
      audiences: ["copilot"],
      principal: { email: "ana@example.com" },
      name: expect.stringContaining("Copilot CLI") as string,
    },
  ]);

  const path = join(cli.directory, "greet.py");
  world.copilot.respond({
    text: "I will write it.",
    toolCalls: [{ name: "create", arguments: { path, file_text: FILE } }],
  });
  world.copilot.respond({ text: "greet.py is written." });
  const first = await cli.prompt("Write greet.py", MODEL);
  expect(first.stdout + first.stderr).toContain("greet.py is written.");
  expect(await readFile(path, "utf8")).toBe(FILE);

  world.copilot.respond({
    text: "Somebody else will look.",
    toolCalls: [
      {
        name: "task",
        arguments: {
          agent_type: "general-purpose",
          name: "reader",
          description: "Read greet.py",
          prompt: "Say what greet.py does.",
          mode: "sync",
        },
      },
    ],
  });
  world.copilot.respond({ text: "It greets: so the sub-agent says." });
  world.copilot.respond({ text: "It greets people." });
  const second = await cli.prompt("What does it do?", [...MODEL, "--continue"]);
  expect(second.stdout + second.stderr).toContain("It greets people.");

  const { items } = await listSessions(db, {});
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({ user: "ana@example.com", client: "copilot-cli" });
  const exchanges = (await listExchanges(db, {})).items.filter(({ format }) => format === "messages");
  expect(exchanges.map(({ status, sessionId }) => [status, sessionId])).toEqual(
    Array.from({ length: 5 }, () => ["complete", items[0]?.id]),
  );
  // The sub-agent's exchange under the agent's own, and a turn for each prompt.
  const [ofSubAgent, ...more] = exchanges.filter(({ parentAgent }) => parentAgent !== null);
  const own = exchanges.filter(({ parentAgent }) => parentAgent === null);
  expect(more).toEqual([]);
  expect(own.map(({ agentTask }) => agentTask)).toContain(ofSubAgent?.parentAgent);
  expect(ofSubAgent?.agentTask).not.toBe(ofSubAgent?.parentAgent);
  expect(new Set(own.map(({ interaction }) => interaction)).size).toBe(2);
  const texts = (await findTranscript(db, items[0]?.id ?? "")).flatMap(({ parts }) =>
    parts.map((part) => (part.type === "tool_call" ? part.arguments : part.text)),
  );
  for (const said of ["greet.py is written.", "It greets: so the sub-agent says.", "It greets people."]) {
    expect(texts.filter((text) => text.includes(said)).length, said).toBeGreaterThan(0);
  }
  // Whatever it wanted of GitHub itself, it did not need.
  expect(cli.refused.filter((target) => !/(?:^|\.)github(?:usercontent|copilot)?\.com:443$/.test(target))).toEqual([]);
});

test("whoever refuses in the browser is not signed in, and whoever may not use Copilot is told so", async () => {
  const gateway = await startNamedGateway();
  const cli = await startCopilotCliAt(gateway);
  const guest = await gateway.browser("guest");
  // The CLI does not heed `access_denied` (RFC 8628, section 3.5): it asks on until the code expires. It is given time to ask twice.
  const patience = new AbortController();
  const refused = await cli.login(async (code) => {
    await guest.open(`${gateway.url}/login/device`);
    await guest.submit("/login/device", { code });
    await guest.submit("/login/device/", { decision: "deny" });
    setTimeout(() => patience.abort(), 12_000);
  }, patience.signal);
  expect(refused.code).not.toBe(0);
  expect(await listTokens(gateway.world.database.db)).toEqual([]);

  const login = await cli.login((code) => gateway.approve(guest, code));
  const run = await cli.prompt("Hello", MODEL);
  expect(login.stdout + login.stderr + run.stdout + run.stderr).toContain("may not use the Copilot connection copilot");
  expect(gateway.world.copilot.requests).toEqual([]);
});

test("a gateway as the CLI's provider: a JWT of the identity provider, fetched by a command for each request", async () => {
  const gateway = await startNamedGateway();
  const { world } = gateway;
  // Who they are was said at a sign-in, or is said by the JWT itself.
  const jwt = await gateway.jwt("ana");
  const cli = await startCopilotCliAt(gateway);
  const keyFile = join(cli.directory, "jwt");
  await writeFile(keyFile, jwt);
  world.copilot.respondAlways({ text: "The provider answers." });
  const run = await cli.prompt("Hello", ["--model", "gpt-4.1"], {
    COPILOT_PROVIDER_BASE_URL: `${gateway.url}/copilot/copilot`,
    COPILOT_PROVIDER_API_KEY_COMMAND: `cat ${keyFile}`,
    COPILOT_MODEL: "gpt-4.1",
  });
  expect(run.stdout + run.stderr).toContain("The provider answers.");
  expect((await listSessions(world.database.db, {})).items).toMatchObject([{ user: "ana@example.com" }]);
  expect(await listTokens(world.database.db)).toEqual([]);
});

test("login through the browser on the same machine: PKCE, and a code that comes back to the loopback", async () => {
  const gateway = await startNamedGateway();
  const ana = await gateway.browser("ana");
  const cli = await startCopilotCliAt(gateway);
  const login = await cli.webLogin(async (link) => {
    await ana.open(link);
    const back = await ana.submit("/login/oauth/authorize", { decision: "approve" }, (url) => url.protocol === "http:");
    await fetch(back.url);
  });
  expect(login.stdout + login.stderr).toContain("Signed in successfully as ana_example-com");
  expect(await listTokens(gateway.world.database.db)).toMatchObject([{ audiences: ["copilot"] }]);
});
