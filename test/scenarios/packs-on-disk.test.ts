/** A pack that waits lies in clear on the gateway's disk: for its owner alone, and no longer than the push waits. */
import { connect } from "node:net";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { plantedAwsKey } from "../harness/planted.ts";
import { basic, packOf, pushBody, ZERO } from "../harness/raw-push.ts";
import { startWorld, type World } from "../harness/world.ts";

const HELD = {
  pushes: [{ repositories: ["code/**"], protect: [{ refs: ["refs/heads/main"], approvers: ["leads"], wait: "0s" }] }],
};
const PATIENCE = { timeout: 60_000, interval: 100 };

const approvalIn = (text: string): string => /\/approvals\/([0-9a-f-]{36})/.exec(text)?.[1] ?? "";

/** Files below the data directory that hold bytes of pushes. */
async function packsOf(world: World): Promise<string[]> {
  const found: string[] = [];
  for (const room of ["blobs", "quarantine"]) {
    const entries = await readdir(path.join(world.dataDir, room), { recursive: true, withFileTypes: true }).catch(
      () => [],
    );
    for (const entry of entries) if (entry.isFile()) found.push(path.join(entry.parentPath, entry.name));
  }
  return found;
}

async function holdOf(world: World) {
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  await copy.commit("Change main", { "a.txt": "one\n" });
  const push = await copy.git("push", "origin", "main");
  // What it was read in goes after the answer.
  await expect.poll(() => packsOf(world), PATIENCE).toHaveLength(1);
  return { lee, approval: approvalIn(push.stderr), pack: (await packsOf(world))[0] ?? "" };
}

test("it is readable by its owner alone, and goes with the refusal", async () => {
  const world = await startWorld(HELD);
  const { lee, approval, pack } = await holdOf(world);
  expect((await stat(pack)).mode & 0o777).toBe(0o600);
  for (const directory of [path.dirname(pack), path.join(world.dataDir, "blobs"), path.join(world.dataDir, "spool")]) {
    expect((await stat(directory)).mode & 0o777, directory).toBe(0o700);
  }
  expect((await lee.decide(approval, "deny", "no")).status).toBe(200);
  expect(await packsOf(world)).toEqual([]);
});

test("it goes with the delivery", async () => {
  const world = await startWorld(HELD);
  const { lee, approval } = await holdOf(world);
  expect((await lee.decide(approval, "approve", "fine")).status).toBe(200);
  await expect.poll(() => packsOf(world), PATIENCE).toEqual([]);
});

test("one that was refused for a secret is gone with the answer", async () => {
  const world = await startWorld(HELD);
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  await copy.commit("A key", { "key.txt": `${plantedAwsKey}\n` });
  const push = await copy.git("push", "origin", "topic");
  expect(push.stderr).toContain("aws-access-key");
  await expect.poll(() => packsOf(world), PATIENCE).toEqual([]);
});

test("killed while one comes in: the next gateway throws away what there is of it", { timeout: 240_000 }, async () => {
  const world = await startWorld({ ...HELD, process: true });
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  const oid = await copy.commit("Change main", { "a.txt": "one\n" });
  const body = pushBody({
    repository: "team/app",
    commands: [`${ZERO} ${oid} refs/heads/topic`],
    pack: await packOf(copy.directory, [oid, `^${oid}^`], true),
  });
  const { hostname, port } = new URL(world.url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  // All but the end.
  socket.write(
    [
      "POST /git/code/team/app.git/git-receive-pack HTTP/1.1",
      "Host: gateway",
      `Authorization: ${basic(ana)}`,
      "Content-Type: application/x-git-receive-pack-request",
      `Content-Length: ${body.length}`,
      "",
      "",
    ].join("\r\n"),
  );
  socket.write(body.subarray(0, -8));
  const written = async (): Promise<number> => {
    const sizes = await Promise.all((await packsOf(world)).map(async (file) => (await stat(file)).size));
    return (await readdir(path.join(world.dataDir, "blobs", "incoming")).catch(() => [])).length > 0 &&
      sizes.some((size) => size > 0)
      ? 1
      : 0;
  };
  await expect.poll(written, PATIENCE).toBe(1);
  await world.kill();
  expect(await packsOf(world)).not.toEqual([]);

  await world.restart();
  expect(await packsOf(world)).toEqual([]);
});
