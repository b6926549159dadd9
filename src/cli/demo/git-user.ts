/** Somebody at a terminal with the git that is installed: commands are shown, and what git prints is passed on as it comes. */
import { execFile, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { GatewayError } from "../../errors.ts";
import type { Narrator } from "./narrator.ts";
import { StoryError } from "./story-error.ts";

export interface GitRun {
  readonly code: number;
  /** Standard output and standard error, in the order in which they came. */
  readonly output: string;
}

export interface RunningGit {
  readonly ended: Promise<GitRun>;
  /** Everything printed so far. */
  output(): string;
  /** Keeps back what git prints from now on, while somebody else has the word. */
  pause(): void;
  resume(): void;
}

export interface GitUser {
  readonly directory: string;
  /** Runs git in `directory`, shown and told as it goes. */
  run(...args: readonly string[]): Promise<GitRun>;
  /** The same without waiting for its end. */
  start(...args: readonly string[]): RunningGit;
  /** Unseen, for what is no part of the story. @returns what it printed @throws StoryError when git fails */
  quietly(...args: readonly string[]): Promise<string>;
  /** Clones into `directory`, by the command that is shown. */
  clone(url: string): Promise<GitRun>;
}

export interface GitUserOptions {
  readonly name: string;
  readonly email: string;
  /** A directory of their own; made here. Their work is below it, in `work`. */
  readonly home: string;
  /** Where git is found. */
  readonly path: string | undefined;
  /** What `git credential-store` knows: `http://user:password@host`. */
  readonly credential: URL | null;
  readonly narrator: Narrator;
  readonly signal: AbortSignal;
}

/**
 * @returns e.g. `git version 2.39.5`
 * @throws GatewayError `config_invalid` where there is none
 */
export async function readGitVersion(path: string | undefined): Promise<string> {
  try {
    return (await promisify(execFile)("git", ["--version"], { env: { PATH: path } })).stdout.trim();
  } catch (cause) {
    throw new GatewayError("config_invalid", "git cannot be started: install it, or put it on the PATH", { cause });
  }
}

/** As git's own documentation would have somebody set it up (gitcredentials(7)): the token lies in a file of theirs. */
async function makeHome({ home, name, email, credential }: GitUserOptions): Promise<void> {
  await mkdir(home, { mode: 0o700 });
  const config = `[user]\n\tname = ${name}\n\temail = ${email}\n[credential]\n\thelper = store\n`;
  await writeFile(join(home, ".gitconfig"), config);
  if (credential !== null) await writeFile(join(home, ".git-credentials"), `${credential.href}\n`, { mode: 0o600 });
}

const shellWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `"${word}"`);

export async function createGitUser(options: GitUserOptions): Promise<GitUser> {
  await makeHome(options);
  const { home, narrator, signal } = options;
  const directory = join(home, "work");
  const who = options.name.toLowerCase();
  // Nothing of the machine's or the person's own configuration, proxies or credential helpers gets in.
  const env = {
    PATH: options.path,
    HOME: home,
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "true",
  };

  const start = (args: readonly string[], cwd: string, onLine: (line: string) => void): RunningGit => {
    signal.throwIfAborted();
    // A group of its own: a Ctrl-C is for the demo, which then ends git and git's own children together.
    const child = spawn("git", args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let output = "";
    let keptBack: string[] | null = null;
    const told = (line: string): void => {
      output += `${line}\n`;
      if (keptBack === null) onLine(line);
      else keptBack.push(line);
    };
    const kill = (): void => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid);
    };
    const ended = new Promise<GitRun>((resolve, reject) => {
      signal.addEventListener("abort", kill, { once: true });
      for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", told);
      child.once("error", (cause) => reject(new StoryError("git on the PATH", cause.message, { cause })));
      child.once("close", (code) => {
        signal.removeEventListener("abort", kill);
        if (signal.aborted) reject(signal.reason as Error);
        else resolve({ code: code ?? -1, output });
      });
    });
    // Whoever started it may look at its end later, or not at all when the story breaks off first.
    ended.catch(() => {});
    return {
      ended,
      output: () => output,
      pause: () => {
        keptBack ??= [];
      },
      resume: () => {
        keptBack?.forEach(onLine);
        keptBack = null;
      },
    };
  };

  const tell = (line: string): void => narrator.output(line, line.startsWith("remote:") ? "remote" : undefined);
  const startShown = (args: readonly string[]): RunningGit => {
    narrator.command(who, ["git", ...args].map(shellWord).join(" "));
    return start(args, directory, tell);
  };

  return {
    directory,
    start: (...args) => startShown(args),
    run: (...args) => startShown(args).ended,
    quietly: async (...args) => {
      const { code, output } = await start(args, directory, () => {}).ended;
      if (code !== 0) throw new StoryError(`git ${args[0] ?? ""} works`, `exit code ${code}\n${output}`);
      return output.trim();
    },
    clone: async (url) => {
      narrator.command(who, `git clone ${url} work`);
      return start(["clone", url, "work"], home, tell).ended;
    },
  };
}
