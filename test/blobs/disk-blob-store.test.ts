import { mkdir, mkdtemp, open, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { createDiskBlobStore } from "../../src/blobs/disk-blob-store.ts";
import { createDiskBlobWriter } from "../../src/blobs/disk-blob-writer.ts";

async function newStore() {
  const root = await mkdtemp(join(tmpdir(), "sallyport-blobs-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const directory = join(root, "blobs");
  return { directory, store: createDiskBlobStore(directory) };
}

async function put(store: ReturnType<typeof createDiskBlobStore>, ...chunks: string[]) {
  const writer = await store.create();
  for (const chunk of chunks) await writer.write(Buffer.from(chunk));
  return writer.commit();
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

test("what was written is read again, whole or from an offset", async () => {
  const { store } = await newStore();
  const key = await put(store, "hello, ", "", "world");
  expect(await store.size(key)).toBe(12);
  expect((await buffer(await store.open(key))).toString()).toBe("hello, world");
  expect((await buffer(await store.open(key, 7))).toString()).toBe("world");
  expect((await buffer(await store.open(key, 12))).toString()).toBe("");
});

test("nothing is visible before commit, and nothing is left after abort", async () => {
  const { store, directory } = await newStore();
  const writer = await store.create();
  await writer.write(Buffer.alloc(1000));
  expect(writer.bytesWritten).toBe(1000);
  expect(await collect(store.list())).toEqual([]);
  await writer.abort();
  await writer.abort();
  expect(await readdir(join(directory, "incoming"))).toEqual([]);
});

test("a failure that the early flush met is commit's: the system tells of it once only", async () => {
  const { directory } = await newStore();
  await mkdir(directory);
  const temporary = join(directory, "temporary");
  const handle = await open(temporary, "wx");
  const sync = handle.sync.bind(handle);
  let asked = 0;
  handle.sync = () => {
    asked += 1;
    return asked === 1 ? Promise.reject(Object.assign(new Error("input/output error"), { code: "EIO" })) : sync();
  };
  const writer = createDiskBlobWriter(handle, temporary, join(directory, "kept"), "kept");
  await writer.write(Buffer.from("pack"));
  writer.flush();
  await expect(writer.commit()).rejects.toMatchObject({ code: "storage_failed" });
  await writer.abort();
  expect(await readdir(directory)).toEqual([]);
});

test("abort after commit leaves the blob; delete removes it, and again is no error", async () => {
  const { store } = await newStore();
  const writer = await store.create();
  const key = await writer.commit();
  await writer.abort();
  expect(await store.size(key)).toBe(0);
  await store.delete(key);
  await store.delete(key);
  await expect(store.size(key)).rejects.toMatchObject({ code: "not_found" });
  await expect(store.open(key)).rejects.toMatchObject({ code: "not_found" });
});

test("a key from outside never becomes a path", async () => {
  const { store, directory } = await newStore();
  await put(store, "x");
  await writeFile(join(directory, "secret"), "x");
  for (const key of ["../secret", "secret", "", "..", "/etc/passwd", `${"a".repeat(31)}/`]) {
    await expect(store.open(key)).rejects.toMatchObject({ code: "not_found" });
    await store.delete(key);
  }
  expect((await stat(join(directory, "secret"))).size).toBe(1);
});

test("blobs are readable by their owner alone", async () => {
  const { store, directory } = await newStore();
  const key = await put(store, "x");
  const mode = async (path: string) => ((await stat(join(directory, path))).mode & 0o777).toString(8);
  expect(await mode(join(key.slice(0, 2), key))).toBe("600");
  expect(await mode(key.slice(0, 2))).toBe("700");
  expect(await mode(".")).toBe("700");
  expect(await mode("incoming")).toBe("700");
});

test("list names every blob with its time, and skips strangers and what is not finished", async () => {
  const { store, directory } = await newStore();
  const keys = await Promise.all(Array.from({ length: 20 }, (_, index) => put(store, `blob ${index}`)));
  await writeFile(join(directory, "README"), "not a blob");
  const writer = await store.create();
  const listed = await collect(store.list());
  expect(listed.map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
  expect(Math.abs((listed[0]?.createdAt ?? 0) - Date.now())).toBeLessThan(60_000);
  await writer.abort();
});

test("the next store throws away what the one before it has not finished, however young, and nothing else", async () => {
  const { store, directory } = await newStore();
  await (await store.create()).write(Buffer.from("half of a pack, with a secret in it"));
  const key = await put(store, "whole");
  const next = createDiskBlobStore(directory);
  await next.removeUnfinished();
  expect(await readdir(join(directory, "incoming"))).toEqual([]);
  expect((await collect(next.list())).map((blob) => blob.key)).toEqual([key]);
});

test("a storage without anything in it has nothing to throw away", async () => {
  const { store } = await newStore();
  await expect(store.removeUnfinished()).resolves.toBeUndefined();
});

test("a full disk is told as such, without a path, and the writer can still be aborted", async () => {
  const { directory } = await newStore();
  // /dev/full answers every write with ENOSPC (full(4)).
  const writer = createDiskBlobWriter(await open("/dev/full", "w"), join(directory, "a"), join(directory, "b"), "b");
  const failure = await writer.write(Buffer.alloc(10)).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "storage_failed", message: expect.stringContaining("full") as string });
  expect(String(failure)).not.toContain(directory);
  expect(writer.bytesWritten).toBe(0);
  await writer.abort();
});

test("a storage that cannot be used is told when the blob begins", async () => {
  const { directory } = await newStore();
  await writeFile(directory, "a file where the directory should be");
  await expect(createDiskBlobStore(directory).create()).rejects.toMatchObject({ code: "storage_failed" });
});
