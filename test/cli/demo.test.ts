/** `sallyport demo`, as it is built: a process of its own, with a temporary directory in which everything of it must be, and be gone. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Readable, Writable } from "node:stream";
import { expect, onTestFinished, test, vi } from "vitest";
import { runCli } from "../../src/cli/run-cli.ts";
import { packageRoot } from "../../src/config/package-root.ts";
import { processIdentity } from "../../src/store/postgres/process-identity.ts";
import { run } from "./command-io.ts";

const PROGRAM = join(packageRoot(), "bin", "sallyport.js");
/** The story has half a minute by itself; other tests run beside it. */
const PATIENCE_MS = 240_000;

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-demo-test-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}

interface Demo {
  /** What it has printed so far. */
  out(): string;
  err(): string;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Resolves once it has printed this. @throws when it ends without */
  prints(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** What is left in its temporary directory. */
  leftovers(): Promise<string[]>;
  /** Names the database's server, while it runs. */
  server(): Promise<{ isAlive(): Promise<boolean> }>;
}

async function startDemo(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Demo> {
  if (!existsSync(join(packageRoot(), "dist"))) throw new Error("dist/ is missing: npm run build");
  const home = await temporaryDirectory();
  const child = spawn(process.execPath, [PROGRAM, "demo", ...args], {
    cwd: "/",
    env: { PATH: process.env["PATH"], TMPDIR: home, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  let hasEnded = false;
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      hasEnded = true;
      resolve({ code, signal });
    });
  });
  return {
    out: () => out,
    err: () => err,
    ended,
    prints: async (text) => {
      const hasPrinted = (): boolean => {
        if (hasEnded && !out.includes(text)) throw new Error(`it ended without "${text}":\n${out}${err}`);
        return out.includes(text);
      };
      await vi.waitUntil(hasPrinted, { timeout: PATIENCE_MS, interval: 20 });
    },
    kill: (signal) => void child.kill(signal),
    leftovers: () => readdir(home),
    server: async () => {
      const [directory = ""] = await readdir(home);
      const file = await readFile(join(home, directory, "data", "postgres", "data", "postmaster.pid"), "utf8");
      const pid = Number(file.split("\n", 1)[0]);
      const identity = await processIdentity(pid);
      expect(identity).not.toBeNull();
      return { isAlive: async () => (await processIdentity(pid)) === identity };
    },
  };
}

const gone = async (demo: Demo, server: { isAlive(): Promise<boolean> }): Promise<void> => {
  expect(await demo.leftovers()).toEqual([]);
  expect(await server.isAlive()).toBe(false);
};

test("tells the whole story, leaves the addresses open, and is gone without a trace after Ctrl-C", async () => {
  // What is configured for real plays no part.
  const demo = await startDemo([], {
    DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
    SALLYPORT_CONFIG: "/nonexistent",
    GIT_DIR: "/nonexistent",
    http_proxy: "http://127.0.0.1:1",
  });
  await demo.prints("Ctrl-C ends it");
  const out = demo.out();
  const story = [
    /^── 1 {2}Where everything listens ─+$/m,
    /^ {2}operator \$ npx sallyport token create --user ana@example\.com --groups eng\n {4}gho_\w+\n/m,
    /^ {2}operator \$ npx sallyport token create --user lee@example\.com --groups leads\n {4}gho_\w+\n/m,
    /^── 2 {2}A Copilot session is recorded ─+$/m,
    /^ {2}ana → POST http:\/\/127\.0\.0\.1:\d+\/copilot\/copilot\/chat\/completions\n/m,
    /^ {4}def slugify\(title: str\) -> str:$/m,
    /^ {6}AWS_ACCESS_KEY_ID = "⟦aws-access-key:[0-9a-f]{8}⟧"$/m,
    /^ {2}✓ the key was masked before the first write: ⟦aws-access-key:[0-9a-f]{8}⟧$/m,
    /^── 3 {2}A push with a secret in it is refused ─+$/m,
    /^ {2}ana \$ git clone http:\/\/127\.0\.0\.1:\d+\/git\/code\/kitchen\/recipes\.git work$/m,
    /^ {2}ana \$ git push origin main\n(?: {4}remote:.*\n)+/m,
    /^ {4}remote: {3}settings\.py:2:22 {2}aws-access-key: /m,
    /^ {4} ! \[remote rejected\] main -> main \(1 secret found/m,
    /^ {2}✓ the Git server has not seen a byte/m,
    /^── 4 {2}A push to main is held, approved and delivered ─+$/m,
    /^ {4}remote: Approve it here: http:\/\/127\.0\.0\.1:\d+\/approvals\/[0-9a-f-]{36}$/m,
    /^ {4}│ A push waits for approval$/m,
    /^ {4}│ \*<http:\/\/127\.0\.0\.1:\d+\/approvals\/[0-9a-f-]{36}\|Review and decide>\*$/m,
    /^ {2}lee → POST \/api\/v1\/approvals\/[0-9a-f-]{36}\/approve {2}\{"reason":".+"\}\n {4}200 approved by lee@example\.com$/m,
    /^ {4} {3}[0-9a-f]{7}\.\.[0-9a-f]{7} {2}main -> main$/m,
    /^ {2}✓ main has moved to her commit$/m,
    /^── 5 {2}The commits are linked to the session, line by line ─+$/m,
    /^ {4}session [0-9a-f-]{36} \(copilot-cli\) {2}reason: content {2}confidence: 0\.\d+$/m,
    /^ {4}slug\.py:1-8 {2}ai {2}exchange [0-9a-f-]{36} {2}score 0\.\d+$/m,
    /^ {4}slug\.py:9-12 {2}unknown$/m,
    /^ {4}session [0-9a-f-]{36} \(copilot-cli\) {2}reason: trailer {2}confidence: 0\.99$/m,
    /^ {2}✓ settings\.py is ana's own work: no link$/m,
    /^ {2}Told in \d+\.\d s\.$/m,
    /^── 6 {2}Look around ─+$/m,
  ];
  let from = 0;
  for (const line of story) {
    const found = line.exec(out.slice(from));
    expect(found, `${line} after:\n${out.slice(0, from).slice(-500)}`).not.toBeNull();
    from += found?.index ?? 0;
  }
  // Seen only where ana herself types it: in the prompt and in her file.
  const key = /AKIA[A-Z0-9]{16}/g;
  expect(out.match(key)).toHaveLength(2);
  // No colours where nobody watches, and nothing that a terminal would obey.
  // oxlint-disable-next-line no-control-regex
  expect(out).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
  expect(demo.err()).toBe("");

  const around = out.slice(out.indexOf("Look around"));
  const address = /Sign in at (\S+)\/ as lee/.exec(around)?.[1] ?? "";
  const token = /gho_\w+/.exec(around)?.[0] ?? "";
  const cookie = await signIn(address, token);
  const pages = around.match(/http:\S+\/(?:sessions|pushes|approvals|commits|connect)\S*/g) ?? [];
  expect(pages).toHaveLength(6);
  for (const page of pages) {
    const response = await fetch(page, { headers: { cookie }, redirect: "manual" });
    expect({ page, status: response.status }).toEqual({ page, status: 200 });
    expect(await response.text()).not.toMatch(key);
  }

  const server = await demo.server();
  demo.kill("SIGINT");
  expect(await demo.ended).toEqual({ code: 0, signal: null });
  await gone(demo, server);
});

async function signIn(address: string, token: string): Promise<string> {
  const page = await fetch(`${address}/`);
  const form = /name="form" value="([^"]+)"/.exec(await page.text())?.[1] ?? "";
  const cookieOf = (response: Response): string =>
    response.headers
      .getSetCookie()
      .map((cookie) => cookie.split(";", 1)[0])
      .join("; ");
  const response = await fetch(`${address}/sign-in`, {
    method: "POST",
    headers: { cookie: cookieOf(page) },
    body: new URLSearchParams({ form, token, return: "/" }),
    redirect: "manual",
  });
  expect(response.status).toBe(303);
  return cookieOf(response);
}

