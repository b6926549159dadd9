/**
 * Secrets of every rule, the gateway's own and a foreign file's, in clear and written in other ways, in every place that a push or an
 * exchange has room for. Afterwards none of them stands anywhere but in the upstream: not in the database, the logs, the metrics, what
 * Slack and webhooks were told, the API, the pages, or what git prints.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSlackServer, type SlackServer } from "../../fixtures/slack-server.ts";
import { startWebhookReceiver, type WebhookReceiver } from "../../fixtures/webhook-receiver.ts";
import { createDetector, type Detector } from "../../src/secrets/detector.ts";
import { parseGitleaks } from "../../src/secrets/gitleaks-toml.ts";
import { allTold } from "../harness/all-told.ts";
import { git, type WorkingCopy } from "../harness/git.ts";
import {
  encodings,
  exampleIds,
  findNeedlesInTurns,
  foreignToml,
  plants,
  plantsInTurn,
  type Plant,
} from "../harness/plants.ts";
import { startWorld, type Person, type World } from "../harness/world.ts";
import { builtinRules } from "../secrets/builtin-rules.ts";

let world: World;
let hook: WebhookReceiver;
let slack: SlackServer;
let detector: Detector;
let directory: string;
let ana: Person;
let lee: Person;
let inExchanges: readonly Plant[];

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "sallyport-rules-"));
  await writeFile(path.join(directory, "gitleaks.toml"), foreignToml);
  const parsed = parseGitleaks(foreignToml, null);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  detector = createDetector([...builtinRules(), ...parsed.value.rules]);
  // It takes seconds, in which connections that are kept would be closed.
  inExchanges = plantsInTurn(detector, null);
  slack = await startSlackServer({ token: SLACK_TOKEN, channels: { pushes: "C0123456789" } });
  hook = await startWebhookReceiver({ secret: HOOK_SECRET });
  world = await startWorld({
    auditors: ["leads"],
    config: {
      secrets: { rules: ["builtin", path.join(directory, "gitleaks.toml")] },
      notify: [
        {
          kind: "slack",
          token: { file: await secretFile("slack", SLACK_TOKEN) },
          channel: "#pushes",
          apiUrl: slack.url,
        },
        { kind: "webhook", url: hook.url, secret: { file: await secretFile("hook", HOOK_SECRET) } },
      ],
    },
    pushes: [
      { repositories: ["code/team/held"], secrets: "hold", approvers: ["leads"], wait: "0s", pushOptions: ["*"] },
      { repositories: ["code/team/watched"], secrets: "observe", pushOptions: ["*"] },
    ],
  });
  for (const name of ["held", "watched"]) await world.upstream.createRepository(`team/${name}`);
  ana = await world.person("ana@example.com", ["eng"]);
  lee = await world.person("lee@example.com", ["leads"]);
});
afterAll(async () => {
  await world?.close();
  await hook?.close();
  await slack?.close();
  await rm(directory, { recursive: true, force: true });
});

const HOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SLACK_TOKEN = "slack-bot-token";

async function secretFile(name: string, secret: string): Promise<string> {
  const file = path.join(directory, name);
  await writeFile(file, secret);
  return file;
}

async function expectNone(planted: readonly Plant[], said: string): Promise<void> {
  const needles = planted.flatMap(({ id, needles }) => needles.map((needle) => [needle, id] as const));
  expect(needles.length).toBeGreaterThan(0);
  expect(await findNeedlesInTurns(await allTold({ world, reader: lee, slack, hook, said }), needles)).toEqual([]);
}

interface PlantedCommit {
  readonly files: readonly { readonly path: string; readonly content: Buffer }[];
  readonly message: string;
  readonly author: string;
}

async function importCommits(copy: WorkingCopy, branch: string, commits: readonly PlantedCommit[]): Promise<void> {
  const parts: Buffer[] = [];
  const line = (text: string): void => void parts.push(Buffer.from(`${text}\n`));
  for (const [at, { files, message, author }] of commits.entries()) {
    line(`commit refs/heads/${branch}`);
    line(`mark :${at + 1}`);
    line(`author ${author} <a@example.com> 1700000000 +0000`);
    line(`committer ${author} <a@example.com> 1700000000 +0000`);
    line(`data ${Buffer.byteLength(message)}\n${message}`);
    if (at > 0) line(`from :${at}`);
    for (const { path, content } of files) {
      line(`M 100644 inline ${JSON.stringify(path)}\ndata ${content.length}`);
      parts.push(content, Buffer.from("\n"));
    }
  }
  const done = await git(["fast-import", "--quiet", "--force"], { cwd: copy.directory, input: Buffer.concat(parts) });
  if (done.code !== 0) throw new Error(done.stderr);
}

const isName = ({ text }: Plant): boolean => /^[^\n\r<>\0"\\]{8,150}$/.test(text);

test("in files, in clear and written in other ways: refused, held and let pass", async () => {
  const all = plantsInTurn(detector, "files");
  const utf16 = plants(detector, "utf16", encodings["clear"]!, (at) => at % 7 === 0).map((plant) => ({
    ...plant,
    content: Buffer.from(`\ufeff${plant.text}\n`, "utf16le"),
  }));
  expect(new Set(all.map(({ id }) => id)).size).toBe(exampleIds.size);
  const files = [...all.map((plant) => ({ ...plant, content: Buffer.from(`${plant.text}\n`) })), ...utf16];
  const copy = await ana.clone("team/app");
  await importCommits(copy, "files", [{ files, message: "Add them\n", author: "Ana" }]);
  let said = "";
  for (const repository of ["held", "watched"]) {
    const url = `${world.url}/git/code/team/${repository}.git`;
    const push = await copy.git("push", url, "files");
    expect(push.stderr).toContain(repository === "watched" ? "files -> files" : "[remote rejected]");
    said += push.stdout + push.stderr;
  }
  await expectNone(all, said);
});

test("in exchanges: messages, tool calls, results, answers, headers, models and addresses", async () => {
  const all = inExchanges;
  const texts = all.map(({ text }) => text);
  const slices = Array.from({ length: 8 }, (_, at) => texts.filter((_, index) => index % 8 === at));
  let said = "";
  const ask = async (target: string, body: object, headers: Record<string, string> = {}): Promise<void> => {
    const response = await ana.fetch(target, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    await response.arrayBuffer();
    if (!response.ok) said += `${response.status}`;
  };
  for (const [at, slice] of slices.entries()) {
    const stream = at % 2 === 0;
    world.copilot.respondAlways({
      text: slice.flatMap((text) => [...(text.match(/[^]{1,7}/g) ?? []), "\n\n"]),
      toolCalls: slice.slice(0, 60).map((text) => ({ name: "run", arguments: { command: text, password: text } })),
    });
    await ask("/copilot/copilot/chat/completions", {
      model: "gpt-4.1",
      stream,
      messages: [
        { role: "system", content: slice[0] },
        ...slice.map((content) => ({ role: "user", content })),
        {
          role: "assistant",
          content: null,
          tool_calls: slice.map((text, index) => ({
            id: `call_${index}`,
            type: "function",
            function: { name: "run", arguments: JSON.stringify({ text, token: text }) },
          })),
        },
        ...slice.map((content, index) => ({ role: "tool", tool_call_id: `call_${index}`, content })),
      ],
    });
    await ask("/copilot/copilot/v1/messages", {
      model: "claude-sonnet-4.5",
      max_tokens: 100,
      stream,
      messages: slice.map((text) => ({ role: "user", content: [{ type: "text", text }] })),
    });
    await ask("/copilot/copilot/responses", { model: "gpt-5.4", stream, input: slice.join("\n\n\n") });
  }
  const names = all
    .filter((plant) => isName(plant) && /^[\x21-\x7e]{12,120}$/.test(plant.text))
    .map(({ text }) => text);
  world.copilot.respondAlways({});
  for (const text of names.slice(0, 30)) {
    await ask(
      "/copilot/copilot/chat/completions",
      { model: text, messages: [{ role: "user", content: "Hello" }] },
      {
        "user-agent": text,
        "x-interaction-id": text,
        "x-client-session-id": text,
        "x-agent-task-id": text,
        "x-parent-agent-id": text,
        "x-initiator": text,
        "x-request-id": text,
      },
    );
  }
  for (const text of names.slice(0, 15)) {
    await ask(`/copilot/copilot/${encodeURIComponent(text)}?key=${encodeURIComponent(text)}`, {});
    await ask(`/u/${encodeURIComponent(text)}/copilot/copilot/chat/completions`, {});
    const fetched = await ana.fetch(`/git/code/${encodeURIComponent(text)}.git/info/refs?service=git-upload-pack`);
    await fetched.arrayBuffer();
    const page = await ana.fetch(`/pushes?q=${encodeURIComponent(text)}`);
    await page.arrayBuffer();
  }
  world.copilot.respondAlways({ status: 500, error: { message: names.slice(0, 30).join(" \n "), code: "broken" } });
  await ask("/copilot/copilot/chat/completions", { model: "gpt-4.1", messages: [{ role: "user", content: "Hello" }] });
  await expectNone(all, said);
});
