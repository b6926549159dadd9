/**
 * One holder at a time among the processes of this machine. Node has no flock(2), and a lock file whose holder has died cannot be
 * removed safely (two who find it may each remove the other's new one). So nothing is ever taken away: a directory holds numbered
 * files, the highest number is the lock, and it is free once its file says so or its holder has ended. Whoever wants it creates
 * the next number, which only one can.
 */
import { randomBytes } from "node:crypto";
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../../errors.ts";
import { inheritOwner } from "./inherit-owner.ts";
import { processIdentity } from "./process-identity.ts";

const POLL_MS = 20;
const RELEASED = "released";

/**
 * Runs `work` while holding the lock.
 * @param directory made if it is not there; its parent is
 * @throws GatewayError `database_unavailable` when the lock is not free within `timeoutMs`
 */
export async function withProcessLock<T>(directory: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  if ((await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined) await inheritOwner(directory);
  const draft = join(directory, `draft-${process.pid}-${randomBytes(8).toString("hex")}`);
  // A number appears with its content (link of a whole file), so nobody ever reads half of one.
  await writeFile(draft, `${process.pid} ${await processIdentity(process.pid)}`, { mode: 0o600 });
  await inheritOwner(draft);
  try {
    const generation = await acquire(directory, draft, timeoutMs);
    try {
      await sweep(directory, generation);
      return await work();
    } finally {
      await rm(draft, { force: true });
      await writeFile(draft, RELEASED, { mode: 0o600 });
      await inheritOwner(draft);
      await rename(draft, join(directory, String(generation)));
    }
  } finally {
    await rm(draft, { force: true });
  }
}

async function acquire(directory: string, draft: string, timeoutMs: number): Promise<number> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const highest = await highestIn(directory);
    const holder = await findHolder(join(directory, String(highest)));
    if (holder !== null) {
      if (Date.now() > deadline) throw tooLong(directory, holder, timeoutMs);
      await sleep(POLL_MS);
      continue;
    }
    const generation = highest + 1;
    if (!(await linkIfFree(draft, join(directory, String(generation))))) continue;
    // Whoever was slow may have taken a number that was used and swept meanwhile; then a higher one is there.
    if ((await highestIn(directory)) === generation) return generation;
    await rm(join(directory, String(generation)), { force: true });
  }
}

/** @returns 0 where nobody has ever held the lock */
const highestIn = async (directory: string): Promise<number> =>
  Math.max(0, ...(await readdir(directory)).filter((name) => /^\d+$/.test(name)).map(Number));

/** @returns the process id of a living holder */
async function findHolder(path: string): Promise<number | null> {
  const content = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return RELEASED;
    throw error;
  });
  const [pid = "", identity] = content.split(" ");
  return content !== RELEASED && (await processIdentity(Number(pid))) === identity ? Number(pid) : null;
}

async function linkIfFree(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Removes lower numbers, and what processes that were killed meant to become one. */
async function sweep(directory: string, generation: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const [kind, pid] = name.split("-");
    const old = pid === undefined ? Number(kind) < generation : (await processIdentity(Number(pid))) === null;
    if (old) await rm(join(directory, name), { force: true });
  }
}

const tooLong = (directory: string, holder: number, timeoutMs: number): GatewayError =>
  new GatewayError(
    "database_unavailable",
    `Another process (${holder}) has been starting or stopping the embedded PostgreSQL for ${Math.round(timeoutMs / 1000)} s. ` +
      "If it hangs, end it and try again.",
    { cause: new Error(`lock ${directory}`) },
  );
