import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { packageRoot } from "../../src/config/package-root.ts";
import { CHANNEL_STOCK, startGitLauncher, type GitLauncher } from "../../src/git/git-launcher.ts";
import { createGit, type Git } from "../../src/git/process.ts";
import { temporaryDirectory } from "../harness/git.ts";
import { gitBytes } from "./inspection.ts";

const environment = { PATH: process.env["PATH"] };
/** What `npm test` has built. */
const built = (file: string): string => path.join(packageRoot(), "dist", "src", "git", file);

const eventually = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
};

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

interface Started {
  readonly launcher: GitLauncher;
  readonly git: Git;
  readonly gitDir: string;
  readonly lost: Error[];
}

async function start(): Promise<Started> {
  const gitDir = await temporaryDirectory("launcher");
  await gitBytes(["init", "-q", "--bare", gitDir], gitDir);
  const lost: Error[] = [];
  const launcher = await startGitLauncher({
    environment,
    wrapper: [],
    program: built("git-launcher-process.js"),
    onLost: (error) => lost.push(error),
  });
  if (launcher === null) throw new Error("the launcher is not built: npm run build");
  onTestFinished(() => launcher.close());
  await eventually(() => launcher.stock() === CHANNEL_STOCK);
  return { launcher, git: createGit({ environment, userAgent: "test", launcher }), gitDir, lost };
}

/** @returns its parent (proc(5), stat) */
const parentOf = async (pid: number): Promise<number> => {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
};

const command = (gitDir: string, ...args: readonly string[]) => ({ args, gitDir, timeoutMs: 60_000 });

test("a git has its input, its output, its exit code and its last words, and another parent than this process", async () => {
  const { git, gitDir } = await start();
  const content = Buffer.alloc(3_000_000, "0123456789abcdef\n");
  const { stdout } = await git.run({ ...command(gitDir, "hash-object", "-w", "--stdin"), input: [content] });
  const oid = stdout.toString().trim();
  const kept = await git.run(command(gitDir, "cat-file", "blob", oid));
  expect(kept.stdout.equals(content)).toBe(true);

  expect((await git.run({ ...command(gitDir, "config", "no.such"), answers: [1] })).exitCode).toBe(1);
  const error: unknown = await git
    .run(command(gitDir, "cat-file", "-p", "f".repeat(40)))
    .catch((error: unknown) => error);
  expect((error as Error).cause).toMatchObject({ message: expect.stringContaining("Not a valid object name") });

  const waiting = git.start(command(gitDir, "cat-file", "--batch"));
  await eventually(() => waiting.pid !== null);
  expect(await parentOf(waiting.pid ?? 0)).not.toBe(process.pid);
  await waiting.stop();
});

test("more gits at once than there are sockets in stock all run", async () => {
  const { git, gitDir } = await start();
  const runs = Array.from({ length: 2 * CHANNEL_STOCK }, () => git.run(command(gitDir, "rev-parse", "--git-dir")));
  const answers = (await Promise.all(runs)).map(({ stdout }) => stdout.toString());
  expect(new Set(answers)).toEqual(new Set([`${gitDir}\n`]));
});

test("output is whole when reading begins after git has ended", async () => {
  const { git, gitDir } = await start();
  const child = git.start(command(gitDir, "rev-parse", "--is-bare-repository"));
  child.endInput();
  expect(await child.ended).toBe(0);
  let output = "";
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) output += chunk.toString();
  expect(output).toBe("true\n");
});

test("stopping a git ends its own children too", async () => {
  const { git, gitDir } = await start();
  const child = git.start(command(gitDir, "-c", "alias.nap=!echo $$; exec sleep 1000", "nap"));
  let first: Buffer | null = null;
  await eventually(() => (first ??= child.stdout.read() as Buffer | null) !== null);
  const grandchild = Number(first);
  expect(isGone(grandchild)).toBe(false);
  await child.stop();
  await eventually(() => isGone(grandchild));
});

test("a launcher that is killed takes its gits along, and what follows runs without it", async () => {
  const { git, gitDir, lost } = await start();
  const child = git.start(command(gitDir, "cat-file", "--batch"));
  await eventually(() => child.pid !== null);
  const pid = child.pid ?? 0;
  process.kill(await parentOf(pid), "SIGKILL");
  await expect(child.ended).rejects.toMatchObject({ code: "internal" });
  await eventually(() => isGone(pid));
  expect(lost).toHaveLength(1);
  const next = git.start(command(gitDir, "cat-file", "--batch"));
  expect(await parentOf(next.pid ?? 0)).toBe(process.pid);
  await next.stop();
});

test("closing it ends what still runs, and leaves no file handle", async () => {
  const handles = async (): Promise<number> => (await readdir("/proc/self/fd")).length;
  const before = await handles();
  const { launcher, git, gitDir } = await start();
  const child = git.start(command(gitDir, "cat-file", "--batch"));
  const ended = child.ended.catch((error: unknown) => error);
  await git.run(command(gitDir, "rev-parse", "--git-dir"));
  await launcher.close();
  expect(await ended).toMatchObject({ code: "internal" });
  await child.stop();
  await eventually(async () => (await handles()) <= before + 1);
});

test("it ends with a gateway that is killed, with every git and its directory", async () => {
  const gitDir = await temporaryDirectory("launcher");
  const tmp = await temporaryDirectory("tmp");
  await gitBytes(["init", "-q", "--bare", gitDir], gitDir);
  const gateway = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `import { startGitLauncher } from "${pathToFileURL(built("git-launcher.js")).href}";
       const launcher = await startGitLauncher({ environment: process.env, wrapper: [] });
       while (launcher.stock() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
       const git = launcher.start(["cat-file", "--batch"], { PATH: process.env.PATH, GIT_DIR: ${JSON.stringify(gitDir)} });
       while (git.pid() === null) await new Promise((resolve) => setTimeout(resolve, 5));
       console.log(git.pid());
       setInterval(() => {}, 1000);`,
    ],
    { env: { ...environment, TMPDIR: tmp }, stdio: ["ignore", "pipe", "inherit"] },
  );
  onTestFinished(() => void gateway.kill("SIGKILL"));
  const [first] = (await once(gateway.stdout, "data")) as [Buffer];
  const git = Number(first.toString());
  const launcher = await parentOf(git);
  expect(await readdir(tmp)).toHaveLength(1);
  gateway.kill("SIGKILL");
  await eventually(() => isGone(git) && isGone(launcher));
  expect(await readdir(tmp)).toEqual([]);
});

test("where nothing is built there is none, and git runs all the same", async () => {
  const launcher = await startGitLauncher({ environment, wrapper: [], program: "/nowhere/git-launcher-process.js" });
  expect(launcher).toBeNull();
  await expect(access(built("git-launcher-process.js"))).resolves.toBeUndefined();
});
