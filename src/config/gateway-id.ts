import { link, open, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "../errors.ts";
import { isId, newId } from "../model/id.ts";

/**
 * Which of the gateways of a database this one is, over restarts: `<dataDir>/gateway.id`, made the first time. Two that start together
 * get the same.
 * @throws GatewayError `storage_failed`
 */
export async function openGatewayId(dataDir: string): Promise<string> {
  const path = join(dataDir, "gateway.id");
  try {
    const known = await read(path);
    if (known !== null) return known;
    const own = `${path}.${newId()}`;
    const file = await open(own, "wx", 0o600);
    try {
      await file.writeFile(`${newId()}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    try {
      await link(own, path);
    } catch {
      // Another process was first; what it wrote counts.
    } finally {
      await unlink(own);
    }
    const made = await read(path);
    if (made !== null) return made;
  } catch (cause) {
    const message = `The gateway's id could not be kept in ${path}; check that the directory's owner runs this and that the disk has space.`;
    throw new GatewayError("storage_failed", message, { cause });
  }
  throw new GatewayError("storage_failed", `${path} holds no id; remove the file, and one is made.`);
}

async function read(path: string): Promise<string | null> {
  try {
    const id = (await readFile(path, "utf8")).trim();
    return isId(id) ? id : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
