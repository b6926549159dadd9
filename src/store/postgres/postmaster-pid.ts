/**
 * `postmaster.pid`, which a running server keeps in its data directory (PostgreSQL documentation, "Database File Layout"):
 * 1 process id, 2 data directory, 3 start time, 4 port, 5 socket directory, 6 listen address, 7 shared memory, 8 status.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

export interface PostmasterPid {
  readonly pid: number;
  /** Null while the server is still at its very beginning. */
  readonly port: number | null;
  readonly status: "starting" | "stopping" | "ready" | "other";
}

const STATUSES = ["starting", "stopping", "ready"] as const;

/** @returns null for a file that is empty or no such file */
export function parsePostmasterPid(text: string): PostmasterPid | null {
  const lines = text.split("\n").map((line) => line.trim());
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  const port = Number(lines[3] ?? "");
  return {
    pid,
    port: Number.isSafeInteger(port) && port > 0 ? port : null,
    status: STATUSES.find((status) => status === lines[7]) ?? "other",
  };
}

/** @returns null when no server has left one */
export async function readPostmasterPid(data: string): Promise<PostmasterPid | null> {
  const text = await readFile(join(data, "postmaster.pid"), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  return parsePostmasterPid(text);
}
