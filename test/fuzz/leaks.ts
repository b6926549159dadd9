/** What a process holds on to (Linux; elsewhere nothing is counted). */
import { readdir, readFile } from "node:fs/promises";

export interface Held {
  readonly files: number;
  /** Child processes, of any depth, that are not zombies of others. */
  readonly children: number;
}

export async function countHeld(): Promise<Held> {
  const files = (await readdir("/proc/self/fd").catch(() => [])).length;
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  const parentOf = new Map<string, string>();
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
    const [, parent = ""] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    parentOf.set(pid, parent);
  }
  const isOurs = (pid: string): boolean => {
    for (let at = parentOf.get(pid), depth = 0; at !== undefined && depth < 20; at = parentOf.get(at), depth++) {
      if (at === String(process.pid)) return true;
    }
    return false;
  };
  return { files, children: pids.filter(isOurs).length };
}
