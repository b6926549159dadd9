import type { Readable, Writable } from "node:stream";

/** Everything a command may touch of the process, so that tests can hand in their own. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly pid: number;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Aborted by the first SIGINT or SIGTERM. Reading it takes these signals over: do so first thing, or not at all. */
  readonly stop: AbortSignal;
  /** Calls back at each SIGHUP, which until then ends the process. @returns what stops that */
  readonly onHangup: (heard: () => void) => () => void;
  readonly now: () => Date;
}

/** 0: done. 1: a finding, a mistake in the configuration, or a failure. 2: the command line itself is wrong. */
export type ExitCode = 0 | 1 | 2;

export interface Command {
  /** What `sallyport <command> --help` prints: usage, what it does, options. */
  readonly help: string;
  /**
   * @param args what follows the command's name
   * @throws UsageError, GatewayError
   */
  run(args: readonly string[], io: CommandIo): Promise<ExitCode>;
}

/** The command line cannot be meant so; the message says what is wrong with it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
