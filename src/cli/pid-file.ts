import { readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "../errors.ts";
import { processCommand } from "../store/postgres/process-identity.ts";

/** `gateway.pid` in the data directory, whole at any moment, as scripts read it: `kill $(cat .sallyport/gateway.pid)`. */
export async function writePidFile(dataDir: string, pid: number): Promise<void> {
  const path = pidFile(dataDir);
  await writeFile(`${path}.${pid}`, `${pid}\n`);
  await rename(`${path}.${pid}`, path);
}

/**
 * Refuses a data directory in which another gateway runs: this one would clear away the packs that are being received there.
 * A file that a killed gateway left names no process, or by now another program, or this process itself (in a container).
 * @throws GatewayError `conflict`
 */
export async function checkNoOtherGateway(dataDir: string, pid: number): Promise<void> {
  const text = await readFile(pidFile(dataDir), "utf8").catch(() => "");
  const other = /^[1-9]\d{0,9}\n$/.test(text) ? Number(text) : pid;
  if (other === pid) return;
  const command = await processCommand(other);
  if (command === null || !/\bsallyport\b.*\bserve\b/.test(command)) return;
  throw new GatewayError(
    "conflict",
    `a gateway runs in ${dataDir} already (process ${other}): stop it, or give this one a directory of its own by SALLYPORT_DATA`,
  );
}

/** Takes the file away, unless another gateway has written its own since. */
export async function removePidFile(dataDir: string, pid: number): Promise<void> {
  const path = pidFile(dataDir);
  const text = await readFile(path, "utf8").catch(() => "");
  if (text === `${pid}\n`) await unlink(path).catch(() => {});
}

const pidFile = (dataDir: string): string => join(dataDir, "gateway.pid");
