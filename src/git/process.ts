/**
 * The only place that starts git.
 *
 * git reads its surroundings: configuration of system, user and repository, attributes, hooks, some hundred variables. Any
 * of them could run a program or hide a file from inspection, so that children get a short list of variables and nothing
 * of ours but what is named here. No shell, and credentials only in the child's environment (never argv, never a file).
 */
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { GatewayError } from "../errors.ts";
import { superviseChild, type GitChild, type GitCommand } from "./git-child.ts";
import type { GitLauncher } from "./git-launcher.ts";
import { ownProcess } from "./git-process.ts";

export interface GitOptions {
  /** The gateway's own environment; only {@link PASSED_ON} is taken from it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Largest single allocation of a child, in bytes (git's own `GIT_ALLOC_LIMIT`). Default 512 MiB. */
  readonly allocationBytes?: number;
  /** Sent as User-Agent by requests that git makes for the gateway itself. */
  readonly userAgent: string;
  /** Starts git in the gateway's place; null or absent: the gateway does. */
  readonly launcher?: GitLauncher | null;
}

/** What git reads; pulled only as fast as git takes it. An error thrown by it ends git and is thrown on. */
export type GitInput = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

export interface Git {
  start(command: GitCommand): GitChild;
  /**
   * Runs to the end with stdout in memory, at most `maxOutputBytes` of it.
   * @throws GatewayError of `failure`; `internal` when there is more output
   */
  run(
    command: GitCommand & { readonly input?: GitInput; readonly maxOutputBytes?: number },
  ): Promise<{ readonly stdout: Buffer; readonly exitCode: number }>;
  /** stdout as it comes. Leaving the loop early ends git. @throws GatewayError of `failure`, after the last chunk */
  stream(command: GitCommand & { readonly input?: GitInput }): AsyncGenerator<Buffer, void, undefined>;
}

/** What git and the libcurl under it need to find programs, trust and proxies; no `GIT_*` among them. */
const PASSED_ON = [
  "PATH",
  "TMPDIR",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "CURL_CA_BUNDLE",
  "http_proxy",
  "https_proxy",
  "HTTPS_PROXY",
  "no_proxy",
  "NO_PROXY",
];

const SEALED: readonly (readonly [string, string])[] = [
  // Directories may belong to another user: a volume, a run as root.
  ["safe.directory", "*"],
  ["core.hooksPath", "/dev/null"],
  ["core.attributesFile", "/dev/null"],
  ["core.excludesFile", "/dev/null"],
  ["core.fsmonitor", "false"],
  // A quarantine is thrown away and the cache heals itself: the client's own bytes, which must last, are spooled elsewhere.
  ["core.fsync", "none"],
  ["core.quotePath", "true"],
  ["core.packedGitWindowSize", "32m"],
  ["core.packedGitLimit", "256m"],
  ["core.deltaBaseCacheLimit", "64m"],
  ["core.bigFileThreshold", "4m"],
  ["core.precomposeUnicode", "false"],
  ["pack.threads", "2"],
  ["pack.writeReverseIndex", "false"],
  ["gc.auto", "0"],
  ["maintenance.auto", "false"],
  ["credential.helper", ""],
  ["submodule.recurse", "false"],
  ["diff.ignoreSubmodules", "none"],
  ["transfer.credentialsInUrl", "die"],
  ["protocol.allow", "never"],
  ["protocol.http.allow", "always"],
  ["protocol.https.allow", "always"],
  // The credential in `http.extraHeader` must not follow a redirect to somebody else's server.
  ["http.followRedirects", "false"],
];

const MIB = 1024 * 1024;
const MAX_DATA_BYTES = 2048 * MIB;

/**
 * Words before a git's command line that limit the data segment of it and of its children to 2 GiB, where `prlimit` exists
 * (util-linux). RLIMIT_DATA counts what a child allocates; maps of pack files, which the kernel can drop, do not count.
 */
export function memoryLimit(environment: GitOptions["environment"]): readonly string[] {
  const prlimit = findProgram("prlimit", environment["PATH"] ?? "/usr/bin:/bin");
  return prlimit === null ? [] : [prlimit, `--data=${MAX_DATA_BYTES}`, "--"];
}

export function createGit(options: GitOptions): Git {
  const base: Record<string, string> = {
    HOME: "/nonexistent",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_PROTOCOL_FROM_USER: "0",
    GIT_ALLOC_LIMIT: `${Math.ceil((options.allocationBytes ?? 512 * MIB) / MIB)}m`,
  };
  for (const name of PASSED_ON) {
    const value = options.environment[name];
    if (value !== undefined) base[name] = value;
  }
  const wrapper = memoryLimit(options.environment);

  const start = (command: GitCommand): GitChild => {
    const config = [...SEALED, ["http.userAgent", options.userAgent] as const, ...(command.config ?? [])];
    const env: Record<string, string> = { ...base, GIT_DIR: command.gitDir, GIT_CONFIG_COUNT: String(config.length) };
    for (const [index, [key, value]] of config.entries()) {
      env[`GIT_CONFIG_KEY_${index}`] = key;
      env[`GIT_CONFIG_VALUE_${index}`] = value;
    }
    const args = ["--no-pager", ...command.args];
    const launched = options.launcher?.start(args, env);
    if (launched != null) return superviseChild(launched, command);
    const [program = "git", ...words] = [...wrapper, "git", ...args];
    // A group of its own: `git fetch` starts git-remote-http and index-pack, which have to end with it.
    const child = spawn(program, words, { env, stdio: ["pipe", "pipe", "pipe"], detached: true });
    return superviseChild(ownProcess(child), command);
  };

  const stream: Git["stream"] = async function* (command) {
    const child = start(command);
    const fed = feed(child, command.input ?? []);
    try {
      yield* outputOf(child, fed);
      await endOf(child, fed);
    } finally {
      await child.stop();
    }
  };

  const run: Git["run"] = async (command) => {
    const child = start(command);
    const fed = feed(child, command.input ?? []);
    const chunks: Buffer[] = [];
    let room = command.maxOutputBytes ?? 16 * MIB;
    try {
      for await (const chunk of outputOf(child, fed)) {
        room -= chunk.length;
        if (room < 0) throw new GatewayError("internal", `git ${command.args[0]} answered with more than was expected`);
        chunks.push(chunk);
      }
      return { exitCode: await endOf(child, fed), stdout: Buffer.concat(chunks) };
    } finally {
      await child.stop();
    }
  };

  return { start, run, stream };
}

type Fed = Promise<{ readonly error: unknown } | null>;

/** Writes all input; resolves with what the input itself threw, if it did. */
async function feed(child: GitChild, input: GitInput): Fed {
  try {
    for await (const chunk of input) {
      if (!(await child.write(chunk))) return null;
    }
    child.endInput();
    return null;
  } catch (error) {
    await child.stop();
    return { error };
  }
}

async function* outputOf(child: GitChild, fed: Fed): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    // A stopped child's stdout closes early; why it was stopped says more than that.
    await child.stop();
    await endOf(child, fed);
    throw error;
  }
}

async function endOf(child: GitChild, fed: Fed): Promise<number> {
  try {
    return await child.ended;
  } finally {
    const failed = await fed;
    // oxlint-disable-next-line no-unsafe-finally -- git ended because its input failed: that is the cause to report
    if (failed !== null) throw failed.error;
  }
}

function findProgram(name: string, searchPath: string): string | null {
  for (const directory of searchPath.split(path.delimiter)) {
    const file = path.join(directory, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here.
    }
  }
  return null;
}
