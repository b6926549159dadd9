/** Peak memory of a process and of the processes that it starts, read from /proc (Linux; elsewhere nothing is known). */
import { readdirSync, readFileSync } from "node:fs";

export interface MemoryPeaks {
  /** Resident bytes of the process itself, at its highest since `start`. */
  readonly own: number;
  /** Resident bytes of all its descendants together, at their highest. */
  readonly children: number;
}

const residentBytes = (pid: number): number => {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
};

function parents(): Map<number, { readonly parent: number; readonly command: string }> {
  const found = new Map<number, { parent: number; command: string }>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const match = /^\d+ \((.*)\) \S (\d+) /s.exec(readFileSync(`/proc/${name}/stat`, "utf8"));
      if (match !== null) found.set(Number(name), { parent: Number(match[2]), command: match[1] ?? "" });
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

/** Watches until `stop`, 50 times a second. Processes whose command starts with `command` count as children. */
export function watchMemory(pid: number, command: string): { stop(): MemoryPeaks; readonly idle: number } {
  const idle = residentBytes(pid);
  let own = idle;
  let children = 0;
  const sample = (): void => {
    own = Math.max(own, residentBytes(pid));
    const tree = parents();
    const isBelow = (at: number): boolean => {
      for (let current = tree.get(at); current !== undefined; current = tree.get(current.parent)) {
        if (current.parent === pid) return true;
      }
      return false;
    };
    let sum = 0;
    for (const [child, { command: name }] of tree)
      if (name.startsWith(command) && isBelow(child)) sum += residentBytes(child);
    children = Math.max(children, sum);
  };
  const timer = setInterval(sample, 20);
  return {
    idle,
    stop: () => {
      clearInterval(timer);
      sample();
      return { own, children };
    },
  };
}
