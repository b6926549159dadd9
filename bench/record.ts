/**
 * `npm run bench:record`: what the record of an agent's session takes up, against what went over the wire. Sessions of 60 turns whose
 * context grows to 150 KB (system prompt and tools counted), through a gateway as people run it; then what PostgreSQL holds of them (tables
 * with their indexes and TOAST, after a vacuum), and every exchange read back and compared, byte for byte, with what was sent, masked.
 * By difference: what tables, indexes and their maps take once, as soon as there is anything in them, is told apart. So is the index that
 * texts are searched by: it is made afterwards, and can be left out.
 *
 * Usage: npm run bench:record -- [--sessions N] [--turns N] [--context BYTES]
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startCopilotUpstream } from "../fixtures/copilot-upstream/server.ts";
import { readRules } from "../src/cli/load-config.ts";
import { loadConfig, openConfig } from "../src/config.ts";
import { packageRoot } from "../src/config/package-root.ts";
import { findEndpoint } from "../src/copilot/endpoints/registry.ts";
import { createMaskTally } from "../src/flows/exchange/mask-messages.ts";
import { createDetector } from "../src/secrets/detector.ts";
import { createScanner } from "../src/secrets/scanner.ts";
import { openEmbedded } from "../src/store/embedded-postgres.ts";
import { findExchangeMessages } from "../src/store/messages.ts";
import { startBenchGateway } from "./gateway.ts";
import { renderMachine } from "./report.ts";

const WANTED = 0.06;
const BEARER = "bench-bearer";
const TABLES = ["sessions", "exchanges", "messages", "suggestions", "tool_uses", "mask_sightings"];

const { values } = parseArgs({
  options: {
    sessions: { type: "string", default: "6" },
    turns: { type: "string", default: "60" },
    context: { type: "string", default: "150000" },
  },
});
const turns = Number(values.turns);
const sessions = Number(values.sessions);
/** JSON's escapes and names take the rest. */
const context = Number(values.context) * 0.87;

/** Text of the kind that agents read and write: this project's own source, none of it twice. */
async function readSource(): Promise<(bytes: number) => string> {
  const root = path.join(packageRoot(), "src");
  const names = (await readdir(root, { recursive: true })).filter((name) => name.endsWith(".ts")).sort();
  const text = (await Promise.all(names.map((name) => readFile(path.join(root, name), "utf8")))).join("\n");
  let at = 0;
  return (bytes) => {
    // Where there is no more, from the beginning: another session may read what one has read.
    if (at + bytes > text.length) at = 0;
    at += bytes;
    return text.slice(at - bytes, at);
  };
}

