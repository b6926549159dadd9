import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Names one process for good: process ids are used again, after a restart of the machine or of a container very soon, so the
 * id alone would take a stranger for a process that has long ended.
 * @returns a text without spaces; null when there is no such process, or only its remains (a zombie that nobody has reaped)
 */
export async function processIdentity(pid: number): Promise<string | null> {
  if (process.platform === "linux") {
    // proc(5), /proc/pid/stat: the name in parentheses may hold anything; behind it field 3 is the state, 22 the start time.
    const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => null);
    if (stat === null) return null;
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return null;
    return `${await bootId()}/${pid}/${fields[19]}`;
  }
  const listed = await run("ps", ["-o", "stat=,lstart=", "-p", String(pid)]).catch(() => null);
  const [, state, started] = /^\s*(\S+)\s+(.*\S)\s*$/m.exec(listed?.stdout ?? "") ?? [];
  return state === undefined || state.startsWith("Z") ? null : `${pid}/${started?.replaceAll(" ", "_")}`;
}

const bootId = async (): Promise<string> =>
  (await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "")).trim();

/** The command line of a process, arguments joined by spaces; null where there is none to be seen. */
export async function processCommand(pid: number): Promise<string | null> {
  if (process.platform === "linux") {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    return command === "" ? null : command.split("\0").join(" ").trim();
  }
  const listed = await run("ps", ["-ww", "-o", "args=", "-p", String(pid)]).catch(() => null);
  return listed === null ? null : listed.stdout.trim();
}
