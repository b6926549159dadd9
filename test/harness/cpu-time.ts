/**
 * What this process and its children that have ended have computed: a bound for work that must be little. A clock on the wall would
 * also count what other processes do meanwhile, or a machine that stands still.
 */
import { readFileSync } from "node:fs";

/** The usual unit of /proc/self/stat (proc(5)): a hundredth of a second. */
const TICK_MS = 10;

/** In milliseconds; where there is no /proc, without children. */
export function cpuTimeMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000 + childrenMs();
}

function childrenMs(): number {
  let stat: string;
  try {
    stat = readFileSync("/proc/self/stat", "latin1");
  } catch {
    return 0;
  }
  // From the state on, which is the third field; the name before it may hold anything. `cutime` and `cstime` are the 16th and 17th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}
