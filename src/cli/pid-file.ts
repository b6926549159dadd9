import { readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** `gateway.pid` in the data directory, whole at any moment, as scripts read it: `kill $(cat .sallyport/gateway.pid)`. */
export async function writePidFile(dataDir: string, pid: number): Promise<void> {
  const path = pidFile(dataDir);
  await writeFile(`${path}.${pid}`, `${pid}\n`);
  await rename(`${path}.${pid}`, path);
}

/** Takes the file away, unless another gateway has written its own since. */
export async function removePidFile(dataDir: string, pid: number): Promise<void> {
  const path = pidFile(dataDir);
  const text = await readFile(path, "utf8").catch(() => "");
  if (text === `${pid}\n`) await unlink(path).catch(() => {});
}

const pidFile = (dataDir: string): string => join(dataDir, "gateway.pid");
