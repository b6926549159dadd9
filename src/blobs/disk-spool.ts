/**
 * Entries that wait on the local disk for a database that is away. An entry that {@link Spool.append} has taken is on the disk, also
 * when the power fails a moment later; entries come out in the order in which they went in.
 *
 * ```
 * <directory>/<UUIDv7>.spool: LINES, LINE = CHECK SP JSON LF, CHECK = the first 16 hex digits of SHA-256 over JSON
 * ```
 */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, stat, unlink, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { GatewayError } from "../errors.ts";
import { newId } from "../model/id.ts";

export interface Spool {
  /**
   * Resolves when the entry is on the disk. It holds no line feed.
   * @param mayExceed it belongs to one that was taken: the limit is for what begins
   * @throws GatewayError `limit_exceeded` when the spool is full, `storage_failed` when the disk does not take it
   */
  append(entry: string, mayExceed?: boolean): Promise<void>;
  /**
   * Hands out every entry, the oldest first, and forgets a file when all of it has been applied. What was applied may come again
   * after a crash.
   * @param apply where it throws, the entry and all after it stay
   * @returns how many were applied, and how many lines could not be read: a disk's fault, or the last words of a gateway that was killed
   */
  replay(apply: (entry: string) => Promise<void>): Promise<Replayed>;
  /** Puts an entry where no replay finds it: the database answers, and does not take it. A person has to look. */
  setAside(entry: string): Promise<void>;
  /** Bytes on the disk. */
  readonly size: number;
  close(): Promise<void>;
}

export interface Replayed {
  readonly applied: number;
  readonly unreadable: number;
}

const SUFFIX = ".spool";
const SET_ASIDE = "set-aside";
/** A file that has grown past this is not written to any more. */
const FILE_BYTES = 8 * 1024 * 1024;

interface Waiting {
  readonly line: string;
  readonly bytes: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * @param maxBytes what all files together may hold
 * @throws GatewayError `storage_failed` where the directory cannot be used
 */
export async function openDiskSpool(directory: string, maxBytes: number): Promise<Spool> {
  let size = await openDirectory(directory);

  let current: { readonly name: string; readonly file: FileHandle; bytes: number } | null = null;
  let waiting: Waiting[] = [];
  let writing: Promise<void> | null = null;
  let replaying: Promise<Replayed> | null = null;

  async function openFile(): Promise<NonNullable<typeof current>> {
    const name = `${newId()}${SUFFIX}`;
    const file = await open(path.join(directory, name), "ax", 0o600);
    // The name has to be on the disk as well as what stands under it.
    const handle = await open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    return { name, file, bytes: 0 };
  }

  async function closeFile(): Promise<void> {
    const file = current?.file;
    current = null;
    await file?.close();
  }

  async function closeIfCurrent(name: string): Promise<void> {
    if (current?.name !== name) return;
    if (writing === null) return closeFile();
    // A batch that is being written ends first; by then, another may have begun.
    await writing;
    return closeIfCurrent(name);
  }

  /** Whoever comes while a batch is being written is in the next one: many entries, one wait for the disk. */
  async function writeWaiting(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        if (current !== null && current.bytes >= FILE_BYTES) await closeFile();
        current ??= await openFile();
        const bytes = Buffer.from(batch.map(({ line }) => line).join(""), "utf8");
        await current.file.writeFile(bytes);
        await current.file.datasync();
        current.bytes += bytes.length;
        for (const entry of batch) entry.resolve();
      } catch (cause) {
        // What the file ends in now is not known: nothing is put behind it.
        await closeFile().catch(() => {});
        const message = `The spool in ${directory} could not be written: check the disk's space and the directory's owner.`;
        for (const entry of batch) {
          size -= entry.bytes;
          entry.reject(new GatewayError("storage_failed", message, { cause }));
        }
      }
    }
    writing = null;
  }

  async function replayAll(apply: (entry: string) => Promise<void>): Promise<Replayed> {
    let applied = 0;
    let unreadable = 0;
    for (const name of await listFiles(directory)) {
      await closeIfCurrent(name);
      const file = path.join(directory, name);
      const bytes = await readFile(file);
      for (const entry of readLines(bytes)) {
        if (entry === null) {
          unreadable += 1;
          continue;
        }
        await apply(entry);
        applied += 1;
      }
      await unlink(file);
      size -= bytes.length;
    }
    return { applied, unreadable };
  }

  return {
    append(entry, mayExceed = false) {
      const line = `${checkOf(entry)} ${entry}\n`;
      const bytes = Buffer.byteLength(line);
      if (!mayExceed && size + bytes > maxBytes) {
        const message = `The spool in ${directory} is full (${maxBytes} bytes): the database has been away for too long.`;
        return Promise.reject(new GatewayError("limit_exceeded", message));
      }
      size += bytes;
      return new Promise((resolve, reject) => {
        waiting.push({ line, bytes, resolve, reject });
        writing ??= writeWaiting();
      });
    },
    replay(apply) {
      replaying ??= replayAll(apply).finally(() => {
        replaying = null;
      });
      return replaying;
    },
    async setAside(entry) {
      const file = await open(path.join(directory, SET_ASIDE), "a", 0o600);
      try {
        await file.writeFile(`${checkOf(entry)} ${entry}\n`);
        await file.datasync();
      } finally {
        await file.close();
      }
    },
    get size() {
      return size;
    },
    async close() {
      await replaying?.catch(() => {});
      await writing;
      await closeFile();
    },
  };
}

/** The names sort as they were made. */
const listFiles = async (directory: string): Promise<readonly string[]> =>
  (await readdir(directory)).filter((name) => name.endsWith(SUFFIX)).sort();

const CHECK_DIGITS = 16;
const checkOf = (entry: string): string => createHash("sha256").update(entry).digest("hex").slice(0, CHECK_DIGITS);

/** What stands in each line; null where its check is wrong, or its end is missing. */
function* readLines(bytes: Buffer): Generator<string | null> {
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0x0a, start);
    const line = bytes.toString("utf8", start, end === -1 ? bytes.length : end);
    start = end === -1 ? bytes.length : end + 1;
    const entry = line.slice(CHECK_DIGITS + 1);
    yield end !== -1 && line[CHECK_DIGITS] === " " && checkOf(entry) === line.slice(0, CHECK_DIGITS) ? entry : null;
  }
}

/** @returns the bytes in it */
async function openDirectory(directory: string): Promise<number> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    let size = 0;
    for (const name of await listFiles(directory)) size += (await stat(path.join(directory, name))).size;
    return size;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new GatewayError(
      "storage_failed",
      `The directory ${directory}, where records wait for the database, cannot be used (${code}). It has to belong to the user ` +
        "who runs Sallyport, on a disk that can be written to.",
      { cause },
    );
  }
}
