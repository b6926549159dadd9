/** Peak memory of a process and of the git processes below it, read from /proc (Linux; elsewhere nothing is known). */
import { readFileSync, writeFileSync } from "node:fs";

export interface MemoryPeaks {
  /** Resident bytes of the process itself, at their highest. */
  readonly own: number;
  /** Of all git processes below it at one time, the highest resident bytes of each, together. Pages that they share count for each. */
  readonly git: number;
}

export interface MemoryWatch {
  stop(): MemoryPeaks;
}

// Seldom: looking through /proc takes processor time from what is measured.
const SAMPLE_MS = 50;

const readStatus = (pid: number, field: "VmRSS" | "VmHWM"): number => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0) * 1024;
  } catch {
    // It ended meanwhile, or this is no Linux.
    return 0;
  }
};

/** Resident bytes of a process now; 0 where it cannot be known. */
export const residentBytes = (pid: number): number => readStatus(pid, "VmRSS");

/** Children by the thread that started them: Node's main thread, git's only one. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function isGit(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "latin1").startsWith("git");
  } catch {
    return false;
  }
}

const descendants = (pid: number): number[] => childrenOf(pid).flatMap((child) => [child, ...descendants(child)]);

/** Watches until `stop`: the process by the kernel's own high-water mark, those below it by looking every 50 ms. */
export function watchMemory(pid: number): MemoryWatch {
  try {
    // Sets the high-water mark back to what is resident now (proc(5), clear_refs).
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // Then the mark is the highest since the process began, which is not less.
  }
  let git = 0;
  const timer = setInterval(() => {
    let sum = 0;
    for (const child of descendants(pid)) if (isGit(child)) sum += readStatus(child, "VmHWM");
    git = Math.max(git, sum);
  }, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return { own: readStatus(pid, "VmHWM"), git };
    },
  };
}
