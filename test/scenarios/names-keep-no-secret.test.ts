/**
 * Secrets in whatever has a name: refs, tags, people, files, push options, repositories, clients, models, tools, locks, reasons. Names are
 * what a record is read by, and what its errors quote; afterwards no secret stands anywhere but in the upstream.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startLfsServer, type LfsServer } from "../../fixtures/lfs-server.ts";
import { startSlackServer, type SlackServer } from "../../fixtures/slack-server.ts";
import { startWebhookReceiver, type WebhookReceiver } from "../../fixtures/webhook-receiver.ts";
import { encodePktLine, FLUSH_PKT } from "../../src/git/pkt-line.ts";
import { createDetector, type Detector } from "../../src/secrets/detector.ts";
import { parseGitleaks } from "../../src/secrets/gitleaks-toml.ts";
import { allTold } from "../harness/all-told.ts";
import { git, type WorkingCopy } from "../harness/git.ts";
import { lfsClient, noise, sha256 } from "../harness/lfs.ts";
import { findNeedlesInTurns, foreignToml, names, type Plant } from "../harness/plants.ts";
import { firstCommand, rawPushBytes, rawRequest, ZERO } from "../harness/raw-push.ts";
import { startWorld, type Person, type World } from "../harness/world.ts";
import { builtinRules } from "../secrets/builtin-rules.ts";

const HOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SLACK_TOKEN = "slack-bot-token";
const held = { secrets: "hold", approvers: ["leads"], wait: "0s", pushOptions: ["*"] };

let world: World;
let lfs: LfsServer;
let hook: WebhookReceiver;
let slack: SlackServer;
let detector: Detector;
let directory: string;
let ana: Person;
let lee: Person;
/** What people and build machines have read of it. */
let said = "";

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "sallyport-names-"));
  await writeFile(path.join(directory, "gitleaks.toml"), foreignToml);
  await writeFile(path.join(directory, "hook"), HOOK_SECRET);
  const parsed = parseGitleaks(foreignToml, null);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  detector = createDetector([...builtinRules(), ...parsed.value.rules]);
  await writeFile(path.join(directory, "slack"), SLACK_TOKEN);
  // Finds them once for all tests. It takes seconds, in which connections that are kept would be closed.
  named(() => true);
  hook = await startWebhookReceiver({ secret: HOOK_SECRET });
  slack = await startSlackServer({ token: SLACK_TOKEN, channels: { pushes: "C0123456789" } });
  lfs = await startLfsServer({ username: "gateway", password: "upstream-password" });
  world = await startWorld({
    auditors: ["leads"],
    connection: { url: lfs.url },
    config: {
      secrets: { rules: ["builtin", path.join(directory, "gitleaks.toml")] },
      operators: ["leads"],
      notify: [
        {
          kind: "slack",
          token: { file: path.join(directory, "slack") },
          channel: "#pushes",
          apiUrl: slack.url,
        },
        { kind: "webhook", url: hook.url, secret: { file: path.join(directory, "hook") } },
      ],
    },
    pushes: [
      { repositories: ["code/team/held"], ...held },
      { repositories: ["code/**/watched"], secrets: "observe", pushOptions: ["*"] },
      { repositories: ["code/team/options"], secrets: "observe" },
      {
        repositories: ["code/team/protected"],
        secrets: "observe",
        pushOptions: ["*"],
        protect: [{ refs: ["refs/heads/**"], approvers: ["leads"], wait: "0s" }],
      },
    ],
  });
  lfs.setGitServer(world.upstream.url);
  for (const name of ["held", "watched", "protected", "options"]) await world.upstream.createRepository(`team/${name}`);
  ana = await world.person("ana@example.com", ["eng"]);
  lee = await world.person("lee@example.com", ["leads"]);
});
afterAll(async () => {
  await world?.close();
  await lfs?.stop();
  await hook?.close();
  await slack?.close();
  await rm(directory, { recursive: true, force: true });
});

async function expectNone(planted: readonly Plant[]): Promise<void> {
  const needles = planted.flatMap(({ id, needles }) => needles.map((needle) => [needle, id] as const));
  expect(new Set(planted.map(({ id }) => id)).size).toBeGreaterThan(250);
  expect(await findNeedlesInTurns(await allTold({ world, reader: lee, slack, hook, said }), needles)).toEqual([]);
}

/** What a server has said, of what git prints: the names beside it are the person's own. */
const fromServer = (stderr: string): string =>
  stderr
    .split("\n")
    .flatMap((line) => (line.startsWith("remote:") ? [line] : (/ \(([^()]*)\)$/.exec(line)?.[1] ?? [])))
    .join("\n");

