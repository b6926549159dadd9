/**
 * Who uses a server: one small file a handle, `<pid>-<nonce>`, holding the process's identity. Unlike connections they are not
 * lost when the server restarts or a pool rests, and one left behind by `kill -9` is seen to be dead. Used under the lock.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inheritOwner } from "./inherit-owner.ts";
import { processIdentity } from "./process-identity.ts";

/** @returns the new entry, for {@link leave} */
export async function enter(directory: string): Promise<string> {
  if ((await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined) await inheritOwner(directory);
  const entry = join(directory, `${process.pid}-${randomBytes(4).toString("hex")}`);
  await writeFile(entry, `${await processIdentity(process.pid)}`, { mode: 0o600 });
  await inheritOwner(entry);
  return entry;
}

/** @returns whether anybody is left; entries of processes that have ended are removed on the way */
export async function leave(directory: string, entry: string): Promise<boolean> {
  await rm(entry, { force: true });
  let others = false;
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const identity = await readFile(path, "utf8");
    if ((await processIdentity(Number(name.split("-")[0]))) === identity) others = true;
    else await rm(path, { force: true });
  }
  return others;
}
