import type { ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";

/** A git as the system has it: started by the gateway itself, or by its launcher. */
export interface GitProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Null until it is known. */
  readonly pid: () => number | null;
  /** To it and all its own children. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Resolves when it is gone. Never rejects. */
  readonly ended: Promise<ProcessEnd>;
}

export interface ProcessEnd {
  /** The exit code; null when a signal has ended it. An error: it never ran, or is out of sight. */
  readonly code: number | null | Error;
  /** The last of what it said. */
  readonly stderr: string;
}

const STDERR_BYTES = 8 * 1024;

/** The end of a program's complaints says what went wrong; what came before is progress and warnings. */
export function keepTail(stderr: Readable): () => string {
  let tail = Buffer.alloc(0);
  stderr.on("data", (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-STDERR_BYTES);
  });
  return () => tail.toString("utf8");
}

/** The group that a process leads. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Already gone.
  }
}

/** @param child started as the leader of a group of its own */
export function ownProcess(child: ChildProcessByStdio<Writable, Readable, Readable>): GitProcess {
  const stderr = keepTail(child.stderr);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    pid: () => child.pid ?? null,
    signal: (signal) => {
      if (child.pid !== undefined) signalGroup(child.pid, signal);
    },
    ended: new Promise((resolve) => {
      child.on("error", (code) => resolve({ code, stderr: stderr() }));
      child.on("close", (code) => resolve({ code, stderr: stderr() }));
    }),
  };
}
