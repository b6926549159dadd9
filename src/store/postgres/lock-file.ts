/**
 * One holder at a time among the processes of this machine. Node has no flock(2), so the lock is a file that names its holder;
 * one whose holder has ended is broken.
 */
import { randomBytes } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../../errors.ts";
import { processIdentity } from "./process-identity.ts";

const POLL_MS = 20;
/** How long a breaker looks whether somebody else broke the same lock at the same moment. */
const SETTLE_MS = 50;

/**
 * Runs `work` while holding the lock at `path`.
 * @throws GatewayError `database_unavailable` when it is not free within `timeoutMs`
 */
export async function withLockFile<T>(path: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const nonce = randomBytes(8).toString("hex");
  const mine = `${process.pid} ${nonce} ${await processIdentity(process.pid)}\n`;
  const draft = `${path}.${nonce}`;
  // The file gets its name when it is whole (link fails if the name exists), so nobody ever reads half of one.
  await writeFile(draft, mine, { mode: 0o600 });
  try {
    await acquire(path, draft, mine, timeoutMs);
  } finally {
    await rm(draft, { force: true });
  }
  try {
    return await work();
  } finally {
    if ((await read(path)) === mine) await rm(path, { force: true });
  }
}

async function acquire(path: string, draft: string, mine: string, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await linkIfFree(draft, path)) return;
    const holder = await read(path);
    // Put back by a breaker, see below.
    if (holder === mine) return;
    if (holder !== null && !(await isAlive(holder))) {
      await breakLock(path, holder, draft);
      // Two who see the same dead holder: the slower one may take the faster one's new lock away (and puts it back).
      if ((await linkIfFree(draft, path)) && (await sleep(SETTLE_MS), (await read(path)) === mine)) return;
      continue;
    }
    if (Date.now() > deadline)
      throw new GatewayError(
        "database_unavailable",
        `Another process (${holder?.split(" ")[0] ?? "unknown"}) has been starting or stopping the embedded PostgreSQL for ` +
          `${Math.round(timeoutMs / 1000)} s. If it hangs, end it and try again.`,
        { cause: new Error(`lock file ${path}`) },
      );
    await sleep(POLL_MS);
  }
}

/** Takes the lock of a dead holder away; if it turns out to be another's by now, gives it back. */
async function breakLock(path: string, dead: string, draft: string): Promise<void> {
  const aside = `${draft}.broken`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if ((await read(aside)) !== dead) await linkIfFree(aside, path);
  await rm(aside, { force: true });
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

async function isAlive(holder: string): Promise<boolean> {
  const [pid, , identity] = holder.trimEnd().split(" ");
  return (await processIdentity(Number(pid))) === identity;
}

async function read(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
}
