/**
 * Mutated pushes over HTTP against a gateway as people run it, a real upstream behind it: odd heads, bodies cut, encoded and
 * announced in every way. A rule of its own takes half of all tokens for secrets: none of those may ever be upstream.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { startGitUpstream, type GitUpstreamFixture } from "../../fixtures/git-upstream.ts";
import { makeCorpus, restore, type CorpusRepository } from "./corpus.ts";
import { readAllObjects } from "./git-run.ts";
import { makePush } from "./make-push.ts";
import { mutateBytes } from "./mutate-bytes.ts";
import { randomFor, type Random } from "./random.ts";

export interface HttpFuzzOptions {
  readonly seed: number;
  readonly count: number;
  readonly only?: number;
  readonly progress?: (text: string) => void;
}

export interface HttpFuzzResult {
  readonly inputs: number;
  /** HTTP status, or what happened to the connection → how often. */
  readonly answers: Readonly<Record<string, number>>;
  /** Requests by which a ref moved upstream. */
  readonly delivered: number;
  readonly violations: readonly string[];
}

// From dist/test/fuzz, where the build puts this file.
const PROGRAM = fileURLToPath(new URL("../../../bin/sallyport.js", import.meta.url));
const SECRET = /tok-[89a-f][0-9a-f]{15}/;
const CREDENTIAL = { username: "gateway", password: "upstream-password" };
const ANSWER_MS = 60_000;
/** How often the upstream is looked through and set back. */
const ROUND = 20;

interface Gateway {
  readonly pid: number;
  readonly port: number;
  readonly authorization: string;
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

async function startGateway(directory: string, upstreamUrl: string): Promise<Gateway> {
  await mkdir(directory, { recursive: true });
  const config = path.join(directory, "sallyport.yaml");
  await writeFile(
    path.join(directory, "tokens.yaml"),
    `rules:\n  - { id: fuzz-token, description: A token, reference: 'https://example.com/', regex: '${SECRET.source}', keywords: [tok-], severity: block, examples: { match: ['tok-¦f000000000000000'], noMatch: ['tok-0000000000000000'] } }\n`,
  );
  await writeFile(
    config,
    `connections:
  code: { kind: git, url: "${upstreamUrl}", credential: { username: ${CREDENTIAL.username}, password: { env: FUZZ_PASSWORD } }, allow: ["*"] }
secrets: { rules: [builtin, ./tokens.yaml] }
pushes:
  - { repositories: ["code/**"], secrets: reject, pushOptions: ["*"] }
`,
  );
  const env = {
    PATH: process.env["PATH"],
    SALLYPORT_DATA: path.join(directory, "data"),
    SALLYPORT_LISTEN: "127.0.0.1:0",
    FUZZ_PASSWORD: CREDENTIAL.password,
  };
  const gateway = spawn(process.execPath, [PROGRAM, "serve", "--config", config], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [gateway.stdout, gateway.stderr])
    stream.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const stop = (): Promise<void> => stopProcess(gateway);
  try {
    for (let tries = 0; !/listens on\s+\S+/.test(log); tries++) {
      if (gateway.exitCode !== null || tries > 3_000) throw new Error(`the gateway did not start:\n${log}`);
      await sleep(20);
    }
    const port = Number(/listens on\s+http:\/\/[^:]+:(\d+)/.exec(log)?.[1]);
    const made = spawn(
      process.execPath,
      [PROGRAM, "token", "create", "--user", "fuzz@example.com", "--config", config],
      { env },
    );
    let token = "";
    made.stdout.on("data", (chunk: Buffer) => (token += chunk.toString()));
    await once(made, "close");
    const authorization = `Basic ${Buffer.from(`fuzz:${token.trim()}`).toString("base64")}`;
    return { pid: gateway.pid ?? 0, port, authorization, log: () => log, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

interface Answer {
  /** Null: the connection ended without one. */
  readonly status: number | null;
  readonly text: string;
  readonly isLate: boolean;
}

/** Writes the pieces as they are; whatever comes back until the connection ends, or its answer is complete. */
function exchange(port: number, pieces: readonly Buffer[], closes: boolean): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    const finish = (isLate: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      const text = Buffer.concat(chunks).toString("latin1");
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0) || null, text, isLate });
    };
    const timer = setTimeout(() => finish(true), ANSWER_MS);
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => finish(false));
    socket.on("close", () => finish(false));
    const write = async (): Promise<void> => {
      for (const piece of pieces) {
        if (socket.destroyed) return;
        if (!socket.write(piece)) await Promise.race([once(socket, "drain"), once(socket, "close")]);
        await new Promise((next) => setImmediate(next));
      }
      if (closes) socket.end();
    };
    write().catch(() => finish(false));
  });
}

