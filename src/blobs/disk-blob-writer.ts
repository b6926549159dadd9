import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { GatewayError } from "../errors.ts";
import type { BlobWriter } from "./blob-store.ts";

/**
 * Writes one blob.
 * @param handle the new, empty file at `temporary`
 * @param path where the blob is once it is committed; on the same file system
 */
export function createDiskBlobWriter(handle: FileHandle, temporary: string, path: string, key: string): BlobWriter {
  let bytesWritten = 0;
  /** The system tells of a failed write once only (fsync(2)): whoever asked first must keep the answer. */
  let flushed: Promise<unknown> = Promise.resolve();
  let flushedBytes: number | null = null;
  let status: "writing" | "committed" | "aborted" = "writing";

  const home = dirname(path);
  const makeHome = async (): Promise<void> => {
    const created = await mkdir(home, { recursive: true, mode: 0o700 });
    if (created !== undefined) await syncDirectory(dirname(home));
  };

  return {
    get bytesWritten() {
      return bytesWritten;
    },

    async write(chunk) {
      await storing(temporary, async () => {
        for (let rest = chunk; rest.length > 0;) {
          const written = (await handle.write(rest)).bytesWritten;
          bytesWritten += written;
          rest = rest.subarray(written);
        }
      });
    },

    flush() {
      flushedBytes = bytesWritten;
      flushed = Promise.all([handle.sync(), makeHome()]);
      // Told of by `commit`; a blob that is thrown away need not have been written.
      flushed.catch(() => {});
    },

    async commit() {
      await storing(path, async () => {
        await flushed;
        if (bytesWritten !== flushedBytes) await Promise.all([handle.sync(), makeHome()]);
        await handle.close();
        await rename(temporary, path);
        await syncDirectory(home);
      });
      status = "committed";
      return key;
    },

    async abort() {
      if (status !== "writing") return;
      status = "aborted";
      await handle.close().catch(() => {});
      // What cannot be removed now is swept as abandoned; the reason for aborting is what the caller has to tell.
      await rm(temporary, { force: true }).catch(() => {});
    },
  };
}

/** A new name is durable only once its directory is (fsync(2)). */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Runs file operations that have to succeed. @throws GatewayError `storage_failed` */
export async function storing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw storageFailed(path, cause);
  }
}

/** The place is for the operator (in the cause, from the operating system); the person who pushes is told what to do. */
export function storageFailed(path: string, cause: unknown): GatewayError {
  const { code } = cause as NodeJS.ErrnoException;
  const full = code === "ENOSPC" || code === "EDQUOT";
  const message = full
    ? "The gateway's disk is full, so this could not be kept. Ask its operator to make room, then try again."
    : `The gateway could not use its storage (${code ?? "unknown error"}). Ask its operator to look at the log.`;
  return new GatewayError("storage_failed", message, { cause: new Error(`blob storage: ${path}`, { cause }) });
}
