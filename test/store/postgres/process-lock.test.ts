import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { processIdentity } from "../../../src/store/postgres/process-identity.ts";
import { withProcessLock } from "../../../src/store/postgres/process-lock.ts";

async function newLock(files: Readonly<Record<string, string>> = {}): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "sallyport-lock-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const lock = join(directory, "lock");
  await mkdir(lock);
  for (const [name, content] of Object.entries(files)) await writeFile(join(lock, name), content);
  return lock;
}

test.each([
  ["new", {}],
  ["released", { 7: "released" }],
  ["left by a process that has ended", { 7: "4194304 gone", "draft-4194304-00": "" }],
  ["left by an earlier process of an id that is in use", { 7: `${process.pid} earlier` }],
  ["of another kind", { 7: "whatever this is" }],
])("one holder at a time, on a lock that is %s", async (_name, files) => {
  const lock = await newLock(files);
  const state = { holders: 0, most: 0, done: 0 };
  const work = async () => {
    state.holders += 1;
    state.most = Math.max(state.most, state.holders);
    await sleep(5);
    state.holders -= 1;
    state.done += 1;
  };
  await Promise.all(Array.from({ length: 20 }, () => withProcessLock(lock, 120_000, work)));
  expect(state).toEqual({ holders: 0, most: 1, done: 20 });
  const [left = "", ...others] = await readdir(lock);
  expect(others).toEqual([]);
  expect(await readFile(join(lock, left), "utf8")).toBe("released");
});

test("the lock is free again when the work fails", async () => {
  const lock = await newLock();
  await expect(withProcessLock(lock, 60_000, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await withProcessLock(lock, 60_000, () => Promise.resolve(1))).toBe(1);
});

test("a living holder is waited for, and named when it takes too long", async () => {
  const lock = await newLock({ 7: `${process.pid} ${await processIdentity(process.pid)}` });
  await expect(withProcessLock(lock, 100, () => Promise.resolve())).rejects.toMatchObject({
    code: "database_unavailable",
    message: expect.stringContaining(String(process.pid)) as string,
  });
  expect(await readdir(lock)).toEqual(["7"]);
});
