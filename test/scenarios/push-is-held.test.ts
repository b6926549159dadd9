import { expect, test } from "vitest";
import { startWorld } from "../harness/world.ts";

/** Protects `main` and keeps the client waiting for `wait`. */
const protectedMain = (wait: string) => ({
  pushes: [{ repositories: ["code/**"], protect: [{ refs: ["refs/heads/main"], approvers: ["leads"], wait }] }],
});

const approvalIn = (text: string): string => {
  const id = /\/approvals\/([0-9a-f-]{36})/.exec(text)?.[1];
  if (id === undefined) throw new Error(`no approval link in:\n${text}`);
  return id;
};

test("while git waits, an approval delivers the push, and git sees the upstream's own answer", async () => {
  const world = await startWorld(protectedMain("60s"));
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  const before = await world.upstream.ref("team/app", "refs/heads/main");
  const oid = await copy.commit("Change main", { "a.txt": "one\n" });

  const push = copy.startPush("origin", "main");
  const [link] = await push.prints(/\/approvals\/[0-9a-f-]{36}/);
  expect(await world.upstream.ref("team/app", "refs/heads/main")).toBe(before);
  const decision = await lee.decide(approvalIn(link), "approve", "looks good");
  const ended = await push.ended;

  expect(decision.status).toBe(200);
  expect(ended.stderr).toContain("main -> main");
  expect(ended.stderr).not.toContain("rejected");
  expect(ended.code).toBe(0);
  expect(await world.upstream.ref("team/app", "refs/heads/main")).toBe(oid);
});

test("when the wait ends first, git is told the link, and a later approval still delivers with no second push", async () => {
  const world = await startWorld(protectedMain("1s"));
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  const oid = await copy.commit("Change main", { "a.txt": "one\n" });

  const push = await copy.git("push", "origin", "main");
  expect(push.code).toBe(1);
  expect(push.stderr).toMatch(/! \[remote rejected\] main -> main \(.*\/approvals\/[0-9a-f-]{36}.*\)/);

  expect((await lee.decide(approvalIn(push.stderr), "approve", "fine")).status).toBe(200);
  await expect.poll(() => world.upstream.ref("team/app", "refs/heads/main")).toBe(oid);
});

test("git is killed while it waits: the push stays held and an approval delivers it", async () => {
  const world = await startWorld(protectedMain("60s"));
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  const oid = await copy.commit("Change main", { "a.txt": "one\n" });

  const push = copy.startPush("origin", "main");
  const [link] = await push.prints(/\/approvals\/[0-9a-f-]{36}/);
  push.kill();
  await push.ended;
  expect((await lee.decide(approvalIn(link), "approve", "fine")).status).toBe(200);

  await expect.poll(() => world.upstream.ref("team/app", "refs/heads/main")).toBe(oid);
});

test("the same push sent again finds the same hold", async () => {
  const world = await startWorld(protectedMain("0s"));
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.commit("Change main", { "a.txt": "one\n" });

  const first = await copy.git("push", "origin", "main");
  const second = await copy.git("push", "origin", "main");

  expect(approvalIn(second.stderr)).toBe(approvalIn(first.stderr));
  expect((await ana.api("/api/v1/approvals")).items).toHaveLength(1);
});

test("a denial tells git why, and nothing is delivered", async () => {
  const world = await startWorld(protectedMain("60s"));
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  const before = await world.upstream.ref("team/app", "refs/heads/main");
  await copy.commit("Change main", { "a.txt": "one\n" });

  const push = copy.startPush("origin", "main");
  const [link] = await push.prints(/\/approvals\/[0-9a-f-]{36}/);
  expect((await lee.decide(approvalIn(link), "deny", "not on a Friday")).status).toBe(200);
  const ended = await push.ended;

  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(/! \[remote rejected\] main -> main \(.*denied by lee@example\.com.*\)/);
  expect(await world.upstream.ref("team/app", "refs/heads/main")).toBe(before);
});

test("the pusher cannot decide, somebody outside the approvers cannot, and a decision is made once", async () => {
  const world = await startWorld(protectedMain("0s"));
  const ana = await world.person("ana@example.com", ["eng", "leads"]);
  const bob = await world.person("bob@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  await copy.commit("Change main", { "a.txt": "one\n" });
  const approval = approvalIn((await copy.git("push", "origin", "main")).stderr);

  expect((await ana.decide(approval, "approve", "mine")).status).toBe(403);
  expect((await bob.decide(approval, "approve", "why not")).status).toBe(403);
  expect((await lee.decide(approval, "approve", "ok")).status).toBe(200);
  expect((await lee.decide(approval, "deny", "changed my mind")).status).toBe(409);
});

test("the upstream's ref moved while the push was held: it says so, and nothing is forced", async () => {
  const world = await startWorld(protectedMain("60s"));
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  await copy.commit("Change main", { "a.txt": "one\n" });

  const push = copy.startPush("origin", "main");
  const [link] = await push.prints(/\/approvals\/[0-9a-f-]{36}/);
  const moved = await world.upstream.commitDirectly("team/app", "refs/heads/main", { "b.txt": "meanwhile\n" });
  await lee.decide(approvalIn(link), "approve", "ok");
  const ended = await push.ended;

  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain("! [remote rejected] main -> main");
  expect(await world.upstream.ref("team/app", "refs/heads/main")).toBe(moved);
});

test("a hold is told in Slack: who, where, what and the link", async () => {
  const world = await startWorld({ ...protectedMain("0s"), slack: true });
  const ana = await world.person("ana@example.com", ["eng"]);
  const copy = await ana.clone("team/app");
  await copy.commit("Fix <!channel> & \u001b[31mthings", { "a.txt": "one\n" });
  const push = await copy.git("push", "origin", "main");

  await expect.poll(() => world.slack.posts.length).toBe(1);
  const message = JSON.stringify(world.slack.posts[0]);
  expect(message).toContain("ana@example.com");
  expect(message).toContain("code/team/app");
  expect(message).toContain(`/approvals/${approvalIn(push.stderr)}`);
  expect(message).not.toContain("<!channel>");
});

test("a hold is not approved under another policy than the one that asked", async () => {
  const world = await startWorld(protectedMain("0s"));
  const ana = await world.person("ana@example.com", ["eng"]);
  const lee = await world.person("lee@example.com", ["leads"]);
  const copy = await ana.clone("team/app");
  const before = await world.upstream.ref("team/app", "refs/heads/main");
  await copy.commit("Change main", { "a.txt": "one\n" });
  const asked = approvalIn((await copy.git("push", "origin", "main")).stderr);

  const stricter = { refs: ["refs/heads/main"], approvers: ["leads"], approvals: 2, wait: "0s" };
  await world.restart({ pushes: [{ repositories: ["code/**"], protect: [stricter] }] });
  const decision = await lee.decide(asked, "approve", "ok");
  const again = await copy.git("push", "origin", "main");

  expect(decision.status).toBe(409);
  expect(await decision.text()).toContain("the policy has changed");
  expect(approvalIn(again.stderr)).not.toBe(asked);
  expect(again.stderr).toContain("needs 2 approvals by leads");
  expect(await world.upstream.ref("team/app", "refs/heads/main")).toBe(before);
});
