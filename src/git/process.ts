/**
 * The only place that starts git.
 *
 * git reads its surroundings: configuration of system, user and repository, attributes, hooks, some hundred variables. Any
 * of them could run a program or hide a file from inspection, so that children get a short list of variables and nothing
 * of ours but what is named here. No shell, and credentials only in the child's environment (never argv, never a file).
 */
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import { GatewayError } from "../errors.ts";
import { escapeUnprintable } from "../model/printable.ts";

export interface GitOptions {
  /** The gateway's own environment; only {@link PASSED_ON} is taken from it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Largest single allocation of a child, in bytes (git's own `GIT_ALLOC_LIMIT`). Default 512 MiB. */
  readonly allocationBytes?: number;
  /** Largest data segment of a child, in bytes, where `prlimit` exists (util-linux). Default 2 GiB. */
  readonly memoryBytes?: number;
  /** Sent as User-Agent by requests that git makes for the gateway itself. */
  readonly userAgent: string;
}

export interface GitCommand {
  /** Sub-command and its arguments. What comes from outside stands after `--end-of-options` or goes to stdin. */
  readonly args: readonly string[];
  readonly gitDir: string;
  readonly config?: readonly (readonly [key: string, value: string])[];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Exit codes that are answers, besides 0. */
  readonly answers?: readonly number[];
  /** What to throw when git fails; `stderr` is bounded and printable. Default: `internal`. */
  readonly failure?: (stderr: string) => GatewayError;
}

/** What git reads; pulled only as fast as git takes it. An error thrown by it ends git and is thrown on. */
export type GitInput = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/** A running git. `ended` resolves with the exit code (0, or one of `answers`) and rejects with the command's `failure`. */
export interface GitChild {
  readonly pid: number;
  readonly stdout: Readable;
  /** Resolves when there is room for more: true; false when git takes no more input (`ended` will tell why). */
  write(chunk: Uint8Array | string): Promise<boolean>;
  endInput(): void;
  readonly ended: Promise<number>;
  /** Ends it and all its own children; resolves once they are gone. `reason` is what `ended` then rejects with. */
  stop(reason?: GatewayError): Promise<void>;
}

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

const STDERR_BYTES = 8 * 1024;
const GRACE_MS = 2_000;
const MIB = 1024 * 1024;

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
  const prlimit = findProgram("prlimit", base["PATH"] ?? "/usr/bin:/bin");
  const memoryBytes = options.memoryBytes ?? 2048 * MIB;

  const start = (command: GitCommand): GitChild => {
    const config = [...SEALED, ["http.userAgent", options.userAgent] as const, ...(command.config ?? [])];
    const env: Record<string, string> = { ...base, GIT_DIR: command.gitDir, GIT_CONFIG_COUNT: String(config.length) };
    for (const [index, [key, value]] of config.entries()) {
      env[`GIT_CONFIG_KEY_${index}`] = key;
      env[`GIT_CONFIG_VALUE_${index}`] = value;
    }
    const argv = ["git", "--no-pager", ...command.args];
    // RLIMIT_DATA counts what a child allocates; maps of pack files, which the kernel can drop, do not count.
    if (prlimit !== null) argv.unshift(prlimit, `--data=${memoryBytes}`, "--");
    const [program = "git", ...args] = argv;
    // A group of its own: `git fetch` starts git-remote-http and index-pack, which have to end with it.
    return superviseChild(spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"], detached: true }), command);
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

function superviseChild(child: ChildProcessByStdio<Writable, Readable, Readable>, command: GitCommand): GitChild {
  const name = `git ${command.args[0]}`;
  let stderr = Buffer.alloc(0);
  let stopped: GatewayError | null = null;
  let takesInput = true;
  let wake: (() => void) | null = null;
  let exited = false;

  child.stderr.on("data", (chunk: Buffer) => {
    // The end says what went wrong; what came before is progress and warnings.
    stderr = Buffer.concat([stderr, chunk]).subarray(-STDERR_BYTES);
  });
  // Node throws away what nobody reads once a child has exited, unless somebody listens; reading may begin only later.
  child.stdout.on("readable", () => {});
  const wakeWriter = (): void => {
    wake?.();
    wake = null;
  };
  const closeInput = (): void => {
    takesInput = false;
    wakeWriter();
  };
  child.stdin.on("drain", wakeWriter).on("error", closeInput).on("close", closeInput);

  const signalGroup = (signal: NodeJS.Signals): void => {
    if (exited || child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // Already gone.
    }
  };
  let killTimer: NodeJS.Timeout | undefined;
  const stopFor = (reason: GatewayError): void => {
    if (exited || stopped !== null) return;
    stopped = reason;
    signalGroup("SIGTERM");
    killTimer = setTimeout(() => signalGroup("SIGKILL"), GRACE_MS);
    child.stdout.destroy();
    child.stdin.destroy();
  };
  const timer = setTimeout(
    () => stopFor(new GatewayError("limit_exceeded", `${name} took longer than ${command.timeoutMs / 1000} s`)),
    command.timeoutMs,
  );
  const onAbort = (): void => {
    const reason: unknown = command.signal?.reason;
    stopFor(
      reason instanceof GatewayError
        ? reason
        : new GatewayError("client_gone", `${name} was stopped: nobody waits for its answer`, { cause: reason }),
    );
  };

  const closed = new Promise<number | null | GatewayError>((resolve) => {
    child.on("error", (cause) => {
      resolve(new GatewayError("internal", "git could not be started: it has to be on the PATH", { cause }));
    });
    child.on("close", (code) => resolve(code));
  }).then((end) => {
    exited = true;
    clearTimeout(timer);
    clearTimeout(killTimer);
    command.signal?.removeEventListener("abort", onAbort);
    closeInput();
    return end;
  });
  if (command.signal?.aborted === true) onAbort();
  else command.signal?.addEventListener("abort", onAbort, { once: true });

  const ended = closed.then((end) => {
    if (stopped !== null) throw stopped;
    if (end instanceof GatewayError) throw end;
    if (end === 0 || (end !== null && command.answers?.includes(end) === true)) return end;
    const text = escapeUnprintable(stderr.toString("utf8")).trim();
    const cause = new Error(`${name} ended with ${end ?? "a signal"}: ${text}`);
    const failure = command.failure?.(text) ?? new GatewayError("internal", `${name} failed`, { cause });
    failure.cause ??= cause;
    throw failure;
  });
  // Whoever asks for `ended` hears of it; a child that nobody asks about any more must not end the gateway.
  ended.catch(() => {});

  return {
    pid: child.pid ?? -1,
    stdout: child.stdout,
    ended,
    write: async (chunk) => {
      if (!takesInput) return false;
      if (!child.stdin.write(chunk)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return takesInput;
    },
    endInput: () => {
      child.stdin.end();
    },
    stop: async (reason) => {
      stopFor(reason ?? new GatewayError("internal", `${name} was stopped`));
      child.stdout.destroy();
      await closed;
    },
  };
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