test("Ctrl-C in the middle, while git waits: it stops, says so, and leaves nothing", async () => {
  const demo = await startDemo(["--exit"]);
  await demo.prints("Approve it here:");
  const server = await demo.server();
  demo.kill("SIGINT");
  expect(await demo.ended).toEqual({ code: 1, signal: null });
  expect(demo.out()).toContain("Stopped before the end of the story");
  expect(demo.err()).toBe("");
  await gone(demo, server);
});

test("killed, it is tidied up after", async () => {
  const demo = await startDemo([]);
  await demo.prints("ana $ git clone");
  const server = await demo.server();
  demo.kill("SIGKILL");
  expect(await demo.ended).toEqual({ code: null, signal: "SIGKILL" });
  await expect.poll(() => demo.leftovers()).toEqual([]);
  await expect.poll(() => server.isAlive()).toBe(false);
});

test("when something does not come out as told, it says what was expected and what came, and fails", async () => {
  const directory = await temporaryDirectory();
  const path = process.env["PATH"] ?? "";
  const git = path.split(delimiter).find((one) => existsSync(join(one, "git"))) ?? "";
  const wrapper = join(directory, "git");
  // A git whose pushes to the gateway are lost without a word.
  const script = `#!/bin/sh\ncase "$1 $2" in "push origin") echo "Everything up-to-date"; exit 0;; esac\nexec "${join(git, "git")}" "$@"\n`;
  await writeFile(wrapper, script);
  await chmod(wrapper, 0o755);
  const demo = await startDemo(["--exit"], { PATH: `${directory}${delimiter}${path}` });
  expect(await demo.ended).toEqual({ code: 1, signal: null });
  expect(demo.out()).toContain("Everything up-to-date");
  expect(demo.out()).toContain("✗ The story did not come out as told.");
  expect(demo.out()).toContain("expected   git says that the remote rejected it\n  came       exit code 0");
  expect(demo.out()).not.toContain("── 4");
  expect(await demo.leftovers()).toEqual([]);
});

