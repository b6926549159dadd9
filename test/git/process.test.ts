import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { createGit } from "../../src/git/process.ts";
import { temporaryDirectory } from "../harness/git.ts";
import { gitBytes, testGit } from "./inspection.ts";

async function repository(): Promise<string> {
  const directory = await temporaryDirectory("process");
  await gitBytes(["init", "-q", "--bare", directory], directory);
  return directory;
}

const command = (gitDir: string, ...args: readonly string[]) => ({ args, gitDir, timeoutMs: 60_000 });

function isThere(pid: number | null): boolean {
  try {
    return process.kill(pid ?? 0, 0);
  } catch {
    return false;
  }
}

test("nothing of the gateway's surroundings reaches git but what it needs", async () => {
  const gitDir = await repository();
  const home = await temporaryDirectory("home");
  await writeFile(path.join(home, ".gitconfig"), "[user]\n\tname = Mallory\n[core]\n\tpager = false\n");
  const git = createGit({
    environment: {
      PATH: process.env["PATH"],
      HOME: home,
      GIT_DIR: "/nowhere",
      GIT_CONFIG_PARAMETERS: "'user.name=Mallory'",
      GIT_EXTERNAL_DIFF: "/bin/false",
      LD_PRELOAD: "/nowhere.so",
    },
    userAgent: "test",
  });
  const { stdout } = await git.run(command(gitDir, "config", "--list", "--show-scope"));
  const list = stdout.toString();
  expect(list).not.toContain("Mallory");
  expect(list).not.toMatch(/^(?:system|global)\t/m);
  expect(list).toContain("command\tcore.hookspath=/dev/null");
  expect(list).toContain("command\tprotocol.allow=never");
  const { stdout: env } = await git.run({ ...command(gitDir, "-c", "alias.env=!env", "env") });
  expect(env.toString()).not.toMatch(/LD_PRELOAD|GIT_EXTERNAL_DIFF/);
});

test("a failure has the command's own error, git's words as its cause", async () => {
  const gitDir = await repository();
  const failure = (stderr: string): GatewayError => new GatewayError("not_found", `seen: ${stderr.split("\n")[0]}`);
  const error: unknown = await testGit()
    .run({ ...command(gitDir, "cat-file", "-p", "f".repeat(40)), failure })
    .catch((error: unknown) => error);
  expect(error).toMatchObject({ code: "not_found", message: expect.stringContaining("Not a valid object name") });
  expect((error as Error).cause).toBeInstanceOf(Error);
});

test("an exit code that is an answer is one", async () => {
  const gitDir = await repository();
  const { exitCode } = await testGit().run({ ...command(gitDir, "config", "no.such"), answers: [1] });
  expect(exitCode).toBe(1);
});

test("a git that takes too long, and one that nobody waits for any more, end", async () => {
  const gitDir = await repository();
  const git = testGit();
  const slow = git.start({ ...command(gitDir, "cat-file", "--batch"), timeoutMs: 100 });
  await expect(slow.ended).rejects.toMatchObject({ code: "limit_exceeded", message: expect.stringContaining("0.1 s") });

  const controller = new AbortController();
  const waiting = git.start({ ...command(gitDir, "cat-file", "--batch"), signal: controller.signal });
  controller.abort();
  await expect(waiting.ended).rejects.toMatchObject({ code: "client_gone" });
  const late = git.start({ ...command(gitDir, "cat-file", "--batch"), signal: controller.signal });
  await expect(late.ended).rejects.toMatchObject({ code: "client_gone" });
  for (const { pid } of [slow, waiting, late]) expect(() => process.kill(pid ?? process.pid, 0)).toThrow("ESRCH");
});

test("leaving the stream early ends git; input that fails is the error that is told", async () => {
  const gitDir = await repository();
  const git = testGit();
  let pulled = 0;
  const endless = (function* () {
    for (;;) {
      pulled += 1;
      yield `${"f".repeat(40)}\n`;
    }
  })();
  let seen = 0;
  for await (const chunk of git.stream({ ...command(gitDir, "cat-file", "--batch-check"), input: endless })) {
    seen += chunk.length;
    if (seen > 1000) break;
  }
  expect(pulled).toBeLessThan(1_000_000);

  const broken = (async function* () {
    yield `${"f".repeat(40)}\n`;
    throw new GatewayError("storage_failed", "input broke");
  })();
  await expect(git.run({ ...command(gitDir, "cat-file", "--batch-check"), input: broken })).rejects.toMatchObject({
    message: "input broke",
  });
});

test("output of no end is read only as fast as it is wanted, and not kept beyond its bound", async () => {
  const gitDir = await repository();
  await expect(testGit().run({ ...command(gitDir, "config", "--list"), maxOutputBytes: 10 })).rejects.toMatchObject({
    code: "internal",
  });
});

test("output is whole when reading begins after git has ended", async () => {
  const gitDir = await repository();
  const child = testGit().start(command(gitDir, "rev-parse", "--is-bare-repository"));
  child.endInput();
  await expect.poll(() => isThere(child.pid)).toBe(false);
  let output = "";
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) output += chunk.toString();
  expect(output).toBe("true\n");
  expect(await child.ended).toBe(0);
});

test("no file handles are left behind", async () => {
  const gitDir = await repository();
  const git = testGit();
  const open = async (): Promise<number> => (await readdir("/proc/self/fd")).length;
  await git.run(command(gitDir, "rev-parse", "--git-dir"));
  const before = await open();
  for (let round = 0; round < 5; round++) {
    await git.run(command(gitDir, "rev-parse", "--git-dir"));
    await git.run(command(gitDir, "no-such-command")).catch(() => {});
    await git.start(command(gitDir, "cat-file", "--batch")).stop();
  }
  await expect.poll(open).toBeLessThanOrEqual(before + 1);
});