const isRefPart = (text: string): boolean =>
  /^[^\s~^:?*[\\\p{Cc}]{8,150}$/u.test(text) && !/\.\.|@\{|\/\/|^\/|\/$|\.$|\.lock(?:\/|$)|(?:^|\/)\./.test(text);
const isFileName = (text: string): boolean =>
  /^[^\n\r\0"\\]{8,200}$/.test(text) && text.split("/").every((part) => !/^(?:|\.|\.\.|\.git)$/i.test(part));
const isPerson = (text: string): boolean => /^[^\n\r<>\0]{8,300}$/.test(text);
const isLine = (text: string): boolean => /^[^\n\r\0]{8,300}$/.test(text);
const isHeader = (text: string): boolean => /^[\x20-\x7e]{8,300}$/.test(text) && text.trim() === text;
const isId = (text: string): boolean => /^[A-Za-z0-9_.-]{8,128}$/.test(text);
const isSegment = (text: string): boolean => isRefPart(text) && /^[^/%.;][^/%;]{7,120}$/.test(text);

const named = (isName: (text: string) => boolean, wrap?: (text: string, at: number) => string): Plant[] =>
  names(detector, isName, wrap);

/** One commit for each, with its names; and a branch and a tag for each that can be one. */
async function importNames(copy: WorkingCopy, planted: Readonly<Record<string, readonly Plant[]>>): Promise<void> {
  const lines: string[] = [];
  const at = (kind: string, index: number): string | undefined => planted[kind]?.[index]?.text;
  const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}`;
  const count = Math.max(...Object.values(planted).map(({ length }) => length));
  for (let i = 0; i < count; i++) {
    lines.push(
      "commit refs/heads/all",
      `mark :${i + 1}`,
      `author ${at("author", i) ?? "Ana"} <${at("authorEmail", i) ?? "a@example.com"}> 1700000000 +0000`,
      `committer ${at("committer", i) ?? "Ana"} <${at("committerEmail", i) ?? "a@example.com"}> 1700000000 +0000`,
      data(at("message", i) ?? "A commit\n"),
      ...(i === 0 ? [] : [`from :${i}`]),
      `M 100644 inline "${at("file", i) ?? `file-${i}`}"`,
      data("text\n"),
    );
  }
  for (const { text } of planted["branch"] ?? []) lines.push(`reset refs/heads/${text}`, "from :1", "");
  for (const [index, { text }] of (planted["tag"] ?? []).entries()) {
    lines.push(
      `tag ${text}`,
      "from :1",
      `tagger ${at("tagger", index) ?? "Ana"} <a@example.com> 1700000000 +0000`,
      data(at("tagMessage", index) ?? "A tag\n"),
    );
  }
  const done = await git(["fast-import", "--quiet", "--force"], {
    cwd: copy.directory,
    input: Buffer.from(`${lines.join("\n")}\n`),
  });
  if (done.code !== 0) throw new Error(done.stderr);
}

test("of refs, tags, people, files and options: refused, held, approved and let pass", async () => {
  const numbered = (text: string, at: number): string => `b${at}/${text}`;
  const planted = {
    branch: named(isRefPart, numbered),
    tag: named(isRefPart, numbered),
    file: named(isFileName, (text, at) => `f${at}/${text}`),
    author: named(isPerson),
    authorEmail: named(isPerson),
    committer: named(isPerson, (text) => `Robot (${text})`),
    committerEmail: named(isPerson),
    tagger: named(isPerson),
    message: named((text) => text.length < 2_000),
    tagMessage: named((text) => text.length < 2_000),
  };
  const options = named(isLine, (text) => `ci.variable=${text}`);
  const all = [...Object.values(planted).flat(), ...options];
  const copy = await ana.clone("team/app");
  await importNames(copy, planted);
  const asOptions = options.flatMap(({ text }) => ["-o", text]);
  const allRefs = ["refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"];
  // What waits has a diff for each ref: some of them will do.
  const someRefs = (["branch", "tag"] as const).flatMap((kind) =>
    planted[kind]
      .filter((_, at) => at % 12 === 0)
      .map(({ text }) => `refs/${kind === "branch" ? "heads" : "tags"}/${text}`),
  );
  const push = async (repository: string, refs: readonly string[], ...args: readonly string[]): Promise<string> => {
    const url = `${world.url}/git/code/team/${repository}.git`;
    const agent = ["-c", `http.userAgent=git/2.43.0 (${planted.author[7]?.text.trim() ?? ""})`];
    const run = await copy.git(...agent, "push", ...args, url, ...refs);
    const told = fromServer(run.stderr);
    said += told;
    return told;
  };
  expect(await push("app", allRefs)).toMatch(/Sallyport refused/);
  expect(await push("options", ["all"], ...asOptions.slice(0, 40))).toMatch(/push option/);
  expect(await push("watched", allRefs, ...asOptions)).not.toMatch(/refused|held/);
  for (const repository of ["held", "protected"]) {
    const [id = ""] =
      /(?<=\/approvals\/)[0-9a-f-]{36}/.exec(await push(repository, ["all", ...someRefs], ...asOptions)) ?? [];
    const approved = await lee.decide(id, "approve", `it is only ${planted.branch[3]?.text ?? ""}`);
    said += await approved.text();
    expect(approved.status).toBe(200);
    // By the names that it was pushed with.
    const branch = someRefs[0] ?? "";
    await expect.poll(() => world.upstream.ref(`team/${repository}`, branch)).toBeTruthy();
  }
  await expect
    .poll(async () => {
      const { items } = await lee.api("/api/v1/pushes?limit=50&status=delivered");
      const delivered = JSON.stringify(items.map(({ repository }) => repository));
      return ["watched", "held", "protected"].filter((name) => delivered.includes(`team/${name}"`));
    })
    .toHaveLength(3);
  await expectNone(all);
});