const chunked = (body: Buffer, random: Random): Buffer[] => {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const size = Math.min(body.length - at, 1 + random.int(random.once(3) ? 7 : 9000));
    pieces.push(Buffer.from(`${size.toString(16)}\r\n`), body.subarray(at, at + size), Buffer.from("\r\n"));
    at += size;
  }
  return [...pieces, Buffer.from("0\r\n\r\n")];
};

interface HttpInput {
  readonly pieces: readonly Buffer[];
  /** The client ends its side after it has written everything. */
  readonly closes: boolean;
}

function makeRequest(name: string, plain: Buffer, gateway: Gateway, random: Random): HttpInput {
  let body = plain;
  const headers = [
    "Host: 127.0.0.1",
    "Connection: close",
    `Authorization: ${gateway.authorization}`,
    `Content-Type: ${random.once(12) ? random.pick(["text/plain", "application/x-git-upload-pack-request", ""]) : "application/x-git-receive-pack-request"}`,
  ];
  if (random.once(4)) {
    body = gzipSync(body, { level: 1 });
    headers.push("Content-Encoding: gzip");
    if (random.once(3)) body = mutateBytes(body, random);
  } else if (random.once(30))
    headers.push(`Content-Encoding: ${random.pick(["br", "deflate", "identity", "gzip", "x-gzip", "gzip, gzip"])}`);
  if (random.once(15)) headers.push("Git-Protocol: version=2");
  if (random.once(15))
    headers.push(random.pick(["Expect: 100-continue", "Expect: what", "TE: trailers", `X-${"a".repeat(9000)}: b`]));
  if (random.once(40)) headers.push(`Authorization: ${gateway.authorization}`);
  const path = random.once(25)
    ? random.pick([
        `/git/code/${name}.git/git-upload-pack`,
        `/git/code/${name}/git-receive-pack`,
        `/git/code//${name}.git/git-receive-pack`,
        `/git/code/${name}.git/git-receive-pack?x=1`,
      ])
    : `/git/code/${name}.git/git-receive-pack`;
  const framing = random.int(20);
  let pieces: Buffer[];
  let isCut = false;
  if (framing < 8) {
    headers.push(`Content-Length: ${body.length}`);
    pieces = [body];
  } else if (framing < 15) {
    headers.push("Transfer-Encoding: chunked");
    pieces = chunked(body, random);
  } else if (framing < 17) {
    // The client goes away in the middle.
    headers.push(`Content-Length: ${body.length + 1 + random.int(1000)}`);
    pieces = [body.subarray(0, random.int(body.length + 1))];
    isCut = true;
  } else if (framing < 18) {
    headers.push(`Content-Length: ${random.int(body.length + 1)}`);
    pieces = [body];
  } else if (framing < 19) {
    headers.push("Transfer-Encoding: chunked", `Content-Length: ${random.int(body.length + 1)}`);
    pieces = chunked(body, random);
  } else {
    headers.push("Transfer-Encoding: chunked");
    pieces = [mutateBytes(Buffer.concat(chunked(body, random)), random)];
    isCut = true;
  }
  const head = Buffer.from(`POST ${path} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`, "latin1");
  return { pieces: [head, ...pieces], closes: isCut };
}

const refsOf = async ({ directory }: CorpusRepository): Promise<string> => {
  const packed = await readFile(path.join(directory, "packed-refs"), "utf8").catch(() => "");
  const loose = (await readdir(path.join(directory, "refs"), { recursive: true })).sort();
  const texts = await Promise.all(
    loose.map((name) => readFile(path.join(directory, "refs", name), "utf8").catch(() => "")),
  );
  return `${packed}\n${texts.join("")}`;
};

