/**
 * Blobs as files: `<directory>/<first two digits of the key>/<key>`, while they are written `<directory>/incoming/<key>`.
 * A blob appears under its key by a rename, so it is there whole or not at all, also after a crash. Readable by the owner alone.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GatewayError } from "../errors.ts";
import type { BlobStore } from "./blob-store.ts";
import { createDiskBlobWriter, storageFailed, storing } from "./disk-blob-writer.ts";

const INCOMING = "incoming";
const KEY = /^[0-9a-f]{32}$/;

/** @param directory is made when the first blob is written; on one file system, which no other program, and no other gateway, writes to */
export function createDiskBlobStore(directory: string): BlobStore {
  const pathOf = (key: string) => {
    // Keys are the store's own; another shape (`../…`) never existed, and must not become a path.
    if (!KEY.test(key)) throw new GatewayError("not_found", "There is no blob of this key.");
    return join(directory, key.slice(0, 2), key);
  };

  return {
    async create() {
      const key = randomBytes(16).toString("hex");
      const temporary = join(directory, INCOMING, key);
      const handle = await storing(directory, async () => {
        await mkdir(dirname(temporary), { recursive: true, mode: 0o700 });
        return open(temporary, "wx", 0o600);
      });
      return createDiskBlobWriter(handle, temporary, pathOf(key), key);
    },

    async open(key, offset = 0) {
      const path = pathOf(key);
      const handle = await reading(path, () => open(path, "r"));
      return handle.createReadStream({ start: offset, highWaterMark: 256 * 1024 });
    },

    async size(key) {
      const path = pathOf(key);
      return (await reading(path, () => stat(path))).size;
    },

    async delete(key) {
      if (!KEY.test(key)) return;
      const path = pathOf(key);
      await storing(path, () => rm(path, { force: true }));
    },

    async removeUnfinished() {
      const incoming = join(directory, INCOMING);
      await storing(incoming, async () => {
        const names = (await listDirectory(incoming)).filter((name) => KEY.test(name));
        for (const name of names) await rm(join(incoming, name), { force: true });
      });
    },

    async *list() {
      const prefixes = await storing(directory, () => listDirectory(directory));
      for (const prefix of prefixes.filter((name) => name !== INCOMING)) {
        for (const key of await storing(directory, () => listDirectory(join(directory, prefix)))) {
          const found = await stat(join(directory, prefix, key)).catch(() => null);
          if (found?.isFile() === true && KEY.test(key)) yield { key, createdAt: found.mtimeMs };
        }
      }
    },
  };
}

const listDirectory = (path: string): Promise<string[]> =>
  readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });

async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT")
      throw new GatewayError("not_found", "There is no blob of this key.", { cause });
    throw storageFailed(path, cause);
  }
}
