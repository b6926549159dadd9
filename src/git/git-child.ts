import type { Readable } from "node:stream";
import { GatewayError } from "../errors.ts";
import { escapeUnprintable } from "../model/printable.ts";
import type { GitProcess } from "./git-process.ts";

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

/** A running git. `ended` resolves with the exit code (0, or one of `answers`) and rejects with the command's `failure`. */
export interface GitChild {
  /** Null until it is known. */
  readonly pid: number | null;
  readonly stdout: Readable;
  /** Resolves when there is room for more: true; false when git takes no more input (`ended` will tell why). */
  write(chunk: Uint8Array | string): Promise<boolean>;
  endInput(): void;
  readonly ended: Promise<number>;
  /** Ends it and all its own children; resolves once they are gone. `reason` is what `ended` then rejects with. */
  stop(reason?: GatewayError): Promise<void>;
}

/** Between asking git to end and ending it. */
const GRACE_MS = 2_000;

/** Looks after one git from its start to its end: time, abort, what it says on stderr, and its own children. */
export function superviseChild(child: GitProcess, command: GitCommand): GitChild {
  const name = `git ${command.args[0]}`;
  let stopped: GatewayError | null = null;
  let takesInput = true;
  let wake: (() => void) | null = null;
  let exited = false;

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
    if (!exited) child.signal(signal);
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

  const closed = child.ended.then((end) => {
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
    const { code } = end;
    if (code instanceof GatewayError) throw code;
    if (code instanceof Error) {
      throw new GatewayError("internal", "git could not be started: it has to be on the PATH", { cause: code });
    }
    if (code === 0 || (code !== null && command.answers?.includes(code) === true)) return code;
    const text = escapeUnprintable(end.stderr).trim();
    const cause = new Error(`${name} ended with ${code ?? "a signal"}: ${text}`);
    const failure = command.failure?.(text) ?? new GatewayError("internal", `${name} failed`, { cause });
    failure.cause ??= cause;
    throw failure;
  });
  // Whoever asks for `ended` hears of it; a child that nobody asks about any more must not end the gateway.
  ended.catch(() => {});

  return {
    get pid() {
      return child.pid();
    },
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
