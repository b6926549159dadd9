import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { processCommand, processIdentity } from "../../../src/store/postgres/process-identity.ts";

test("a process has one identity as long as it runs, and none after", async () => {
  const child = spawn("sleep", ["30"]);
  const pid = child.pid ?? 0;
  const identity = await processIdentity(pid);
  expect(identity).toMatch(/^\S+$/);
  expect(await processIdentity(pid)).toBe(identity);
  expect(await processIdentity(process.pid)).not.toBe(identity);
  expect(await processCommand(pid)).toContain("30");
  const exited = once(child, "exit");
  child.kill();
  await exited;
  expect(await processIdentity(pid)).toBeNull();
  expect(await processCommand(pid)).toBeNull();
});

test("a process that has ended but was not reaped is none", async () => {
  // The shell becomes `sleep 30`, which never asks after the child that the shell left it.
  const parent = spawn("sh", ["-c", "sleep 0.2 & echo $!; exec sleep 30"], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const zombie = Number(line.toString());
  await expect.poll(() => processIdentity(zombie)).toBeNull();
  expect(() => process.kill(zombie, 0)).not.toThrow();
  parent.kill();
});