test("of repositories and their addresses: fetched, pushed to, and not there", async () => {
  const planted = named(isSegment);
  const there = planted.filter((_, at) => at % 40 === 0).slice(0, 6);
  const copy = await ana.clone("team/app");
  await copy.commit("A commit", { "a.txt": "a\n" });
  for (const { text } of there) {
    await world.upstream.createRepository(`${text}/watched`);
    const url = `${world.url}/git/code/${encodeURIComponent(text)}/watched.git`;
    said += fromServer((await copy.git("push", url, "HEAD:refs/heads/main")).stderr);
    expect(await world.upstream.ref(`${text}/watched`, "refs/heads/main")).toBeTruthy();
    said += fromServer((await copy.git("fetch", url)).stderr);
  }
  for (const [at, { text }] of planted.entries()) {
    const below = encodeURIComponent(text);
    const targets = [
      `/git/code/${below}.git/info/refs?service=git-upload-pack`,
      `/git/code/${below}.git/info/refs?service=git-receive-pack`,
      `/git/${below}/x.git/info/refs?service=git-upload-pack`,
      `/git/code/team/app.git/info/refs?service=${below}`,
      `/git/code/${below}%2f/x.git/info/refs?service=git-upload-pack`,
      `/git/code/team/app.git/${below}`,
      `/git/code/${below}.git/info/lfs/locks`,
      `/copilot/${below}/models`,
      `/copilot/copilot/${below}`,
    ];
    said += await (await ana.fetch(targets[at % targets.length] ?? "/")).text();
  }
  for (const { text } of planted.slice(0, 20)) {
    const body = Buffer.concat([firstCommand(`${ZERO} ${"1".repeat(40)} refs/heads/x`), FLUSH_PKT]);
    said += (await rawPushBytes(world, ana, text, body)).text;
  }
  await expectNone(planted);
});

test("in pushes that cannot be read", async () => {
  const planted = named(isLine);
  const oid = "1".repeat(40);
  const bodies: readonly ((text: string) => readonly Buffer[])[] = [
    (text) => [firstCommand(text)],
    (text) => [firstCommand(`${ZERO} ${oid} refs/heads/${"x".repeat(150)} ${text}`)],
    (text) => [firstCommand(`${ZERO} ${oid} ${text}`)],
    (text) => [firstCommand(`${ZERO} ${oid} refs/heads/a`, `report-status quiet=${text}`)],
    (text) => [firstCommand(`${ZERO} ${oid} refs/heads/a`, `report-status object-format=${text}`)],
    (text) => [encodePktLine(`shallow ${text}`), firstCommand(`${ZERO} ${oid} refs/heads/a`)],
    (text) => [encodePktLine(Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0xfe])]))],
    (text) => [Buffer.from(text)],
    (text) => [
      firstCommand("push-cert", "report-status push-cert=x"),
      ...["certificate version 0.1\n", `${text}\n`, "\n", "push-cert-end\n"].map((line) => encodePktLine(line)),
    ],
    (text) => [
      firstCommand(`${ZERO} ${oid} refs/heads/a`, "report-status push-options"),
      FLUSH_PKT,
      encodePktLine(`${text}\0`),
    ],
  ];
  for (const [at, { text }] of planted.entries()) {
    const body = Buffer.concat([...(bodies[at % bodies.length]?.(text) ?? []), FLUSH_PKT]);
    said += (await rawPushBytes(world, ana, "team/app", body)).text;
  }
  await expectNone(planted);
});

