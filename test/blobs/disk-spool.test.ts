import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openDiskSpool, type Spool } from "../../src/blobs/disk-spool.ts";

async function directory(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), "sallyport-spool-"));
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  return path.join(made, "spool");
}
const open = async (at: string, maxBytes = 1_000_000): Promise<Spool> => {
  const spool = await openDiskSpool(at, maxBytes);
  onTestFinished(() => spool.close());
  return spool;
};
async function read(spool: Spool): Promise<string[]> {
  const entries: string[] = [];
  await spool.replay((entry) => {
    entries.push(entry);
    return Promise.resolve();
  });
  return entries;
}
const spoolFiles = async (at: string) => (await readdir(at)).filter((name) => name.endsWith(".spool"));

test("entries come out once, in the order in which they went in, also by another process", async () => {
  const at = await directory();
  const spool = await open(at);
  const entries = Array.from({ length: 50 }, (_, index) => `{"n":${index},"text":"ü🦊"}`);
  await Promise.all(entries.map((entry) => spool.append(entry)));
  await spool.close();
  const again = await open(at);
  expect(again.size).toBeGreaterThan(1_000);
  await again.append("last");
  expect(await read(again)).toEqual([...entries, "last"]);
  expect(again.size).toBe(0);
  expect(await read(again)).toEqual([]);
  expect(await spoolFiles(at)).toEqual([]);
  await again.append("after");
  expect(await read(again)).toEqual(["after"]);
});

test("what is acknowledged is on the disk, for its owner alone", async () => {
  const at = await directory();
  const spool = await open(at);
  await spool.append("said");
  const [name = ""] = await spoolFiles(at);
  expect(await readFile(path.join(at, name), "utf8")).toMatch(/^[0-9a-f]{16} said\n$/);
  expect((await stat(path.join(at, name))).mode & 0o077).toBe(0);
  expect((await stat(at)).mode & 0o077).toBe(0);
});

test("an entry that is not taken stays, with all that comes after it", async () => {
  const spool = await open(await directory());
  for (const entry of ["one", "two", "three"]) await spool.append(entry);
  const seen: string[] = [];
  const failing = spool.replay((entry) => {
    seen.push(entry);
    return entry === "two" ? Promise.reject(new Error("away")) : Promise.resolve();
  });
  await expect(failing).rejects.toThrow("away");
  expect(seen).toEqual(["one", "two"]);
  expect(await read(spool)).toEqual(["one", "two", "three"]);
});

test("a last line that was cut off is told as unreadable, and so is one that a disk has spoiled; the others are read", async () => {
  const at = await directory();
  const spool = await open(at);
  for (const entry of ["one", "two", "three"]) await spool.append(entry);
  await spool.close();
  const [name = ""] = await spoolFiles(at);
  const file = path.join(at, name);
  await truncate(file, (await stat(file)).size - 2);
  const spoiled = (await readFile(file, "latin1")).replace("two", "twu");
  await writeFile(file, spoiled, "latin1");
  const again = await open(at);
  const entries: string[] = [];
  const told = await again.replay((entry) => Promise.resolve(void entries.push(entry)));
  expect([entries, told]).toEqual([["one"], { applied: 1, unreadable: 2 }]);
});

test("it is bounded; what belongs to one that was taken goes beyond the bound", async () => {
  const spool = await open(await directory(), 100);
  await spool.append("x".repeat(60));
  await expect(spool.append("y".repeat(60))).rejects.toMatchObject({ code: "limit_exceeded" });
  await spool.append("z".repeat(60), true);
  expect((await read(spool)).map((entry) => entry[0])).toEqual(["x", "z"]);
  await spool.append("y".repeat(60));
});

test("a disk that takes nothing is told, and what follows goes on", async () => {
  const at = await directory();
  const spool = await open(at);
  await rm(at, { recursive: true });
  await expect(spool.append("lost")).rejects.toMatchObject({ code: "storage_failed" });
  await openDiskSpool(at, 1);
  await spool.append("kept");
  expect(await read(spool)).toEqual(["kept"]);
});

test("what is set aside is in no replay", async () => {
  const at = await directory();
  const spool = await open(at);
  await spool.setAside("odd");
  await spool.append("even");
  expect(await read(spool)).toEqual(["even"]);
  expect(await readFile(path.join(at, "set-aside"), "utf8")).toContain(" odd\n");
});

test("appends go on while a replay runs, and are in the next one", async () => {
  const spool = await open(await directory());
  await spool.append("one");
  const first: string[] = [];
  await spool.replay(async (entry) => {
    first.push(entry);
    await spool.append("two");
  });
  expect([...first, ...(await read(spool))]).toEqual(["one", "two"]);
});

test("files of others are left alone", async () => {
  const at = await directory();
  const spool = await open(at);
  await appendFile(path.join(at, "note.txt"), "hello");
  await spool.append("one");
  await read(spool);
  expect(await readdir(at)).toEqual(["note.txt"]);
});