test("without git it says so, before anything is started", async () => {
  const { code, out, err } = await run(["demo", "--exit"], { env: { PATH: "/nonexistent" } });
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toMatch(/^sallyport demo: git cannot be started: install it, or put it on the PATH\n/);
});

test("unknown options are refused", async () => {
  expect((await run(["demo", "--fast"])).code).toBe(2);
});

test.each([
  { tty: true, env: {}, colours: true },
  { tty: true, env: { NO_COLOR: "1" }, colours: false },
  { tty: false, env: {}, colours: false },
])("colours: $colours on a terminal: $tty with $env", async ({ tty, env, colours }) => {
  // Stopped before it began: the title is all that it tells, and the farewell.
  const stop = new AbortController();
  stop.abort();
  let out = "";
  const stdout = Object.assign(
    new Writable({
      write(chunk: Buffer, _, done) {
        out += chunk.toString();
        done();
      },
    }),
    { isTTY: tty },
  );
  const code = await runCli(["demo", "--exit"], {
    env: { PATH: process.env["PATH"], ...env },
    cwd: "/",
    pid: process.pid,
    stdin: Readable.from([]),
    stdout,
    stderr: stdout,
    stop: stop.signal,
    onHangup: () => () => {},
    now: () => new Date(),
  });
  expect(code).toBe(1);
  expect(out).toContain("Sallyport, the whole story");
  expect(out).toContain("Stopped before the end of the story");
  expect(out.includes("\x1b[")).toBe(colours);
});