test("of clients, conversations, models, tools and their calls", async () => {
  const headers = named(isHeader);
  const ids = named(isId);
  const lines = named(isLine);
  const ask = async (target: string, body: object, more: Record<string, string> = {}): Promise<void> => {
    const response = await ana.fetch(target, {
      method: "POST",
      headers: { "content-type": "application/json", ...more },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    // A good answer is the model's own, and not the gateway's.
    if (!response.ok) said += text;
  };
  for (const [at, { text }] of headers.entries()) {
    const id = ids[at % ids.length]?.text ?? "";
    const name = lines[at % lines.length]?.text ?? "";
    world.copilot.respondAlways({
      text: "Hello",
      toolCalls: [{ name: id, arguments: {} }],
      headers: { "x-github-request-id": id },
    });
    await ask(
      at % 2 === 0 ? "/copilot/copilot/chat/completions" : "/copilot/copilot/responses",
      {
        model: name,
        stream: at % 3 === 0,
        input: "Hi",
        messages: [
          { role: id, name, content: "Hi" },
          {
            role: "assistant",
            content: null,
            tool_calls: [{ id, type: "function", function: { name: id, arguments: "{}" } }],
          },
          { role: "tool", tool_call_id: id, content: "done" },
        ],
        tools: [{ type: "function", function: { name: id, description: name, parameters: {} } }],
        metadata: { user_id: name },
        prompt_cache_key: name,
        user: name,
      },
      {
        "user-agent": `Agent/1.0 (${text})`,
        "editor-version": text,
        "copilot-integration-id": text,
        "vscode-sessionid": id,
        "x-interaction-id": id,
        "x-client-session-id": id,
        "x-agent-task-id": id,
        "x-parent-agent-id": id,
        "x-initiator": id,
        "x-request-id": text,
      },
    );
  }
  world.copilot.respondAlways({});
  for (const { text } of lines.slice(0, 60)) {
    await ask(`/copilot/copilot/${encodeURIComponent(text)}`, {});
    await ask("/copilot/copilot/mcp", { jsonrpc: "2.0", id: text, method: "tools/call", params: { name: text } });
    await ask("/copilot/copilot/chat/completions", { model: "x", previous_response_id: text, messages: [] });
    await ask("/copilot/copilot/responses", { model: text, previous_response_id: text, input: [] });
  }
  for (const { text } of headers.slice(0, 60)) {
    await ask("/copilot/copilot/chat/completions", { model: "x", messages: [] }, { "content-type": text });
    await ask("/copilot/copilot/chat/completions", { model: "x", messages: [] }, { "content-encoding": text });
  }
  await expectNone([...headers, ...ids, ...lines]);
});

test("in what LFS is asked, in sign-ins, and in the reasons that people give", async () => {
  const lines = named(isLine);
  const headers = named(isHeader);
  const client = lfsClient(world, ana, "team/app");
  const json = { "content-type": "application/vnd.git-lfs+json", accept: "application/vnd.git-lfs+json" };
  const lfsAsk = async (where: string, body: object, agent = "git-lfs"): Promise<void> => {
    const response = await ana.fetch(`/git/code/team/app.git/info/lfs/${where}`, {
      method: "POST",
      headers: { ...json, "user-agent": agent },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) said += text;
  };
  const object = noise(50);
  await client.upload(object);
  for (const { text } of lines.slice(0, 80)) {
    await lfsAsk("objects/batch", { operation: "upload", objects: [{ oid: text, size: 1 }] });
    await lfsAsk("objects/batch", {
      operation: "upload",
      ref: { name: `refs/heads/${text}` },
      objects: [{ oid: sha256(noise(3, text)), size: 3 }],
    });
    await lfsAsk("objects/batch", { operation: text, transfers: [text], hash_algo: text, objects: [] });
    await lfsAsk("locks", { path: text, ref: { name: text } });
    await lfsAsk(`locks/${encodeURIComponent(text)}/unlock`, { force: true });
  }
  for (const { text } of headers) {
    const form = new URLSearchParams({ client_id: "Iv1.b507a08c87ecfe98", scope: text });
    for (const fields of [form, new URLSearchParams({ client_id: text, scope: text })]) {
      const response = await rawRequest(world, {
        method: "POST",
        path: "/login/device/code",
        headers: { "content-type": "application/x-www-form-urlencoded", "user-agent": `Browser (${text})` },
        body: Buffer.from(fields.toString()),
      });
      if (response.status !== 200) said += response.text;
    }
  }
  for (const { text } of lines.slice(0, 60)) {
    for (const target of [
      `/api/v1/pushes?status=${encodeURIComponent(text)}`,
      `/api/v1/approvals/${encodeURIComponent(text)}`,
    ])
      said += await (await lee.fetch(target)).text();
    const stopped = await lee.fetch("/api/v1/stops", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ user: "ana@example.com", reason: `she sent ${text}` }),
    });
    said += await stopped.text();
  }
  await expectNone([...lines, ...headers]);
});