const directory = await mkdtemp(path.join(tmpdir(), "sallyport-record-"));
const stops: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true, maxRetries: 5 })];
try {
  const source = await readSource();
  const secret = ["AKIA", "Q3EGTZ5JVXK2WNPD"].join("");

  const upstream = await startCopilotUpstream({ bearer: BEARER });
  stops.unshift(() => upstream.close());
  let wireBytes = 0;
  /** Of the text and of the tool call of an answer. */
  const answerBytes = Math.round((context / turns) * 0.11);
  upstream.respondAlways(() => ({
    text: source(answerBytes),
    toolCalls: [{ name: "tool_1", arguments: { path: "src/a.ts", text: source(answerBytes) } }],
  }));
  const gatewayDirectory = path.join(directory, "gateway");
  const gateway = await startBenchGateway({
    directory: gatewayDirectory,
    upstream: { url: "http://127.0.0.1:9/", username: "none", password: "none" },
    copilot: { url: upstream.url, bearer: BEARER },
    env: { PATH: process.env["PATH"], HOME: directory },
    signal: new AbortController().signal,
  });
  stops.unshift(() => gateway.stop());
  const store = await openEmbedded({ dataDir: path.join(gatewayDirectory, "data"), max: 1 });
  stops.unshift(() => store.close());
  const held = async (): Promise<{ readonly record: number; readonly texts: number }> => {
    for (let tries = 0; tries < 120; tries += 1) {
      const [row] = await store.sql<{ is_waiting: boolean }[]>`
        select to_regclass('messages_text') is not null and exists (select from messages where not is_indexed) as is_waiting`;
      if (row?.is_waiting !== true) break;
      await sleep(500);
    }
    for (const table of TABLES) await store.sql.unsafe(`vacuum ${table}`);
    const [row] = await store.sql<{ all: string; texts: string }[]>`
      select sum(pg_total_relation_size(name::regclass)) as all, coalesce(pg_total_relation_size(to_regclass('messages_text')), 0) as texts
      from unnest(${TABLES}::text[]) as name`;
    return { record: Number(row?.all) - Number(row?.texts), texts: Number(row?.texts) };
  };
  const empty = await held();

  type Said = Record<string, unknown>;
  const asked: { readonly id: string; readonly body: Said }[] = [];
  let contextBytes = 0;

  async function runSession(number: number, turns: number): Promise<void> {
    // A little less than half of it stands at the beginning, as an agent's does.
    const system = source(Math.round(context * 0.2));
    const tools = Array.from({ length: 20 }, (_, at) => ({
      type: "function",
      function: {
        name: `tool_${at}`,
        description: source(Math.round(context * 0.0125)),
        parameters: { type: "object", properties: { path: { type: "string" }, text: { type: "string" } } },
      },
    }));
    const perTurn = Math.floor((context - system.length - JSON.stringify(tools).length) / turns);
    const messages: Said[] = [{ role: "system", content: system }];
    for (let turn = 0; turn < turns; turn += 1) {
      messages.push({
        role: "user",
        content: `${turn === 3 ? `The key is ${secret}. ` : ""}${source(Math.round(perTurn * 0.1))}`,
      });
      const body: Said = { model: "gpt-4.1", stream: true, tools, messages: [...messages] };
      const text = JSON.stringify(body);
      const response = await fetch(`${gateway.copilotUrl}/chat/completions`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${gateway.token}`,
          "content-type": "application/json",
          "x-client-session-id": `5bc86a02-a597-468d-a676-${String(number).padStart(12, "0")}`,
        },
        body: text,
      });
      const answer = await response.text();
      if (response.status !== 200 || !answer.includes("[DONE]"))
        throw new Error(`turn ${turn} was answered ${response.status}`);
      wireBytes += Buffer.byteLength(text) + Buffer.byteLength(answer);
      asked.push({ id: response.headers.get("x-github-request-id") ?? "", body });
      messages.push(...assembled(answer), {
        role: "tool",
        tool_call_id: `call_${turn}`,
        content: source(Math.round(perTurn * 0.5)),
      });
    }
    contextBytes = JSON.stringify({ tools, messages }).length;
  }
  // Something in every table.
  await runSession(0, 1);
  const before = await held();
  wireBytes = 0;
  for (let number = 1; number <= sessions; number += 1) await runSession(number, turns);
  const after = await held();
  const stored = after.record - before.record;
  const texts = after.texts - before.texts;

  // What is on record of each exchange is what was sent, masked: the same words, in the same order, of every message.
  const env = {
    ...process.env,
    SALLYPORT_DATA: path.join(gatewayDirectory, "data"),
    BENCH_PASSWORD: "x",
    BENCH_BEARER: "x",
  };
  const loaded = await loadConfig({ paths: [path.join(gatewayDirectory, "sallyport.yaml")], env, cwd: directory });
  if (!loaded.ok) throw new Error("the gateway's configuration cannot be read");
  const config = await openConfig(loaded.value);
  const scanner = createScanner(createDetector(readRules(config.secretRules, { examples: false }).rules), config.key);
  const { conversation } = findEndpoint("POST", "/chat/completions");
  let maskedPlaces = 0;
  for (const { id, body } of asked) {
    const parsed = conversation?.parseRequest(body);
    if (parsed?.ok !== true) throw new Error("a request cannot be parsed");
    const tally = createMaskTally((text) => scanner.mask(text));
    const wanted = JSON.stringify(tally.messages(parsed.value.messages));
    const { request, response } = await findExchangeMessages(store.db, id);
    // jsonb keeps no order of names: both sides are put into one.
    if (inOrder(request) !== inOrder(JSON.parse(wanted)))
      throw new Error(`the exchange ${id} does not replay as it was sent`);
    if (response.length === 0) throw new Error(`the exchange ${id} has no answer on record`);
    maskedPlaces += Object.values(tally.counts).reduce((sum, count) => sum + count, 0);
  }
  if (maskedPlaces === 0) throw new Error("the planted secret was not masked");

  const kb = (bytes: number): string => `${Math.round(bytes / 1_000)} kB`;
  const percent = (part: number): string => `${(part * 100).toFixed(1)} %`;
  const share = stored / wireBytes;
  process.stdout.write(
    `${sessions} sessions of ${turns} turns, the context of each ${kb(contextBytes)} at the end:
${kb(wireBytes)} over the wire, ${kb(stored)} in PostgreSQL (tables, indexes and TOAST): ${percent(share)} (wanted: ≤ ${WANTED * 100} %).
Beside that, the index that texts are searched by: ${kb(texts)}, ${percent(texts / wireBytes)}; with it ${percent((stored + texts) / wireBytes)}.
Once, whatever there is on record: ${kb(before.record - empty.record)}, and a session of one turn in it.
${asked.length} of ${asked.length} exchanges replay exactly, masked.
On ${renderMachine()}.
`,
  );
  if (share > WANTED) process.exitCode = 1;
} finally {
  for (const stop of stops) await stop();
}

/** The answer as a client sends it again. */
function assembled(stream: string): Record<string, unknown>[] {
  let content = "";
  let id = "";
  let name = "";
  let args = "";
  for (const line of stream.split("\n")) {
    if (!line.startsWith("data: {")) continue;
    const json = JSON.parse(line.slice(6)) as {
      choices?: {
        delta?: { content?: string; tool_calls?: { id?: string; function?: { name?: string; arguments?: string } }[] };
      }[];
    };
    const delta = json.choices?.[0]?.delta;
    content += delta?.content ?? "";
    for (const call of delta?.tool_calls ?? []) {
      id ||= call.id ?? "";
      name += call.function?.name ?? "";
      args += call.function?.arguments ?? "";
    }
  }
  return [{ role: "assistant", content, tool_calls: [{ id, type: "function", function: { name, arguments: args } }] }];
}

function inOrder(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