export async function fuzzHttp(options: HttpFuzzOptions): Promise<HttpFuzzResult> {
  const root = await mkdtemp(path.join(tmpdir(), "sallyport-fuzz-"));
  const repositories = path.join(root, "upstream");
  const open = await startGitUpstream({ root: repositories, recordBodies: true });
  const closed = await startGitUpstream({ root: repositories, ...CREDENTIAL });
  try {
    // Tokens of the corpus are none of the secret ones; those that mutation adds are, half of them.
    const corpus = await makeCorpus(open, root, options.seed);
    const gateway = await startGateway(path.join(root, "gateway"), closed.url);
    try {
      return await runAll(options, { corpus, gateway, upstream: closed, root });
    } finally {
      await gateway.stop();
    }
  } finally {
    await open.stop();
    await closed.stop();
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}

interface HttpScene {
  readonly corpus: Awaited<ReturnType<typeof makeCorpus>>;
  readonly gateway: Gateway;
  readonly upstream: GitUpstreamFixture;
  readonly root: string;
}

async function runAll(
  options: HttpFuzzOptions,
  { corpus, gateway, upstream, root }: HttpScene,
): Promise<HttpFuzzResult> {
  const answers: Record<string, number> = {};
  const violations: string[] = [];
  let delivered = 0;
  let before = Number.POSITIVE_INFINITY;
  const from = options.only ?? 0;
  const until = options.only === undefined ? options.count : from + 1;
  for (let input = from; input < until; input++) {
    const random = randomFor(options.seed, input);
    const push = makePush(corpus, random);
    const name = `--seed ${options.seed} --only ${input} (${push.shape}; ${push.levels.join(", ")})`;
    const { pieces, closes } = makeRequest(push.repository.name, push.body, gateway, random);
    const was = await refsOf(push.repository);
    const { status, text, isLate } = await exchange(gateway.port, pieces, closes);
    const key = isLate ? "no end" : String(status ?? "closed");
    answers[key] = (answers[key] ?? 0) + 1;
    if (isLate) violations.push(`${name}: no end after ${ANSWER_MS} ms`);
    if (status !== null && status >= 500) violations.push(`${name}: answered ${status}: ${text.slice(0, 300)}`);
    if (/something inside the gateway|internal error/i.test(text)) violations.push(`${name}: ${text.slice(-300)}`);
    if ((await refsOf(push.repository)) !== was) delivered += 1;
    // What the first one opens stays open: pools of connections, prepared statements.
    if (input === from + 10) before = await filesOf(gateway.pid);
    if (input % ROUND === ROUND - 1 || input === until - 1) {
      violations.push(
        ...(await secretsUpstream(corpus.repositories)).map((what) => `before input ${input + 1}: ${what}`),
      );
      for (const repository of corpus.repositories) await restore(repository);
      upstream.requests.length = 0;
      options.progress?.(`${input + 1 - from} requests, ${delivered} delivered, ${violations.length} violations`);
    }
  }
  const health = await fetch(`http://127.0.0.1:${gateway.port}/healthz`);
  if (health.status !== 200) violations.push(`/healthz answers ${health.status}`);
  await health.body?.cancel();
  let after = await filesOf(gateway.pid);
  for (let tries = 0; tries < 100 && after > before; tries++) {
    await sleep(100);
    after = await filesOf(gateway.pid);
  }
  // A few more connections of a pool are no leak; one for each request is.
  if (after > before + 12) violations.push(`${after - before} file handles more than before`);
  const left = await readdir(path.join(root, "gateway", "data", "quarantine")).catch(() => []);
  if (left.length > 0) violations.push(`${left.length} quarantines left`);
  const broken = gateway
    .log()
    .split("\n")
    .filter((line) => /"code":"internal"|"level":"(?:error|fatal)"|unhandled|uncaught/i.test(line));
  for (const line of broken.slice(0, 10)) violations.push(`the log says: ${line.slice(0, 600)}`);
  return { inputs: until - from, answers, delivered, violations };
}

const filesOf = async (pid: number): Promise<number> => (await readdir(`/proc/${pid}/fd`).catch(() => [])).length;

async function secretsUpstream(repositories: readonly CorpusRepository[]): Promise<string[]> {
  const found: string[] = [];
  for (const { directory, objects } of repositories) {
    for (const [oid, { kind, content }] of await readAllObjects(directory)) {
      if (objects.has(oid)) continue;
      const text = content.toString("latin1");
      const secret = SECRET.exec(text)?.[0];
      if (secret !== undefined) found.push(`${secret} is upstream, in ${kind} ${oid}`);
    }
  }
  return found;
}
