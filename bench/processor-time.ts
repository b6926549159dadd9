/** Processor time of processes and of the machine, read from /proc (Linux; elsewhere nothing is known). */
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** A tick of `/proc/PID/stat`: USER_HZ is 100 wherever Linux runs (time(7)). */
const TICK_MS = 10;

/** The fields behind the name, which is in parentheses and may hold anything (proc(5)). */
function fieldsOf(pid: string | number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    // It ended meanwhile, or this is no Linux.
    return [];
  }
}

const PARENT = 1;
const USER = 11;
const SYSTEM = 12;

const ownMs = (fields: readonly string[]): number =>
  (Number(fields[USER] ?? 0) + Number(fields[SYSTEM] ?? 0)) * TICK_MS;

export interface ProcessorTime {
  /** Milliseconds of the process itself, all its threads. */
  readonly own: number;
  /** Of those that it has started and that still run, and theirs. */
  readonly below: number;
}

export function processorTime(pid: number): ProcessorTime {
  const children = new Map<number, { pid: number; ms: number }[]>();
  let names: readonly string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return { own: 0, below: 0 };
  }
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    const fields = fieldsOf(name);
    const parent = Number(fields[PARENT] ?? 0);
    const known = children.get(parent) ?? [];
    known.push({ pid: Number(name), ms: ownMs(fields) });
    children.set(parent, known);
  }
  const below = (parent: number): number =>
    (children.get(parent) ?? []).reduce((sum, child) => sum + child.ms + below(child.pid), 0);
  return { own: ownMs(fieldsOf(pid)), below: below(pid) };
}

export interface MachineTime {
  readonly busy: number;
  readonly all: number;
}

/** Milliseconds of all cores since the machine started. */
export function machineTime(): MachineTime {
  let line: string;
  try {
    line = readFileSync("/proc/stat", "latin1").split("\n", 1)[0] ?? "";
  } catch {
    return { busy: 0, all: 0 };
  }
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, hard = 0, soft = 0, stolen = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const busy = user + nice + system + hard + soft + stolen;
  return { busy: busy * TICK_MS, all: (busy + idle + waiting) * TICK_MS };
}

/** @returns how many cores were busy between two looks, of those that there are */
export const coresBusy = (before: MachineTime, after: MachineTime): number =>
  ((after.busy - before.busy) / Math.max(1, after.all - before.all)) * availableParallelism();
