import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";

/** What a git command did, as a person in a terminal would see it. */
export interface GitRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A git that knows nothing of this machine's own configuration, and never asks. */
export const sealedGitEnv = (home: string): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: home,
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  GIT_AUTHOR_NAME: "Ana",
  GIT_AUTHOR_EMAIL: "ana@example.com",
  GIT_COMMITTER_NAME: "Ana",
  GIT_COMMITTER_EMAIL: "ana@example.com",
});

export interface GitOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly signal?: AbortSignal;
  /** Called with everything that git prints to stderr, as it comes. */
  readonly onStderr?: (text: string) => void;
}

/** Runs git to its end; a non-zero exit is an answer, not an error. */
export function git(args: readonly string[], options: GitOptions): Promise<GitRun> {
  return new Promise((resolve, reject) => {
    const child = spawn("git", args, {
      cwd: options.cwd,
      env: { ...sealedGitEnv(options.cwd), ...options.env },
      // A group of its own, so that killing it takes git's own children along (git-remote-http is who talks to the server).
      detached: options.signal !== undefined,
    });
    options.signal?.addEventListener("abort", () => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    });
    const stdout: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      stderr += text;
      options.onStderr?.(text);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code: code ?? -1, stdout: Buffer.concat(stdout).toString("utf8"), stderr });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}

/** Like {@link git}, for steps that must work: its output, trimmed. */
export async function mustGit(args: readonly string[], options: GitOptions): Promise<string> {
  const run = await git(args, options);
  if (run.code !== 0) throw new Error(`git ${args.join(" ")} ended with ${run.code}:\n${run.stderr}${run.stdout}`);
  return run.stdout.trim();
}

/** A directory that is gone when the test ends. */
export async function temporaryDirectory(name: string): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), `sallyport-${name}-`));
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}

/** Somebody's clone. */
export interface WorkingCopy {
  readonly directory: string;
  git(...args: readonly string[]): Promise<GitRun>;
  /** Like `git`, and throws when it fails. */
  must(...args: readonly string[]): Promise<string>;
  /** Writes the files and commits them. @returns the new commit's oid */
  commit(message: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string>;
  /** A push that may take a while: its output so far, and its end. */
  startPush(...args: readonly string[]): RunningPush;
}

export interface RunningPush {
  readonly ended: Promise<GitRun>;
  /** Resolves as soon as git has printed a text that matches. @throws when git ends without it */
  prints(pattern: RegExp): Promise<RegExpExecArray>;
  /** Kills git as a closed laptop would. */
  kill(): void;
}

function startPush(directory: string, env: Readonly<Record<string, string>>, args: readonly string[]): RunningPush {
  const controller = new AbortController();
  let output = "";
  const watchers = new Set<() => void>();
  const ended = git(["push", ...args], {
    cwd: directory,
    env,
    signal: controller.signal,
    onStderr: (text) => {
      output += text;
      for (const watcher of watchers) watcher();
    },
  });
  const prints = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const watcher = (): void => {
        const match = pattern.exec(output);
        if (match === null) return;
        watchers.delete(watcher);
        resolve(match);
      };
      watchers.add(watcher);
      const giveUp = async (): Promise<void> => {
        const run = await ended;
        watcher();
        if (watchers.delete(watcher))
          reject(new Error(`git ended with ${run.code} and never printed ${pattern}:\n${run.stderr}`));
      };
      giveUp().catch(reject);
      watcher();
    });
  return { ended, prints, kill: () => controller.abort() };
}

/** A clone at `directory`, or a new repository with `url` as its origin where there is nothing to clone yet. */
export async function workingCopy(options: {
  readonly url: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly init?: boolean;
  /** The directory that it is made in, somebody else's to remove; absent: one that is gone when the test ends. */
  readonly parent?: string;
}): Promise<WorkingCopy> {
  const parent = options.parent ?? (await temporaryDirectory("clone"));
  const directory = path.join(parent, "work");
  const env = options.env ?? {};
  if (options.init === true) {
    await mkdir(directory);
    await mustGit(["init", "-q", "-b", "main"], { cwd: directory, env });
    await mustGit(["remote", "add", "origin", options.url], { cwd: directory, env });
  } else {
    // Or every commit and fetch would start a program that finds nothing to do.
    const settings = ["-c", "maintenance.auto=false"];
    await mustGit(["clone", "-q", ...settings, options.url, directory], { cwd: parent, env });
  }
  const must = (...args: readonly string[]): Promise<string> => mustGit(args, { cwd: directory, env });
  return {
    directory,
    git: (...args) => git(args, { cwd: directory, env }),
    must,
    commit: async (message, files) => {
      for (const [name, content] of Object.entries(files)) {
        await mkdir(path.dirname(path.join(directory, name)), { recursive: true });
        await writeFile(path.join(directory, name), content);
      }
      if (Object.keys(files).length > 0) await must("add", "--", ...Object.keys(files));
      await mustGit(["commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "-"], {
        cwd: directory,
        env,
        input: message,
      });
      return must("rev-parse", "HEAD");
    },
    startPush: (...args) => startPush(directory, env, args),
  };
}
