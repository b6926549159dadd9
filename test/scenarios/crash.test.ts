/**
 * The gateway is killed, or its database is, at the worst moments: what was acknowledged is still there afterwards, and nothing has
 * moved that nobody decided.
 */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startWorld, type World } from "../harness/world.ts";

const PROTECTED = (wait: string) => ({
  pushes: [{ repositories: ["code/**"], protect: [{ refs: ["refs/heads/main"], approvers: ["leads"], wait }] }],
});
const PATIENCE = { interval: 200 };

const approvalIn = (text: string): string => /\/approvals\/([0-9a-f-]{36})/.exec(text)?.[1] ?? "";
const mainOf = (world: World) => world.upstream.ref("team/app", "refs/heads/main");

test("killed while a push is held: after the restart the hold is there, and an approval delivers it", async () => {
  const world = await startWorld({ ...PROTECTED("60s"), process: true });
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  const before = await mainOf(world);
  const oid = await copy.commit("Change main", { "a.txt": "one\n" });

  const push = copy.startPush("origin", "main");
  const [link] = await push.prints(/\/approvals\/[0-9a-f-]{36}/);
  await world.kill();
  const ended = await push.ended;
  expect(ended.code).not.toBe(0);
  expect(await mainOf(world)).toBe(before);

  await world.restart();
  const approval = approvalIn(link);
  expect(await (await lee.fetch(`/api/v1/approvals/${approval}`)).json()).toMatchObject({ status: "pending" });
  // The same push again finds the same hold.
  const again = copy.startPush("origin", "main");
  const [same] = await again.prints(/\/approvals\/[0-9a-f-]{36}/);
  expect(approvalIn(same)).toBe(approval);
  again.kill();
  await again.ended;

  expect((await lee.decide(approval, "approve", "fine")).status).toBe(200);
  await expect.poll(() => mainOf(world), PATIENCE).toBe(oid);
});

test("killed between the approval and the delivery: the next gateway delivers", async () => {
  const world = await startWorld({ ...PROTECTED("0s"), process: true });
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  const oid = await copy.commit("Change main", { "a.txt": "one\n" });
  const held = await copy.git("push", "origin", "main");
  // It cannot get through to the upstream before it is killed.
  world.upstream.fail("hang", /git-receive-pack/);
  expect((await lee.decide(approvalIn(held.stderr), "approve", "fine")).status).toBe(200);
  await world.kill();
  world.upstream.fail(null);

  await world.restart();
  await expect.poll(() => mainOf(world), PATIENCE).toBe(oid);
  const delivered = async () => (await ana.api("/api/v1/pushes")).items.map(({ status }) => status);
  await expect.poll(delivered, PATIENCE).toEqual(["delivered"]);
});

test("killed while it delivers, with the upstream done: the record says so afterwards, and nothing is sent twice", async () => {
  const world = await startWorld({ process: true });
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  const oid = await copy.commit("A change", { "a.txt": "one\n" });
  // The upstream has taken the push; its hook keeps the answer back, and the gateway dies without it.
  const directory = world.upstream.directoryOf("team/app");
  await writeHook(directory, "post-receive", "sleep 3");
  const push = copy.startPush("origin", "topic");
  await expect.poll(() => world.upstream.ref("team/app", "refs/heads/topic"), PATIENCE).toBe(oid);
  await world.kill();
  expect((await push.ended).code).not.toBe(0);

  // Half a minute later: until then the dead gateway might still be at work.
  await world.database.sql`update pushes set lease_until = now() - interval '1 second'`;
  await world.restart();
  const status = async () => (await ana.api("/api/v1/pushes")).items.map((item) => item["status"]);
  await expect.poll(status, PATIENCE).toEqual(["delivered"]);
  expect(pushesTo(world, 0)).toHaveLength(1);
});

test("the database is lost: a push says so, and nothing reaches the upstream; when it is back, pushes work", async () => {
  const proxy = await startTcpProxy();
  const world = await startWorld({ databaseUrl: proxy.urlFor });
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.must("checkout", "-q", "-b", "topic");
  const oid = await copy.commit("A change", { "a.txt": "one\n" });
  // The token is known by now, so that the push comes as far as its record.
  await copy.must("ls-remote", "origin");
  const mark = world.upstream.requests.length;

  await proxy.cut();
  const push = await copy.git("push", "origin", "topic");
  expect(push.code).not.toBe(0);
  expect(push.stderr).toMatch(/cannot record this push|database is away/);
  expect(push.stderr).not.toMatch(/Everything up-to-date|ECONNREFUSED|postgres/);
  expect(pushesTo(world, mark)).toEqual([]);
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBeNull();

  await proxy.mend();
  await expect.poll(async () => (await copy.git("push", "origin", "topic")).code, PATIENCE).toBe(0);
  expect(await world.upstream.ref("team/app", "refs/heads/topic")).toBe(oid);
});

test("the database is lost while a push is held: the hold outlives it, and its client waits on", async () => {
  const proxy = await startTcpProxy();
  const world = await startWorld({ ...PROTECTED("60s"), databaseUrl: proxy.urlFor });
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  const before = await mainOf(world);
  const oid = await copy.commit("Change main", { "a.txt": "one\n" });
  const push = copy.startPush("origin", "main");
  const [link] = await push.prints(/\/approvals\/[0-9a-f-]{36}/);

  await proxy.cut();
  const decision = await lee.decide(approvalIn(link), "approve", "while it is away");
  expect(decision.status).toBeGreaterThanOrEqual(500);
  expect(await mainOf(world)).toBe(before);
  await proxy.mend();
  await expect.poll(async () => (await lee.decide(approvalIn(link), "approve", "now")).status, PATIENCE).toBe(200);
  // Its client has waited all the while.
  const ended = await push.ended;
  expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining("main -> main")]);
  expect(await mainOf(world)).toBe(oid);
});

/** Requests since `mark` that carry a push: git's probe of four bytes does not. */
const pushesTo = (world: World, mark: number) =>
  world.upstream.requests
    .slice(mark)
    .filter(({ method, url, bodyBytes }) => method === "POST" && url.endsWith("git-receive-pack") && bodyBytes > 4);

async function writeHook(directory: string, name: string, script: string): Promise<void> {
  await mkdir(`${directory}/hooks`, { recursive: true });
  await writeFile(`${directory}/hooks/${name}`, `#!/bin/sh\n${script}\n`);
  await chmod(`${directory}/hooks/${name}`, 0o755);
}

/** Something between the gateway and its database that can be cut. */
async function startTcpProxy() {
  const sockets = new Set<Socket>();
  let target = { host: "127.0.0.1", port: 0 };
  const server: Server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.pipe(client);
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
  const cut = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => (server.listening ? cut() : undefined));
  return {
    urlFor: (url: string): string => {
      const through = new URL(url);
      target = { host: through.hostname, port: Number(through.port) };
      through.host = `127.0.0.1:${port}`;
      return through.href;
    },
    cut,
    mend: () => listen(port),
  };
}
